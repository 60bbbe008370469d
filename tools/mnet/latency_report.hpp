// What `mnet bench latency` tells of one row: percentiles of response and service times in a table, a histogram in plain characters that
// fits the terminal, and keys for the JSON row.
#pragma once
#include "open_loop.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace mnet::tool {

/// Of one row: what each of the two programs did at the rate that was asked for.
struct latency_figures {
    double rate = 0;  // messages a second
    const bench::latencies* mnet = nullptr;
    const bench::latencies* plain = nullptr;  // null without a plain server
    std::size_t clients = 0;
};

/// Appends the figures of the one program, or of the other.
void add_latency(nlohmann::ordered_json& line, const latency_figures& figures, bool plain);

/// p50 of our response times by that of the plain program; nothing without one.
std::optional<double> ratio_of(const latency_figures& figures) noexcept;

/// The lines for people about messages of `size` bytes. `columns` is the width that there is.
std::vector<std::string> latency_lines(const latency_figures& figures, std::size_t size, std::size_t columns);

/// A line for each program whose sender did not keep the rate; none when both did.
std::vector<std::string> rate_complaints(const latency_figures& figures, std::size_t size);

/// Columns of the terminal on stdout, or $COLUMNS, or 100.
std::size_t terminal_columns();

}  // namespace mnet::tool
