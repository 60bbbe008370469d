// Assertions: loud where they are on, free where they are off.
#include "base/assert.hpp"

#include <gtest/gtest.h>

namespace {

[[maybe_unused]] bool answer(int& asked, bool value) {
    ++asked;
    return value;
}

TEST(Assert, PassesWhatHolds) {
    int asked = 0;
    MNET_ASSERT(answer(asked, true), "what holds, holds");
    EXPECT_LE(asked, 1) << "a condition is evaluated once at most";
}

#if MNET_CHECKED || !defined(NDEBUG)
TEST(AssertDeathTest, SaysWhereAndWhichRuleWasBroken) {
    EXPECT_DEATH(MNET_ASSERT(1 + 1 == 3, "sums are right"), "assert_test.cpp:[0-9]+: mnet assertion failed: sums are right .1 . 1 == 3.");
}
#else
TEST(Assert, EvaluatesNothingWhereItIsOff) {
    int asked = 0;
    MNET_ASSERT(answer(asked, false), "nobody asks");
    EXPECT_EQ(asked, 0);
}
#endif

}  // namespace
