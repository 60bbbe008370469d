// Timers by the hundred thousand: setting, re-arming and cancelling cost a few nanoseconds each, allocate nothing and know no clock.
//
// A hierarchical wheel: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7. Level 0 has 64 slots of one tick
// (2^20 ns, about a millisecond), each level above 64 slots as wide as the whole level below. A timer waits in the lowest level that reaches
// its time and moves down as that time comes near. What lies beyond the last level (2.2 years) waits at its edge and is placed anew.
//
// Times are nanoseconds, not negative, on whatever clock the owner uses. Not for several threads.
#pragma once
#include "base/intrusive_list.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace mnet::inline v1::base {

class timer_wheel;

class timer : public list_hook<timer_wheel> {
public:
    using function = void (*)(void* owner) noexcept;

    /// Calls `call(owner)` each time that it is due; unarmed at first.
    timer(void* owner, function call) noexcept : owner_(owner), call_(call) {}
    ~timer();  // cancels itself

    bool armed() const noexcept { return linked(); }

    /// The time it was last set to.
    std::chrono::nanoseconds due() const noexcept { return due_; }

private:
    friend class timer_wheel;
    using list_hook<timer_wheel>::unlink;  // only the wheel may: it keeps account of its slots

    void* owner_;
    function call_;
    timer_wheel* wheel_ = nullptr;  // of the last set
    std::chrono::nanoseconds due_{};
    std::size_t slot_ = 0;  // the last it was in
};

class timer_wheel {
public:
    explicit timer_wheel(std::chrono::nanoseconds now) noexcept;
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;
    ~timer_wheel() = default;  // its timers are unarmed, uncalled

    /// Arms the timer, or re-arms an armed one. A time that has passed is due at the next `expire`.
    void set(timer& timer, std::chrono::nanoseconds due) noexcept;

    /// Does nothing to a timer that is not armed.
    void cancel(timer& timer) noexcept;

    /// The earliest time at which `expire` could have something to do; nothing when no timer is armed. Exact when that timer was set less than
    /// 60 ms ahead of the last `expire`; otherwise it may be early, never late: an `expire` at that time calls nothing and brings the timer
    /// down, at most five times before it is due.
    std::optional<std::chrono::nanoseconds> next() const noexcept;

    /// Calls every timer that is due at `now`, in the order of ticks, never early; returns how many. Timers are unarmed when they are called.
    /// A called function may set, cancel and destroy any timer, its own too; what it sets is for the next `expire`, even when already due, so
    /// that this one ends. It may not call `expire` or destroy the wheel. A `now` before the last one counts as the last one's tick.
    std::size_t expire(std::chrono::nanoseconds now) noexcept;

private:
    static constexpr unsigned tick_bits = 20;
    static constexpr unsigned slot_bits = 6;
    static constexpr unsigned levels = 6;
    static constexpr std::uint64_t slots_per_level = 1U << slot_bits;

    using list = intrusive_list<timer, timer_wheel>;

    /// An occupied slot: no timer is due before `tick`.
    struct position {
        std::uint64_t tick;
        unsigned level;
    };

    void place(timer& timer) noexcept;
    std::optional<position> first_occupied() const noexcept;
    list take(unsigned level) noexcept;
    void cascade() noexcept;
    void collect(std::chrono::nanoseconds now, list& due) noexcept;

    std::uint64_t current_;  // the tick that the wheel has come to; only later ones, and the rest of this one, are in slots
    bool calling_ = false;
    std::array<std::uint64_t, levels> occupied_{};  // a bit for each slot that is not empty
    std::array<list, levels * slots_per_level> slots_;
};

}  // namespace mnet::inline v1::base
