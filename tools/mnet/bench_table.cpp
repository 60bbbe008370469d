// `mnet bench table`: the 13 sizes of the original's table, with messages that really arrived; to 1 MiB where memory can be shared, because
// there the size doesn't matter.
#include "bench_works.hpp"

#include <array>

namespace mnet::tool {

namespace {

constexpr std::array<std::size_t, 15> table_sizes{0, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536, 1048576};
constexpr std::size_t sizes_of_the_original = 13;

}  // namespace

exit_code bench_table(const bench_options& options, bench_site& site) {
    const std::span<const std::size_t> all(table_sizes);
    return stream_rows(options, site, "table", sizes_or(options, site.has_both() ? all : all.first(sizes_of_the_original)));
}

}  // namespace mnet::tool
