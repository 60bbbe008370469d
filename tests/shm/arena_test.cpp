// The circle of pieces: never two pieces in one place, never one across the end, and empty is as good as new.
#include "shm/arena.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "support/random.hpp"

namespace mnet::shm {
namespace {

constexpr std::size_t size = 4096;

TEST(Arena, GivesAllOfItWhenItIsEmpty) {
    arena circle(size);
    EXPECT_TRUE(circle.empty());
    const auto place = circle.reserve(size, size);
    EXPECT_EQ(place.offset, 0U);
    EXPECT_EQ(place.room, size);
    EXPECT_EQ(circle.reserve(size + 1, size).room, 0U);
}

TEST(Arena, ReservesNothingUntilItIsCommitted) {
    arena circle(size);
    EXPECT_EQ(circle.reserve(100, size).offset, 0U);
    EXPECT_EQ(circle.reserve(100, size).offset, 0U);
    EXPECT_TRUE(circle.empty());
}

TEST(Arena, BeginsEveryPieceAtACacheLine) {
    arena circle(size);
    circle.commit(circle.reserve(1, size).offset + 1);
    EXPECT_EQ(circle.reserve(1, size).offset, cache_line_bytes);
}

TEST(Arena, NeverSplitsAPieceAtItsEnd) {
    arena circle(size);
    circle.commit(3000);
    circle.commit(3500);
    circle.release(3000);
    const auto fits_behind = circle.reserve(500, size);
    EXPECT_EQ(fits_behind.offset, 3520U);
    const auto only_in_front = circle.reserve(1000, size);
    EXPECT_EQ(only_in_front.offset, 0U);
    EXPECT_LT(only_in_front.room, 3000U);
}

TEST(Arena, KeepsOffTheOldestPieceAfterAWrap) {
    arena circle(size);
    circle.commit(2000);
    circle.commit(4000);
    circle.release(2000);
    circle.commit(circle.reserve(1900, size).offset + 1900);
    EXPECT_EQ(circle.reserve(100, size).room, 0U) << "from 1920 on 80 bytes are left in front of the piece at 2000";
    circle.release(4000);
    EXPECT_GT(circle.reserve(100, size).room, 0U);
}

TEST(Arena, StartsOverAtItsBeginningWhenItIsEmpty) {
    arena circle(size);
    for (int round = 0; round < 100; ++round) {
        const auto place = circle.reserve(700, size);
        ASSERT_EQ(place.offset, 0U);
        circle.commit(place.offset + 700);
        circle.release(place.offset + 700);
    }
}

TEST(Arena, GoesBackToItsBeginningBehindTheExtentAskedForAsSoonAsThereIsRoom) {
    arena circle(size);
    circle.commit(600);
    circle.commit(1100);
    EXPECT_EQ(circle.reserve(300, 1000).offset, 1152U) << "the beginning is in use";
    circle.release(600);
    EXPECT_EQ(circle.reserve(300, 1000).offset, 0U);
    EXPECT_EQ(circle.reserve(700, 1000).offset, 1152U) << "too long for the beginning";
    EXPECT_EQ(circle.reserve(300, size).offset, 1152U);
}

TEST(Arena, CountsItsPieces) {
    arena circle(size);
    EXPECT_EQ(circle.pieces(), 0U);
    circle.commit(100);
    circle.commit(200);
    EXPECT_EQ(circle.pieces(), 2U);
    circle.release(100);
    EXPECT_EQ(circle.pieces(), 1U);
}

TEST(Arena, GivesNoPlaceOfAnArenaOfNothing) {
    arena circle(0);
    EXPECT_EQ(circle.reserve(1, 0).room, 0U);
}

/// Pieces as a list, whatever the arena believes.
struct piece {
    std::size_t begin;
    std::size_t end;
};

TEST(Arena, NeverGivesAPlaceThatIsInUseWhateverTheOrder) {
    support::random_source random;
    for (int round = 0; round < 2000; ++round) {
        const std::size_t bytes = cache_line_bytes * random.between(1, 100);
        const std::size_t extent = random.below(2 * bytes);
        arena circle(bytes);
        std::deque<piece> held;
        for (int step = 0; step < 200; ++step) {
            if (!held.empty() && random.one_in(2)) {
                circle.release(held.front().end);
                held.pop_front();
                ASSERT_EQ(circle.empty(), held.empty());
                continue;
            }
            const std::size_t wanted = 1 + random.magnitude_below(bytes);
            const auto place = circle.reserve(wanted, extent);
            if (held.empty()) {
                ASSERT_GE(place.room, wanted) << "an empty arena has room for whatever it can hold";
            }
            if (place.room == 0) continue;
            ASSERT_GE(place.room, wanted);
            ASSERT_EQ(place.offset % cache_line_bytes, 0U);
            ASSERT_LE(place.offset + place.room, bytes);
            for (const piece& other : held) {
                ASSERT_TRUE(place.offset + place.room <= other.begin || place.offset >= other.end) << place.offset << '+' << place.room;
            }
            const std::size_t end = place.offset + random.between(1, place.room);
            circle.commit(end);
            held.push_back({.begin = place.offset, .end = end});
        }
    }
}

}  // namespace
}  // namespace mnet::shm
