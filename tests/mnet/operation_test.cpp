// Deadlines: what point in time they mean for a call.
#include <mnet/operation.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace {

using namespace std::chrono_literals;
using mnet::deadline;
using mnet::within;
using std::chrono::nanoseconds;

TEST(Deadline, IsNeverByDefault) {
    EXPECT_TRUE(deadline().is_never());
    EXPECT_EQ(deadline().from(123ns), nanoseconds::max());
    EXPECT_TRUE(mnet::operation{}.deadline.is_never());
    EXPECT_EQ(mnet::operation{}.stop, nullptr);
}

TEST(Deadline, CountsASpanFromTheCallThatGetsIt) {
    const deadline soon = within(5s);
    EXPECT_FALSE(soon.is_never());
    EXPECT_EQ(soon.from(1s), nanoseconds(6s));
    EXPECT_EQ(soon.from(100s), nanoseconds(105s));
}

TEST(Deadline, KeepsAPointWhateverTheTimeOfTheCall) {
    const auto point = std::chrono::steady_clock::time_point(10s);
    EXPECT_EQ(deadline::at(point).from(1s), nanoseconds(10s));
    EXPECT_EQ(deadline::at(point).from(100s), nanoseconds(10s));
    EXPECT_FALSE(deadline::at(point).is_never());
}

TEST(Deadline, MayBeNowOrOver) {
    EXPECT_EQ(within(0s).from(7s), nanoseconds(7s));
    EXPECT_EQ(within(-2s).from(7s), nanoseconds(5s));
    EXPECT_FALSE(within(0s).is_never());
}

TEST(Deadline, DoesNotOverflow) {
    EXPECT_EQ(within(nanoseconds::max()).from(1s), nanoseconds::max());
    EXPECT_EQ(within(nanoseconds::max() - 1s).from(2s), nanoseconds::max());
    EXPECT_EQ(within(nanoseconds::max() - 1s).from(1s), nanoseconds::max());
    EXPECT_EQ(within(nanoseconds::min()).from(0s), nanoseconds::min());
}

TEST(Deadline, TakesAnyUnit) {
    EXPECT_EQ(within(2ms).from(0s), nanoseconds(2'000'000));
    EXPECT_EQ(within(std::chrono::minutes(1)).from(0s), nanoseconds(60s));
}

}  // namespace
