// Rows of a benchmark as JSON and as a table: see bench_report.hpp.
#include "bench_report.hpp"

#include "machine.hpp"
#include "process.hpp"
#include "quantities.hpp"

#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace mnet::tool {

namespace {

double rounded(double value, double places) {
    const double factor = std::pow(10.0, places);
    return std::round(value * factor) / factor;
}

double megabytes_per_second(const bench::measurement& measured) {
    return measured.elapsed_ns == 0 ? 0.0 : static_cast<double>(measured.bytes) * 1e3 / static_cast<double>(measured.elapsed_ns);
}

std::uint64_t allocations(const bench::measurement& measured) { return measured.sender.allocations + measured.receiver.allocations; }
std::uint64_t system_calls(const bench::measurement& measured) { return measured.sender.system_calls + measured.receiver.system_calls; }

void add_latency(nlohmann::ordered_json& line, const percentiles& latency) {
    line["p50_ns"] = latency.p50_ns;
    line["p99_ns"] = latency.p99_ns;
    line["p999_ns"] = latency.p999_ns;
    line["max_ns"] = latency.max_ns;
}

std::string head(bench_work work) {
    std::string line = fmt::format("{:>9} {:>13} {:>13} {:>11} {:>10} {:>11} {:>6}", "size", "messages", "delivered", "a message", "MB/s",
                                   "plain", "ratio");
    line += fmt::format(" {:>9} {:>9}", "allocs", "syscalls");
    if (work == bench_work::pingpong) line += fmt::format(" {:>9} {:>9} {:>9} {:>9}", "p50", "p99", "p99.9", "max");
    if (work == bench_work::idle) line += fmt::format(" {:>12} {:>12}", "bytes/client", "plain");
    if (work == bench_work::echo) line += fmt::format(" {:>12} {:>12}", "trips/s", "plain");
    return line;
}

/// 0 is written as such; else enough digits to tell it from 0.
std::string rate_text(double value) {
    return value == 0.0 ? "0" : value < 0.01 ? fmt::format("{:.1e}", value) : fmt::format("{:.2f}", value);
}

std::string trips_text(const bench::measurement& measured) {
    const double nanoseconds = measured.ns_per_message();
    return count_text(nanoseconds <= 0 ? 0 : static_cast<std::uint64_t>(1e9 / nanoseconds));
}

}  // namespace

percentiles percentiles_of(std::span<std::uint64_t> latencies_ns) noexcept {
    if (latencies_ns.empty()) return {};
    std::ranges::sort(latencies_ns);
    const auto at = [&](double share) {
        const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(latencies_ns.size())));
        return latencies_ns[std::clamp<std::size_t>(rank, 1, latencies_ns.size()) - 1];
    };
    return {.p50_ns = at(0.5), .p99_ns = at(0.99), .p999_ns = at(0.999), .max_ns = latencies_ns.back()};
}

bench_report::bench_report(const bench_options& options, std::string_view work, const bench_site& site)
    : json_(options.json),
      terminal_(::isatty(STDERR_FILENO) != 0),
      kind_(options.work),
      work_(work),
      transport_(site.transport()),
      engine_(site.engine()) {
    if (json_) return;
    const std::string_view wait = options.spin ? "spins before it sleeps" : "sleeps when there is nothing";
    print_line(fmt::format("{}: {} over {}, engine {}, who waits {}", work_, site.address(), transport_, engine_, wait));
    for (const std::string& line : machine_lines()) print_line(line);
    print_line("");
    print_line(head(kind_));
}

bench_report::~bench_report() { clear_progress(); }

void bench_report::progress(std::string_view what) {
    if (!terminal_) return;
    fmt::print(stderr, "\r\x1b[K{}: {}", work_, what);
    std::fflush(stderr);
}

on_round bench_report::progress_of(std::size_t size) {
    return [this, size](int round, std::string_view who) {
        progress(fmt::format("{}, round {} of {}, {}", size_text(size), round, rounds, who));
    };
}

void bench_report::clear_progress() {
    if (!terminal_) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
}

