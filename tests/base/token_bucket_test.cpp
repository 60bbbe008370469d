// The rate of a bucket, its burst, and what comes back.
#include "base/token_bucket.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace mnet::base {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds beginning = 5s;

/// How many are to be had at once, at most `most`.
int take_all(token_bucket& bucket, std::chrono::nanoseconds now, int most = 1000) {
    int taken = 0;
    for (; taken < most && bucket.wait(now) == 0ns; ++taken) bucket.take(now);
    return taken;
}

TEST(TokenBucket, IsFullAtFirstAndHoldsNoMoreThanItsBurst) {
    token_bucket bucket(10, 4);
    EXPECT_EQ(take_all(bucket, beginning), 4);
    EXPECT_EQ(take_all(bucket, beginning + 1h), 4);
}

TEST(TokenBucket, SaysHowLongUntilTheNext) {
    token_bucket bucket(10, 1);
    EXPECT_EQ(take_all(bucket, beginning), 1);
    EXPECT_EQ(bucket.wait(beginning), 100ms);
    EXPECT_EQ(bucket.wait(beginning + 40ms), 60ms);
    EXPECT_EQ(take_all(bucket, beginning + 99ms), 0);
    EXPECT_EQ(take_all(bucket, beginning + 100ms), 1);
}

TEST(TokenBucket, GivesItsRateOnTheAverageHoweverOftenItIsAsked) {
    token_bucket bucket(7, 3);
    int taken = 0;
    for (auto now = beginning; now < beginning + 10s; now += 1ms) taken += take_all(bucket, now);
    EXPECT_EQ(taken, 70 + 2);
}

TEST(TokenBucket, TakenFromWithoutOneIsInDebt) {
    token_bucket bucket(10, 1);
    bucket.take(beginning);
    bucket.take(beginning);
    EXPECT_EQ(bucket.wait(beginning), 200ms);
}

TEST(TokenBucket, BringsARateOutsideItsRangeInside) {
    token_bucket slow(0, 0);
    EXPECT_EQ(take_all(slow, beginning), 1);
    EXPECT_EQ(slow.wait(beginning), 1s);
    token_bucket fast(1'000'000'000'000ULL, 1);
    EXPECT_EQ(take_all(fast, beginning), 1);
    EXPECT_EQ(fast.wait(beginning), 1ns);
}

}  // namespace
}  // namespace mnet::base
