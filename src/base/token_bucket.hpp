// How often something may happen: so many times a second on the average, and so many at once after a quiet time. Knows no clock: the time is given to it.
//
// Kept as one time, that of an empty bucket (the "virtual scheduling" form of the generic cell rate algorithm, ITU-T I.371, annex A), so that nothing
// is counted up meanwhile, and nothing is lost to rounding.
#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace mnet::inline v1::base {

class token_bucket {
public:
    /// Full. 1 to 10^9 a second; `at_once`: at least 1.
    token_bucket(std::uint64_t per_second, std::uint64_t at_once) noexcept
        : each_(std::chrono::nanoseconds(std::chrono::seconds(1)) /
                static_cast<std::int64_t>(std::clamp<std::uint64_t>(per_second, 1, 1'000'000'000))),
          ahead_max_(each_ * static_cast<std::int64_t>(std::max<std::uint64_t>(at_once, 1) - 1)) {}

    /// How long until there is a token; 0 when there is one.
    std::chrono::nanoseconds wait(std::chrono::nanoseconds now) const noexcept {
        return std::max(filled_ - ahead_max_ - now, std::chrono::nanoseconds(0));
    }

    /// Whether there is one or not: then the next waits for two.
    void take(std::chrono::nanoseconds now) noexcept { filled_ = std::max(filled_, now) + each_; }

private:
    std::chrono::nanoseconds each_;
    std::chrono::nanoseconds ahead_max_;
    std::chrono::nanoseconds filled_ = std::chrono::nanoseconds::min() / 2;  // when the bucket is full again
};

}  // namespace mnet::inline v1::base
