// What time it is, as an interface, so that everything above runs in real and in simulated time alike.
#pragma once
#include <ctime>

#include <chrono>

namespace mnet::inline v1::base {

class clock {
public:
    clock() = default;
    clock(const clock&) = delete;
    clock& operator=(const clock&) = delete;
    virtual ~clock() = default;

    /// Nanoseconds since a point of the clock's own choice; never less than it said before.
    virtual std::chrono::nanoseconds now() const noexcept = 0;
};

/// CLOCK_MONOTONIC: stands still while the machine is suspended, and no one can set it (clock_gettime(2)).
class steady_clock final : public clock {
public:
    std::chrono::nanoseconds now() const noexcept override {
        timespec time{};
        ::clock_gettime(CLOCK_MONOTONIC, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    }
};

}  // namespace mnet::inline v1::base
