// Percentiles, bars and keys: see latency_report.hpp.
#include "latency_report.hpp"

#include "quantities.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <string_view>

namespace mnet::tool {

namespace {

struct percentile {
    std::string_view title;
    std::string_view key;
    double share;
};
constexpr std::array<percentile, 5> percentiles_told{{{.title = "p50", .key = "p50_ns", .share = 0.5},
                                                      {.title = "p90", .key = "p90_ns", .share = 0.9},
                                                      {.title = "p99", .key = "p99_ns", .share = 0.99},
                                                      {.title = "p99.9", .key = "p999_ns", .share = 0.999},
                                                      {.title = "p99.99", .key = "p9999_ns", .share = 0.9999}}};

/// Fewer values above a percentile, and it is chance.
constexpr double values_above_min = 10;

std::string time_text(std::uint64_t nanoseconds) { return duration_text(static_cast<double>(nanoseconds)); }

std::string whole_rate_text(double messages_per_second) {
    return count_text(static_cast<std::uint64_t>(std::llround(messages_per_second)));
}

std::string line_of(std::string_view who, std::string_view what, const bench::histogram& seen) {
    std::string line = fmt::format("{:>7} {:<9}", who, what);
    for (const percentile& told : percentiles_told) line += fmt::format(" {:>9}", time_text(seen.at(told.share)));
    return line + fmt::format(" {:>9}", time_text(seen.max_ns()));
}

void add_program(std::vector<std::string>& lines, std::string_view who, const bench::latencies& seen) {
    lines.push_back(line_of(who, "response", seen.response) +
                    fmt::format(" {:>12} {:>12}", whole_rate_text(seen.achieved_rate()), count_text(seen.behind_max)));
    lines.push_back(line_of("", "service", seen.service));
}

/// Where bars begin and end: 1, 1.5, 2, 3, 5, 7 and their decades, from below the least value to above the most.
std::vector<std::uint64_t> edges_around(std::uint64_t least_ns, std::uint64_t most_ns) {
    constexpr std::array<std::uint64_t, 6> tenths{10, 15, 20, 30, 50, 70};
    std::vector<std::uint64_t> edges;
    for (std::uint64_t decade = 10;; decade *= 10) {
        for (const std::uint64_t tenth : tenths) {
            const std::uint64_t edge = decade * tenth / 10;
            if (edge <= least_ns) edges.clear();
            edges.push_back(edge);
            if (edge > most_ns) return edges;
        }
    }
}

std::string bar(std::uint64_t count, std::uint64_t most, std::size_t columns) {
    const auto length = static_cast<std::size_t>(static_cast<double>(count) * static_cast<double>(columns) / static_cast<double>(most));
    const std::string_view trace = count != 0 && length == 0 ? "." : "";  // some, and less than a cell
    return fmt::format("{:<{}}", std::string(length, '#') + std::string(trace), columns);
}

/// How many of each there are between two edges, response times of both programs side by side.
void add_histogram(std::vector<std::string>& lines, const latency_figures& figures, std::size_t columns) {
    std::vector<const bench::histogram*> seen{&figures.mnet->response};
    if (figures.plain != nullptr) seen.push_back(&figures.plain->response);
    std::uint64_t least = seen.front()->at(0);
    std::uint64_t most = 0;
    for (const auto* const each : seen) {
        least = std::min(least, each->at(0));
        most = std::max(most, each->max_ns());
    }
    most = std::min(most, bench::histogram::value_max_ns - 1);
    const auto edges = edges_around(least, most);

    constexpr std::size_t label_columns = 11;
    constexpr std::size_t count_columns = 13;
    constexpr std::size_t bar_least = 10;
    constexpr std::size_t bar_most = 60;
    const std::size_t share = columns > label_columns ? (columns - label_columns) / seen.size() : 0;
    const std::size_t bar_columns = std::clamp(share > count_columns ? share - count_columns : 0, bar_least, bar_most);

    std::string head = fmt::format("{:>9}  {:<{}}", "up to", "mnet, response", bar_columns + count_columns);
    if (seen.size() > 1) head += "plain, response";
    lines.push_back(head);
    std::uint64_t longest = 1;
    for (std::size_t index = 1; index < edges.size(); ++index)
        for (const auto* const each : seen) longest = std::max(longest, each->count_between(edges[index - 1], edges[index]));
    for (std::size_t index = 1; index < edges.size(); ++index) {
        std::string line = fmt::format("{:>9} ", time_text(edges[index]));
        for (const auto* const each : seen) {
            const std::uint64_t count = each->count_between(edges[index - 1], edges[index]);
            line += fmt::format("|{}{:>{}} ", bar(count, longest, bar_columns), count == 0 ? "" : count_text(count), count_columns - 2);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        lines.push_back(line);
    }
}

}  // namespace

void add_latency(nlohmann::ordered_json& line, const latency_figures& figures, bool plain) {
    const bench::latencies& seen = plain ? *figures.plain : *figures.mnet;
    for (const percentile& told : percentiles_told) line[told.key] = seen.response.at(told.share);
    line["max_ns"] = seen.response.max_ns();
    for (const percentile& told : percentiles_told) line["service_" + std::string(told.key)] = seen.service.at(told.share);
    line["service_max_ns"] = seen.service.max_ns();
    line["rate_per_second"] = figures.rate;
    line["achieved_per_second"] = std::round(seen.achieved_rate());
    line["kept_rate"] = seen.kept_rate();
    line["behind_max"] = seen.behind_max;
    line["never_written"] = seen.never_written;
}

std::optional<double> ratio_of(const latency_figures& figures) noexcept {
    const std::uint64_t theirs = figures.plain == nullptr ? 0 : figures.plain->response.at(0.5);
    if (theirs == 0) return std::nullopt;
    return static_cast<double>(figures.mnet->response.at(0.5)) / static_cast<double>(theirs);
}

std::vector<std::string> latency_lines(const latency_figures& figures, std::size_t size, std::size_t columns) {
    std::vector<std::string> lines;
    lines.push_back(fmt::format("{}, {} clients, {} messages, {} a second over all clients", size_text(size), count_text(figures.clients),
                                count_text(figures.mnet->due), whole_rate_text(figures.rate)));
    std::string head = fmt::format("{:>17}", "");
    for (const percentile& told : percentiles_told) head += fmt::format(" {:>9}", told.title);
    lines.push_back(head + fmt::format(" {:>9} {:>12} {:>12}", "max", "a second", "most behind"));
    add_program(lines, "mnet", *figures.mnet);
    if (figures.plain != nullptr) add_program(lines, "plain", *figures.plain);
    const auto total = static_cast<double>(figures.mnet->response.total());
    for (const percentile& told : percentiles_told) {
        if (total * (1 - told.share) >= values_above_min) continue;
        lines.push_back(fmt::format("        {} and what is right of it rest on fewer than {:.0f} messages: measure longer", told.title,
                                    values_above_min));
        break;
    }
    lines.emplace_back();
    add_histogram(lines, figures, columns);
    lines.emplace_back();
    return lines;
}

std::vector<std::string> rate_complaints(const latency_figures& figures, std::size_t size) {
    std::vector<std::string> lines;
    const auto complain = [&](std::string_view who, const bench::latencies& seen) {
        if (seen.kept_rate()) return;
        std::string given_up;
        if (seen.never_written != 0) given_up = fmt::format(", {} were never written", count_text(seen.never_written));
        lines.push_back(
            fmt::format("{} latency, {}: the sender did not keep the rate: {} of {} a second, up to {} messages behind{}; "
                        "response times contain its delay",
                        who, size_text(size), whole_rate_text(seen.achieved_rate()), whole_rate_text(figures.rate),
                        count_text(seen.behind_max), given_up));
    };
    complain("mnet", *figures.mnet);
    if (figures.plain != nullptr) complain("plain", *figures.plain);
    return lines;
}

std::size_t terminal_columns() {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) return size.ws_col;
    constexpr std::size_t without_terminal = 100;
    const char* const wanted = std::getenv("COLUMNS");
    if (wanted == nullptr) return without_terminal;
    std::size_t columns = 0;
    const std::string_view text(wanted);
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), columns);
    return parsed.ec == std::errc() && columns != 0 ? columns : without_terminal;
}

}  // namespace mnet::tool
