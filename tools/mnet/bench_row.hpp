// One row of a benchmark as JSON: the same keys in the same order from `mnet bench`, from the plain-socket program and from the peers of
// bench/peers/, so that one reader reads all.
#pragma once
#include "measurement.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace mnet::tool {

struct percentiles {
    std::uint64_t p50_ns = 0;
    std::uint64_t p99_ns = 0;
    std::uint64_t p999_ns = 0;
    std::uint64_t max_ns = 0;
};

/// Of all round trips; sorts them. Nearest rank: p50 of 1, 2, 3, 4 is 2.
percentiles percentiles_of(std::span<std::uint64_t> latencies_ns) noexcept;

struct json_row {
    std::string work{};
    std::string transport{};
    std::string payload{};  // "in_place": written where it is read; "copied": from memory of the sender's own. Empty: not said
    std::string engine{};
    std::size_t size = 0;
    bench::measurement measured{};
    std::optional<double> ratio_to_plain{};
    std::string bare{};  // who does the same without messages: "openssl" (TLS: stream, table), "memory" (shared: pingpong)
    std::optional<double> ratio_to_bare{};
    bool counted = true;  // allocations and system calls are known; else they are null
    std::optional<percentiles> latency{};
    std::optional<double> bytes_per_client{};
};

nlohmann::ordered_json to_json(const json_row& row);

double megabytes_per_second(const bench::measurement& measured) noexcept;
std::uint64_t allocations(const bench::measurement& measured) noexcept;
std::uint64_t system_calls(const bench::measurement& measured) noexcept;

}  // namespace mnet::tool