void bench_report::add(const bench_row& row) {
    clear_progress();
    if (json_) {
        print_json(row, false);
        if (row.measured.plain) print_json(row, true);
    } else {
        print_table(row);
    }
    tell_lost("", row.size, row.measured.mnet);
    if (row.measured.plain) tell_lost("plain-", row.size, *row.measured.plain);
}

void bench_report::tell_lost(std::string_view who, std::size_t size, const bench::measurement& measured) {
    if (measured.delivered == measured.messages) return;
    lost_ = true;
    print_error(fmt::format("{}{}, {}: {} of {} messages were not delivered", who, work_, size_text(size),
                            measured.messages - std::min(measured.messages, measured.delivered), measured.messages));
}

void bench_report::print_json(const bench_row& row, bool plain) const {
    const bench::measurement& measured = plain ? *row.measured.plain : row.measured.mnet;
    nlohmann::ordered_json line;
    line["work"] = plain ? "plain-" + work_ : work_;
    line["transport"] = transport_;
    line["engine"] = plain ? "plain" : engine_;
    line["size_bytes"] = row.size;
    line["messages"] = measured.messages;
    line["delivered"] = measured.delivered;
    line["bytes"] = measured.bytes;
    line["elapsed_ns"] = measured.elapsed_ns;
    line["ns_per_message"] = rounded(measured.ns_per_message(), 3);
    line["megabytes_per_second"] = rounded(megabytes_per_second(measured), 3);
    const auto ratio = row.measured.ratio();
    line["ratio_to_plain"] = plain ? nlohmann::ordered_json(1.0) : ratio ? nlohmann::ordered_json(rounded(*ratio, 4)) : nullptr;
    line["allocations_per_message"] = measured.per_message(allocations(measured));
    line["system_calls_per_message"] = measured.per_message(system_calls(measured));
    line["cpu_ns_per_message_sender"] = rounded(measured.per_message(measured.sender.cpu_ns), 3);
    line["cpu_ns_per_message_receiver"] = rounded(measured.per_message(measured.receiver.cpu_ns), 3);
    if (const auto& latency = plain ? row.plain_latency : row.latency) add_latency(line, *latency);
    if (const auto& memory = plain ? row.plain_bytes_per_client : row.bytes_per_client) line["bytes_per_client"] = rounded(*memory, 1);
    print_line(line.dump());
}

void bench_report::print_table(const bench_row& row) const {
    const bench::measurement& measured = row.measured.mnet;
    const auto& plain = row.measured.plain;
    const auto ratio = row.measured.ratio();
    std::string line = fmt::format("{:>9} {:>13} {:>13} {:>11} {:>10.1f} {:>11} {:>6}", size_text(row.size), count_text(measured.messages),
                                   count_text(measured.delivered), duration_text(measured.ns_per_message()), megabytes_per_second(measured),
                                   plain ? duration_text(plain->ns_per_message()) : "-", ratio ? fmt::format("{:.2f}", *ratio) : "-");
    line += fmt::format(" {:>9} {:>9}", rate_text(measured.per_message(allocations(measured))),
                        rate_text(measured.per_message(system_calls(measured))));
    if (row.latency) {
        const auto text = [](std::uint64_t nanoseconds) { return duration_text(static_cast<double>(nanoseconds)); };
        line += fmt::format(" {:>9} {:>9} {:>9} {:>9}", text(row.latency->p50_ns), text(row.latency->p99_ns), text(row.latency->p999_ns),
                            text(row.latency->max_ns));
    }
    const auto bytes = [](const std::optional<double>& value) { return value ? fmt::format("{:.0f}", *value) : "-"; };
    if (row.bytes_per_client) line += fmt::format(" {:>12} {:>12}", bytes(row.bytes_per_client), bytes(row.plain_bytes_per_client));
    if (kind_ == bench_work::echo) line += fmt::format(" {:>12} {:>12}", trips_text(measured), plain ? trips_text(*plain) : "-");
    print_line(line);
}

}  // namespace mnet::tool
