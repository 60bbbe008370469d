// The clock of the real world.
#include "base/clock.hpp"

#include <gtest/gtest.h>

namespace mnet::base {
namespace {

TEST(SteadyClock, NeverTurnsBack) {
    const steady_clock steady;
    const clock& clock = steady;
    auto last = clock.now();
    for (int round = 0; round < 10'000; ++round) {
        const auto now = clock.now();
        ASSERT_GE(now, last);
        last = now;
    }
}

TEST(SteadyClock, IsTheOneOfTheStandardLibrary) {
    const auto before = std::chrono::steady_clock::now().time_since_epoch();
    const auto now = steady_clock().now();
    const auto after = std::chrono::steady_clock::now().time_since_epoch();
    EXPECT_LE(before, now);
    EXPECT_LE(now, after);
}

}  // namespace
}  // namespace mnet::base
