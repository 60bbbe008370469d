// See timer_wheel.hpp. Two rules carry the proof that no timer is late:
// - a slot above level 0 is emptied downwards exactly when the wheel comes to its first tick, and
// - the wheel jumps from one occupied slot to the next, never past one.
#include "base/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace mnet::inline v1::base {

timer::~timer() {
    if (armed()) wheel_->cancel(*this);
}

namespace {

std::uint64_t tick_of(std::chrono::nanoseconds time, unsigned tick_bits) noexcept {
    return static_cast<std::uint64_t>(std::max(time, std::chrono::nanoseconds::zero()).count()) >> tick_bits;
}

}  // namespace

timer_wheel::timer_wheel(std::chrono::nanoseconds now) noexcept : current_(tick_of(now, tick_bits)) {}

void timer_wheel::set(timer& timer, std::chrono::nanoseconds due) noexcept {
    cancel(timer);
    timer.wheel_ = this;
    timer.due_ = due;
    place(timer);
}

void timer_wheel::cancel(timer& timer) noexcept {
    if (!timer.armed()) return;
    MNET_ASSERT(timer.wheel_ == this, "a timer is cancelled on the wheel it was set on");
    timer.unlink();
    if (!slots_[timer.slot_].empty()) return;
    occupied_[timer.slot_ / slots_per_level] &= ~(1ULL << (timer.slot_ % slots_per_level));
}

// The lowest level whose reach covers the distance. The slot that the wheel stands in is free for the next round above level 0, because it
// was emptied on arrival.
void timer_wheel::place(timer& timer) noexcept {
    constexpr std::uint64_t reach = 1ULL << (slot_bits * levels);
    const std::uint64_t distance = std::min(std::max(tick_of(timer.due_, tick_bits), current_) - current_, reach - 1);
    const unsigned level = distance == 0 ? 0 : (static_cast<unsigned>(std::bit_width(distance)) - 1) / slot_bits;
    const std::uint64_t slot = ((current_ + distance) >> (slot_bits * level)) % slots_per_level;
    MNET_ASSERT(level < levels, "every distance within reach has a level");
    timer.slot_ = level * slots_per_level + slot;
    slots_[timer.slot_].push_back(timer);
    occupied_[level] |= 1ULL << slot;
}

// Of two slots that begin at the same tick the higher one is named: it may hold the timer that is due first in that tick.
std::optional<timer_wheel::position> timer_wheel::first_occupied() const noexcept {
    std::optional<position> first;
    for (unsigned level = 0; level < levels; ++level) {
        if (occupied_[level] == 0) continue;
        // Above level 0 the wheel's own slot is a whole round away, so counting starts behind it.
        const std::uint64_t from = (current_ >> (slot_bits * level)) + (level == 0 ? 0 : 1);
        const auto ahead = std::countr_zero(std::rotr(occupied_[level], static_cast<int>(from % slots_per_level)));
        const std::uint64_t tick = (from + static_cast<std::uint64_t>(ahead)) << (slot_bits * level);
        if (!first || tick <= first->tick) first = position{.tick = tick, .level = level};
    }
    return first;
}

std::optional<std::chrono::nanoseconds> timer_wheel::next() const noexcept {
    const auto first = first_occupied();
    if (!first) return std::nullopt;
    if (first->level > 0) return std::chrono::nanoseconds(static_cast<std::int64_t>(first->tick << tick_bits));
    const list& slot = slots_[first->tick % slots_per_level];
    MNET_ASSERT(!slot.empty(), "a slot that is marked occupied holds a timer");
    return std::ranges::min_element(slot, {}, &timer::due_)->due_;
}

// Empties the slot that the wheel stands in.
timer_wheel::list timer_wheel::take(unsigned level) noexcept {
    const std::uint64_t slot = (current_ >> (slot_bits * level)) % slots_per_level;
    occupied_[level] &= ~(1ULL << slot);
    return slots_[level * slots_per_level + slot].take_all();
}

// What comes down rests in a slot ahead of the wheel, or in level 0: so one pass does, in any order.
void timer_wheel::cascade() noexcept {
    for (unsigned level = 1; level < levels; ++level) {
        if (current_ % (1ULL << (slot_bits * level)) != 0) continue;
        list waiting = take(level);
        while (timer* const timer = waiting.pop_front()) place(*timer);
    }
}

// Moves what is due at `now` from the current tick's slot to `due`.
void timer_wheel::collect(std::chrono::nanoseconds now, list& due) noexcept {
    list waiting = take(0);
    while (timer* const timer = waiting.pop_front()) {
        if (timer->due_ > now) {
            place(*timer);
            continue;
        }
        due.push_back(*timer);
    }
}

std::size_t timer_wheel::expire(std::chrono::nanoseconds now) noexcept {
    MNET_ASSERT(!calling_, "a timer's function does not call expire");
    const std::uint64_t target = std::max(tick_of(now, tick_bits), current_);
    const bool slot_is_empty = (occupied_[0] >> (current_ % slots_per_level) & 1U) == 0;
    if (target == current_ && slot_is_empty) return 0;  // most turns of a busy loop
    list due;
    for (auto first = first_occupied(); first && first->tick <= target; first = first_occupied()) {
        MNET_ASSERT(first->tick >= current_, "the wheel never turns back");
        current_ = first->tick;
        cascade();
        collect(now, due);
        if (current_ == target) break;  // what is left of this tick is later than `now`
    }
    current_ = target;

    calling_ = true;
    std::size_t called = 0;
    while (timer* const timer = due.pop_front()) {
        timer->call_(timer->owner_);
        ++called;
    }
    calling_ = false;
    return called;
}

}  // namespace mnet::inline v1::base
