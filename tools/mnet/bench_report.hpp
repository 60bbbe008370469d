// What a benchmark prints: a table for people, with a line of progress on a terminal, or one JSON object a row for scripts.
#pragma once
#include "bench.hpp"
#include "bench_rounds.hpp"
#include "bench_row.hpp"
#include "bench_site.hpp"
#include "latency_report.hpp"
#include "measurement.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::tool {

struct bench_row {
    std::size_t size = 0;
    outcome measured{};
    std::string payload{};                                                  // stream, table
    std::string transport{};                                                // where it is not the site's
    std::optional<percentiles> latency{}, plain_latency{}, bare_latency{};  // pingpong
    std::optional<double> bytes_per_client{}, plain_bytes_per_client{};     // idle
    std::optional<latency_figures> open_loop{};                             // latency
};

class bench_report {
public:
    /// Prints the head of the table.
    bench_report(const bench_options& options, std::string_view work, const bench_site& site);
    ~bench_report();
    bench_report(const bench_report&) = delete;
    bench_report& operator=(const bench_report&) = delete;

    void add(const bench_row& row);

    /// The same messages handed over in three ways, side by side.
    void add(const bench_row& in_place, const bench_row& copied, const bench_row& over_tcp);

    /// Shows what runs now, where stderr is a terminal; the next row takes it away.
    void progress(std::string_view what);
    /// For `compete`.
    on_round progress_of(std::size_t size);

    /// `lost` when a message of any row was not delivered; each is told on stderr.
    exit_code verdict() const noexcept { return lost_ ? exit_code::lost : exit_code::done; }

private:
    void clear_progress();
    void tell_lost(const bench_row& row);
    enum class side : std::uint8_t { mnet, plain, bare };
    void print_json(const bench_row& row, side whose) const;
    void print_table(const bench_row& row) const;
    void tell_lost(std::string_view who, std::size_t size, const bench::measurement& measured);

    bool json_;
    bool terminal_;
    bench_work kind_;
    int rounds_;
    std::string work_;
    std::string transport_;
    std::string plain_transport_;
    std::string engine_;
    bool side_by_side_;
    std::string bare_;  // as in json_row
    bool lost_ = false;
};

}  // namespace mnet::tool
