// Milestones know exactly near the end, less and less before, and never too much.
#include "mtcp/milestones.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace {

using mnet::mtcp::detail::milestones;

TEST(Milestones, OfAStreamThatNobodyNotedAreNone) {
    const milestones table(4);
    EXPECT_EQ(table.units_in(1, 1'000'000), 0U);
}

TEST(Milestones, AreExactAtTheLastPlaces) {
    milestones table(4);
    for (std::uint64_t number = 1; number <= 1000; ++number) table.note(1, number * 10, number);
    for (std::uint64_t number = 997; number <= 1000; ++number) EXPECT_EQ(table.units_in(1, number * 10), number);
    EXPECT_EQ(table.units_in(1, 9'999), 999U) << "between two places, it is the one before";
}

TEST(Milestones, NeverTellMoreThanThereIsAndOldOnesTellHalfOfItAtLeast) {
    milestones table(4);
    constexpr std::uint64_t last = 500;
    for (std::uint64_t number = 1; number <= last; ++number) table.note(1, number * 10, number);
    for (std::uint64_t number = 0; number <= last; ++number) {
        const std::uint64_t told = table.units_in(1, number * 10);
        EXPECT_LE(told, number);
        EXPECT_LE(last - told, 4 * (last - number) + 4) << number;
    }
}

TEST(Milestones, OfStreamsThatMeetInAPlaceAreTheLaterOnes) {
    milestones table(4);
    table.note(4, 10, 1);
    table.note(8, 20, 2);
    EXPECT_EQ(table.units_in(4, 10), 1U);
    table.note(20, 50, 5);  // where 4 was
    EXPECT_EQ(table.units_in(4, 10), 0U);
    EXPECT_EQ(table.units_in(20, 50), 5U);
    EXPECT_EQ(table.units_in(8, 20), 2U);
}

TEST(Milestones, BehindWhereAQueueWasCutAreForgotten) {
    milestones table(4);
    table.note(1, 10, 1);
    table.note(1, 20, 2);
    table.note(1, 30, 3);
    table.forget_behind(1, 20);
    EXPECT_EQ(table.units_in(1, 100), 2U);
    table.note(1, 25, 3);
    EXPECT_EQ(table.units_in(1, 100), 3U);
}

}  // namespace
