// Runs as words, their laps, and the places of everything in the memory.
#include "shm/layout.hpp"

#include <gtest/gtest.h>

#include <type_traits>

#include "support/random.hpp"

namespace mnet::shm {
namespace {

constexpr std::uint32_t most = (std::uint32_t{1} << 27U) - 1;

TEST(Layout, PacksEveryFieldOfARunAndFindsItAgain) {
    for (const auto kind : {run::kind::whole, run::kind::piece, run::kind::finish}) {
        for (const std::uint32_t offset : {0U, 1U, 64U, 65'536U, most - 1, most}) {
            for (const std::uint32_t bytes : {0U, 1U, 16'384U, most - 1, most}) {
                for (const unsigned lap : {0U, 1U, 127U, 128U, 255U}) {
                    const run told{.what = kind, .offset = offset, .bytes = bytes};
                    const std::uint64_t word = pack(told, static_cast<std::uint8_t>(lap));
                    EXPECT_EQ(unpack(word), told);
                    EXPECT_EQ(lap_in(word), lap);
                }
            }
        }
    }
}

TEST(Layout, PacksRandomRunsAndFindsThemAgain) {
    support::random_source random;
    for (int round = 0; round < 100'000; ++round) {
        const run told{.what = static_cast<run::kind>(random.below(3)),
                       .offset = static_cast<std::uint32_t>(random.magnitude_below(std::uint64_t{most} + 1)),
                       .bytes = static_cast<std::uint32_t>(random.magnitude_below(std::uint64_t{most} + 1))};
        const auto lap = static_cast<std::uint8_t>(random.below(256));
        const std::uint64_t word = pack(told, lap);
        ASSERT_EQ(unpack(word), told);
        ASSERT_EQ(lap_in(word), lap);
    }
}

TEST(Layout, UsesAllBitsOfAWordAndEachOnce) {
    const run none{.what = run::kind::whole, .offset = 0, .bytes = 0};
    const std::uint64_t lap = pack(none, 0xff);
    const std::uint64_t offset = pack({.what = run::kind::whole, .offset = most, .bytes = 0}, 0);
    const std::uint64_t bytes = pack({.what = run::kind::whole, .offset = 0, .bytes = most}, 0);
    const std::uint64_t kind = pack({.what = static_cast<run::kind>(3), .offset = 0, .bytes = 0}, 0);
    EXPECT_EQ(lap ^ offset ^ bytes ^ kind, ~std::uint64_t{0});
    EXPECT_EQ(lap | offset | bytes | kind, ~std::uint64_t{0});
}

TEST(Layout, ReadsAWordOfAnyBitsWithinItsFields) {
    const run told = unpack(~std::uint64_t{0});
    EXPECT_EQ(told.offset, most);
    EXPECT_EQ(told.bytes, most);
    EXPECT_EQ(static_cast<unsigned>(told.what), 3U);
}

TEST(Layout, HasALapForEachTurnOfTheQueueThatTheTurnsBesideItDoNotHave) {
    EXPECT_EQ(lap_of(0), 1) << "fresh memory is of lap 0";
    EXPECT_EQ(lap_of(runs_max - 1), 1);
    EXPECT_EQ(lap_of(runs_max), 2);
    for (std::uint64_t turn = 0; turn < 1000; ++turn) {
        EXPECT_NE(lap_of(turn * runs_max), lap_of((turn + 1) * runs_max)) << turn;
        EXPECT_EQ(lap_of(turn * runs_max), lap_of(turn * runs_max + runs_max - 1)) << turn;
    }
}

TEST(Layout, RefusesSizesThatARunCanNotTellOf) {
    constexpr auto small = static_cast<std::uint32_t>(small_bytes_min);
    constexpr auto page = static_cast<std::uint32_t>(page_bytes);
    constexpr auto largest = static_cast<std::uint32_t>(side_bytes_max);
    EXPECT_TRUE(is_possible({.small_bytes = small, .large_bytes = 0}));
    EXPECT_TRUE(is_possible({.small_bytes = small, .large_bytes = largest - small}));
    EXPECT_FALSE(is_possible({.small_bytes = small, .large_bytes = largest - small + page}));
    EXPECT_FALSE(is_possible({.small_bytes = 0, .large_bytes = 0}));
    EXPECT_FALSE(is_possible({.small_bytes = small - page, .large_bytes = 0}));
    EXPECT_FALSE(is_possible({.small_bytes = small + 1, .large_bytes = 0}));
    EXPECT_FALSE(is_possible({.small_bytes = small, .large_bytes = 1}));
    EXPECT_FALSE(is_possible({.small_bytes = ~std::uint32_t{0} - page + 1, .large_bytes = page})) << "the sum of 32-bit sizes is not cut";
    EXPECT_LE(side_bytes_max, std::size_t{most});
}

TEST(Layout, KeepsWhatOneSideWritesOffTheCacheLinesOfTheOther) {
    static_assert(std::is_trivially_copyable_v<control>);
    EXPECT_EQ(alignof(control), cache_line_bytes);
    EXPECT_GE(sizeof(side_state), 2 * cache_line_bytes);
    EXPECT_EQ(control_bytes % page_bytes, 0U);
    EXPECT_GE(control_bytes, sizeof(control));
}

}  // namespace
}  // namespace mnet::shm
