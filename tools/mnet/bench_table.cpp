// `mnet bench table`: the 13 sizes of the original's table, with messages that really arrived.
#include "bench_works.hpp"

#include <array>

namespace mnet::tool {

namespace {

constexpr std::array<std::size_t, 13> table_sizes{0, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

}  // namespace

exit_code bench_table(const bench_options& options, bench_site& site) {
    return stream_rows(options, site, "table", sizes_or(options, table_sizes));
}

}  // namespace mnet::tool
