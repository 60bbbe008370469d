// Looking a stream up, when it has ended.
#include "mtcp/milestones.hpp"

namespace mnet::inline v1::mtcp::detail {

std::uint64_t milestones::units_in(std::uint64_t stream, std::uint64_t bytes) const noexcept {
    const entry& its = all_[place_of(stream)];
    if (its.stream != stream) return 0;
    std::uint64_t units = 0;
    const auto look = [&](const place& where) {
        if (where.bytes <= bytes) units = std::max(units, where.units);
    };
    std::ranges::for_each(its.recent, look);
    std::ranges::for_each(its.sparse, look);
    return units;
}

void milestones::forget_behind(std::uint64_t stream, std::uint64_t bytes) noexcept {
    entry& its = all_[place_of(stream)];
    if (its.stream != stream) return;
    const auto forget = [&](place& where) {
        if (where.bytes > bytes) where = {};
    };
    std::ranges::for_each(its.recent, forget);
    std::ranges::for_each(its.sparse, forget);
}

}  // namespace mnet::inline v1::mtcp::detail
