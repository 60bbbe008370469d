// Rows of a benchmark as JSON: see bench_row.hpp.
#include "bench_row.hpp"

#include <algorithm>
#include <cmath>

namespace mnet::tool {

namespace {

using nlohmann::ordered_json;

double rounded(double value, double places) {
    const double factor = std::pow(10.0, places);
    return std::round(value * factor) / factor;
}

}  // namespace

double megabytes_per_second(const bench::measurement& measured) noexcept {
    return measured.elapsed_ns == 0 ? 0.0 : static_cast<double>(measured.bytes) * 1e3 / static_cast<double>(measured.elapsed_ns);
}

std::uint64_t allocations(const bench::measurement& measured) noexcept {
    return measured.sender.allocations + measured.receiver.allocations;
}

std::uint64_t system_calls(const bench::measurement& measured) noexcept {
    return measured.sender.system_calls + measured.receiver.system_calls;
}

percentiles percentiles_of(std::span<std::uint64_t> latencies_ns) noexcept {
    if (latencies_ns.empty()) return {};
    std::ranges::sort(latencies_ns);
    const auto at = [&](double share) {
        const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(latencies_ns.size())));
        return latencies_ns[std::clamp<std::size_t>(rank, 1, latencies_ns.size()) - 1];
    };
    return {.p50_ns = at(0.5), .p99_ns = at(0.99), .p999_ns = at(0.999), .max_ns = latencies_ns.back()};
}

ordered_json to_json(const json_row& row) {
    const bench::measurement& measured = row.measured;
    ordered_json line;
    line["work"] = row.work;
    line["transport"] = row.transport;
    if (!row.payload.empty()) line["payload"] = row.payload;
    line["engine"] = row.engine;
    line["size_bytes"] = row.size;
    line["messages"] = measured.messages;
    line["delivered"] = measured.delivered;
    line["bytes"] = measured.bytes;
    line["elapsed_ns"] = measured.elapsed_ns;
    line["ns_per_message"] = rounded(measured.ns_per_message(), 3);
    line["megabytes_per_second"] = rounded(megabytes_per_second(measured), 3);
    line["ratio_to_plain"] = row.ratio_to_plain ? ordered_json(rounded(*row.ratio_to_plain, 4)) : nullptr;
    line["allocations_per_message"] = row.counted ? ordered_json(measured.per_message(allocations(measured))) : nullptr;
    line["system_calls_per_message"] = row.counted ? ordered_json(measured.per_message(system_calls(measured))) : nullptr;
    line["cpu_ns_per_message_sender"] = rounded(measured.per_message(measured.sender.cpu_ns), 3);
    line["cpu_ns_per_message_receiver"] = rounded(measured.per_message(measured.receiver.cpu_ns), 3);
    if (row.latency) {
        line["p50_ns"] = row.latency->p50_ns;
        line["p99_ns"] = row.latency->p99_ns;
        line["p999_ns"] = row.latency->p999_ns;
        line["max_ns"] = row.latency->max_ns;
    }
    if (row.ratio_to_bare) line["ratio_to_" + row.bare] = rounded(*row.ratio_to_bare, 4);
    if (row.bytes_per_client) line["bytes_per_client"] = rounded(*row.bytes_per_client, 1);
    return line;
}

}  // namespace mnet::tool
