// The six works of `mnet bench`. Each prints its rows and gives `lost` when something was not delivered; each throws failure_exit.
#pragma once
#include "bench.hpp"
#include "bench_site.hpp"

#include <span>
#include <string_view>

namespace mnet::tool {

exit_code bench_table(const bench_options& options, bench_site& site);
exit_code bench_stream(const bench_options& options, bench_site& site);
exit_code bench_pingpong(const bench_options& options, bench_site& site);
exit_code bench_echo(const bench_options& options, bench_site& site);
exit_code bench_idle(const bench_options& options, bench_site& site);
exit_code bench_latency(const bench_options& options, bench_site& site);

/// One connection, one way, a row for each size: what table and stream are.
exit_code stream_rows(const bench_options& options, bench_site& site, std::string_view work, std::span<const std::size_t> sizes);

/// The sizes that were asked for, or those of the work.
std::span<const std::size_t> sizes_or(const bench_options& options, std::span<const std::size_t> own) noexcept;

}  // namespace mnet::tool
