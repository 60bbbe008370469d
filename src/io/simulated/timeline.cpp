// See timeline.hpp. A binary heap in a vector.
#include "io/simulated/timeline.hpp"

#include "base/assert.hpp"

#include <algorithm>

namespace mnet::inline v1::io::simulated {

bool timeline::later(const entry& left, const entry& right) noexcept {
    return left.due != right.due ? left.due > right.due : left.order > right.order;
}

void timeline::advance_to(std::chrono::nanoseconds time) noexcept { now_ = std::max(now_, time); }

void timeline::after(std::chrono::nanoseconds delay, const event& what) {
    const auto due = now_ + std::max(delay, std::chrono::nanoseconds::zero());
    heap_.push_back({.due = due, .order = made_++, .what = what});
    std::push_heap(heap_.begin(), heap_.end(), later);
}

std::optional<std::chrono::nanoseconds> timeline::next_due() const noexcept {
    if (heap_.empty()) return std::nullopt;
    return heap_.front().due;
}

event timeline::pop() noexcept {
    MNET_ASSERT(!heap_.empty(), "an event is taken only where there is one");
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const event first = heap_.back().what;
    heap_.pop_back();
    return first;
}

void timeline::forget(const simulated_loop& loop) {
    std::erase_if(heap_, [&](const entry& candidate) { return candidate.what.loop == &loop; });
    std::make_heap(heap_.begin(), heap_.end(), later);
}

}  // namespace mnet::inline v1::io::simulated
