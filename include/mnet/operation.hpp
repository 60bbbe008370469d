// How long a waiting call may wait, and what else may end it: every call that waits takes an `operation`.
//
//     client.read({.deadline = mnet::within(30s)});
//
// Trivially destructible on purpose: it may stand in a `co_await` expression, where g++ 12 destroys other temporaries twice
// (docs/adr/0003).
#pragma once
#include <chrono>
#include <stop_token>
#include <type_traits>

namespace mnet::inline v1 {

/// A point in time, or a span counted from the call that gets it, or never (the default).
class deadline {
public:
    constexpr deadline() noexcept = default;

    /// Counted from the call that gets it. Zero or less: don't wait at all.
    static constexpr deadline after(std::chrono::nanoseconds span) noexcept { return {span, kind::span}; }

    /// A point on std::chrono::steady_clock (CLOCK_MONOTONIC).
    static constexpr deadline at(std::chrono::steady_clock::time_point point) noexcept {
        return {std::chrono::nanoseconds(point.time_since_epoch()), kind::point};
    }

    constexpr bool is_never() const noexcept { return kind_ == kind::never; }

    /// The point it means for a call made at `now`, on the clock of `now`. Never is nanoseconds::max().
    constexpr std::chrono::nanoseconds from(std::chrono::nanoseconds now) const noexcept {
        if (kind_ == kind::never) return std::chrono::nanoseconds::max();
        if (kind_ == kind::point) return value_;
        return value_ > std::chrono::nanoseconds::max() - now ? std::chrono::nanoseconds::max() : now + value_;
    }

private:
    enum class kind : unsigned char { never, span, point };
    constexpr deadline(std::chrono::nanoseconds value, kind what) noexcept : value_(value), kind_(what) {}

    std::chrono::nanoseconds value_{0};
    kind kind_ = kind::never;
};

inline constexpr deadline within(std::chrono::nanoseconds span) noexcept { return deadline::after(span); }

struct operation {
    /// When the call gives up with std::errc::timed_out. Nothing is lost by it: call again. Default: never.
    mnet::deadline deadline{};

    /// When this token is asked to stop, from any thread, the call gives up with std::errc::operation_canceled. Borrowed: outlives the
    /// call. Default: none.
    const std::stop_token* stop = nullptr;
};

static_assert(std::is_trivially_destructible_v<operation>);

}  // namespace mnet::inline v1
