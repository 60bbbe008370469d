// What one half writes, the other reads: the same bytes in the same order, in place, and never a place written that is still being read.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "shm/two_sides.hpp"

namespace mnet::inline v1::shm::tests {
namespace {

using kind = receiver::arrival::kind;

TEST(Runs, ArriveWhenTheyArePublishedAndNotBefore) {
    one_way way;
    ASSERT_TRUE(put(way.out, filled(100, 1)));
    EXPECT_EQ(way.in.next().what, kind::nothing);
    EXPECT_FALSE(way.in.has_next());
    EXPECT_FALSE(way.out.publish()) << "nobody sleeps on it";
    EXPECT_TRUE(way.in.has_next());
    const auto arrived = way.in.next();
    EXPECT_EQ(arrived.what, kind::whole);
    EXPECT_TRUE(same(arrived.bytes, filled(100, 1)));
    EXPECT_EQ(way.in.next().what, kind::nothing);
}

TEST(Runs, LieInThePlaceWhereTheyWereWritten) {
    one_way way;
    const auto window = way.out.open(64);
    window[0] = std::byte{1};
    ASSERT_TRUE(way.out.keep(window.data() + 64));
    way.out.publish();
    const auto arrived = way.in.next();
    window[0] = std::byte{2};
    EXPECT_EQ(arrived.bytes[0], std::byte{2}) << "no copy was made";
}

TEST(Runs, OfFewBytesAreShownAtOnceAndTheNextAreWrittenOverThem) {
    one_way way;
    const auto window = way.out.open(beside_max);
    for (unsigned round = 0; round + 1 < runs_max; ++round) {
        const std::size_t count = 1 + round % beside_max;
        const auto sent = filled(count, round);
        std::ranges::copy(sent, window.begin());
        ASSERT_TRUE(way.out.show(window.data() + count));
        EXPECT_EQ(way.out.unkept_bytes(window.data()), 0U) << "the window goes on where it was";
        std::ranges::fill(window, std::byte{0});
        const auto arrived = way.in.next();
        ASSERT_EQ(arrived.what, kind::whole);
        ASSERT_TRUE(same(arrived.bytes, sent));
        ASSERT_EQ(way.in.next().what, kind::nothing);
    }
    EXPECT_EQ(way.out.untaken_bytes(), 0U);
}

TEST(Runs, AreNotShownAtOnceWhenTheyAreLongOrStandBehindOthersOrHaveNoPlace) {
    one_way way;
    const auto window = way.out.open(small_window_bytes);
    EXPECT_FALSE(way.out.show(window.data())) << "there is nothing";
    EXPECT_FALSE(way.out.show(window.data() + beside_max + 1));
    ASSERT_TRUE(way.out.keep(window.data() + 1));
    EXPECT_FALSE(way.out.show(window.data() + 2)) << "one is kept before it";
    way.out.publish();
    EXPECT_TRUE(way.out.show(window.data() + 2));
    while (way.out.show(window.data() + 2)) {
    }
    std::size_t arrived = 0;
    while (way.in.next().what == kind::whole) ++arrived;
    EXPECT_EQ(arrived, runs_max - 1) << "the end keeps its place";
}

TEST(Runs, GoBothWaysAtOnce) {
    two_sides both;
    sender forth(both.first);
    sender back(both.second);
    receiver of_second(both.second);
    receiver of_first(both.first);
    for (unsigned round = 0; round < 1000; ++round) {
        ASSERT_TRUE(put(forth, filled(50, round)));
        ASSERT_TRUE(put(back, filled(70, round)));
        forth.publish();
        back.publish();
        ASSERT_TRUE(same(of_second.next().bytes, filled(50, round)));
        ASSERT_TRUE(same(of_first.next().bytes, filled(70, round)));
        ASSERT_EQ(of_second.next().what, kind::nothing);
        ASSERT_EQ(of_first.next().what, kind::nothing);
    }
}

TEST(Runs, FillTheQueueUpToOnePlaceThatIsKeptForTheEnd) {
    one_way way;
    std::size_t kept = 0;
    const auto window = way.out.open(small_window_bytes);
    const std::byte* end = window.data();
    while (way.out.keep(end + 1)) {
        ++kept;
        ++end;
    }
    EXPECT_EQ(kept, runs_max - 1);
    EXPECT_FALSE(way.out.has_room());
    EXPECT_EQ(way.out.unkept_bytes(end + 1), 1U) << "what could not be kept is still the caller's";
    way.out.shut();
    EXPECT_TRUE(way.out.open(1).empty());
    EXPECT_EQ(way.out.copy(filled(1, 0)), 0U);
    way.out.finish();
    way.out.publish();
    for (std::size_t index = 0; index < kept; ++index) ASSERT_EQ(way.in.next().bytes.size(), 1U);
    EXPECT_EQ(way.in.next().what, kind::finish);
    EXPECT_EQ(way.in.next().what, kind::nothing);
    EXPECT_FALSE(way.out.lied());
    EXPECT_TRUE(way.out.has_room());
    EXPECT_EQ(way.out.untaken_bytes(), 0U);
}

TEST(Runs, FillTheSmallPartUntilTheReaderIsThrough) {
    one_way way;
    std::size_t kept = 0;
    while (put(way.out, filled(8'000, static_cast<unsigned>(kept)))) ++kept;
    EXPECT_EQ(kept, usual.small_bytes / 8'000);
    way.out.publish();
    EXPECT_FALSE(way.out.has_room());
    ASSERT_TRUE(same(way.in.next().bytes, filled(8'000, 0)));
    EXPECT_FALSE(put(way.out, filled(8'000, 9))) << "the reader still reads it";
    for (std::size_t index = 1; index < kept; ++index) ASSERT_TRUE(same(way.in.next().bytes, filled(8'000, static_cast<unsigned>(index))));
    EXPECT_EQ(way.in.next().what, kind::nothing);
    EXPECT_TRUE(put(way.out, filled(8'000, 9)));
}

TEST(Runs, CostAWriterThatRunsAheadNoRoomForGood) {
    one_way way;
    for (unsigned round = 0; round < 10'000; ++round) {
        const std::size_t bytes = 1 + round * 37 % 12'000;
        ASSERT_TRUE(put(way.out, filled(bytes, round))) << round;
        way.out.publish();
        ASSERT_TRUE(same(way.in.next().bytes, filled(bytes, round)));
        if (round % 3 == 0) {
            ASSERT_EQ(way.in.next().what, kind::nothing);
        }
    }
}

TEST(Runs, OfLongFramesLieInTheLargePartAtAnyLength) {
    one_way way;
    for (const std::size_t bytes : {large_from, large_from + 1, std::size_t{500'000}, std::size_t{usual.large_bytes}}) {
        ASSERT_TRUE(put(way.out, filled(bytes, 3)));
        way.out.publish();
        const auto arrived = way.in.next();
        ASSERT_TRUE(same(arrived.bytes, filled(bytes, 3)));
        EXPECT_GE(arrived.bytes.data(), way.second.data_of(side::first).data() + usual.small_bytes);
        ASSERT_EQ(way.in.next().what, kind::nothing);
    }
    EXPECT_TRUE(way.out.open(usual.large_bytes + 1).empty()) << "never";
}

TEST(Runs, OfLongFramesShareAWindowFromTheSecondOn) {
    one_way way;
    const auto sent = filled(large_from, 1);
    EXPECT_EQ(way.out.open(large_from).size(), large_from) << "who sends one long frame may send none for long";
    way.out.shut();
    const auto window = way.out.open(large_from);
    ASSERT_EQ(window.size(), frames_a_window * large_from);
    for (std::size_t begin = 0; begin < window.size(); begin += large_from) std::ranges::copy(sent, window.subspan(begin).begin());
    ASSERT_TRUE(way.out.keep(window.data() + window.size()));
    way.out.publish();
    const auto arrived = way.in.next().bytes;
    ASSERT_EQ(arrived.size(), window.size()) << "they were told of together";
    for (std::size_t begin = 0; begin < arrived.size(); begin += large_from) EXPECT_TRUE(same(arrived.subspan(begin, large_from), sent));
    EXPECT_EQ(way.in.next().what, kind::nothing);
    EXPECT_EQ(way.out.untaken_bytes(), 0U);
}

TEST(Runs, OfLongFramesWaitForTheLargePartAndShortOnesDoNot) {
    one_way way;
    ASSERT_TRUE(put(way.out, filled(usual.large_bytes, 0)));
    way.out.publish();
    EXPECT_TRUE(way.out.open(large_from).empty());
    EXPECT_TRUE(put(way.out, filled(100, 0)));
    ASSERT_EQ(way.in.next().what, kind::whole);
    way.out.publish();
    ASSERT_EQ(way.in.next().bytes.size(), 100U) << "which gives the long one back: it was more than a quarter";
    EXPECT_FALSE(way.out.open(large_from).empty());
}

TEST(Runs, SayWhenTheLargePartRests) {
    one_way way;
    EXPECT_TRUE(way.out.large_part_rests());
    ASSERT_TRUE(put(way.out, filled(large_from, 0)));
    way.out.publish();
    EXPECT_FALSE(way.out.large_part_rests());
    EXPECT_FALSE(way.out.large_part_rests()) << "it was not read yet";
    ASSERT_EQ(way.in.next().what, kind::whole);
    EXPECT_FALSE(way.out.large_part_rests()) << "it is being read";
    ASSERT_EQ(way.in.next().what, kind::nothing);
    EXPECT_TRUE(way.out.large_part_rests());
    EXPECT_FALSE(way.out.open(large_from).empty());
    EXPECT_FALSE(way.out.large_part_rests()) << "a window is open there";
}

TEST(Runs, LetTheLargePartRestInAWindowThatIsFullAndWasNeverShut) {
    one_way way;
    const auto window = way.out.open(large_from);
    ASSERT_TRUE(way.out.keep(window.data() + window.size()));
    way.out.publish();
    ASSERT_EQ(way.in.next().what, kind::whole);
    ASSERT_EQ(way.in.next().what, kind::nothing);
    EXPECT_FALSE(way.out.large_part_rests()) << "it was used since this was last asked";
    EXPECT_TRUE(way.out.large_part_rests());
}

TEST(Runs, CarryBytesInPiecesOfWhatFitsNowhereElse) {
    one_way way({.small_bytes = small_bytes_min, .large_bytes = 0});
    const auto whole = filled(1'000'000, 5);
    std::vector<std::byte> arrived;
    std::span<const std::byte> left(whole);
    while (arrived.size() < whole.size()) {
        left = left.subspan(way.out.copy(left));
        way.out.publish();
        for (auto next = way.in.next(); next.what != kind::nothing; next = way.in.next()) {
            ASSERT_EQ(next.what, kind::piece);
            ASSERT_LE(next.bytes.size(), small_window_bytes);
            arrived.insert(arrived.end(), next.bytes.begin(), next.bytes.end());
        }
    }
    EXPECT_TRUE(same(arrived, whole));
    EXPECT_TRUE(left.empty());
}

TEST(Runs, EndWithAFinishThatHoldsNoBytes) {
    one_way way;
    ASSERT_TRUE(put(way.out, filled(10, 0)));
    way.out.finish();
    way.out.publish();
    EXPECT_EQ(way.in.next().what, kind::whole);
    const auto end = way.in.next();
    EXPECT_EQ(end.what, kind::finish);
    EXPECT_TRUE(end.bytes.empty());
    EXPECT_EQ(way.in.next().what, kind::nothing);
    EXPECT_EQ(way.out.untaken_bytes(), 0U);
}

TEST(Runs, GoOnAtACacheLineOfTheirOwn) {
    one_way way;
    const auto window = way.out.open(100);
    ASSERT_TRUE(way.out.keep(window.data() + beside_max + 1));
    EXPECT_EQ(way.out.go_on(), window.data() + cache_line_bytes);
    EXPECT_EQ(way.out.unkept_bytes(window.data() + cache_line_bytes), 0U);
    EXPECT_EQ(way.out.go_on(), window.data() + cache_line_bytes) << "once is enough";
    ASSERT_TRUE(way.out.keep(window.data() + window.size()));
    EXPECT_EQ(way.out.go_on(), window.data() + window.size()) << "a window goes no further than its end";
}

TEST(Runs, OfAFewBytesLieBesideTheirWordAndLeaveTheWindowAsItWas) {
    one_way way;
    const auto window = way.out.open(100);
    const auto queue = std::as_bytes(std::span(way.second.queue_of(side::first)));
    for (unsigned round = 0; round < 3 * runs_max; ++round) {
        const auto sent = filled(1 + round % beside_max, round);
        std::ranges::copy(sent, window.begin());
        ASSERT_TRUE(way.out.keep(window.data() + sent.size()));
        ASSERT_EQ(way.out.go_on(), window.data());
        way.out.publish();
        std::ranges::fill(window.first(beside_max), std::byte{0xee});
        const auto arrived = round % 2 == 0 ? way.in.next().bytes : way.in.next_whole();
        ASSERT_TRUE(same(arrived, sent)) << round;
        ASSERT_TRUE(arrived.data() >= queue.data() && arrived.data() + arrived.size() <= queue.data() + queue.size());
    }
    EXPECT_EQ(way.in.next().what, kind::nothing);
    EXPECT_EQ(way.out.untaken_bytes(), 0U);
}

TEST(Runs, OfAFewBytesKeepTheirOrderAmongTheOthers) {
    one_way way;
    auto window = way.out.open(1000);
    for (unsigned round = 0; round < 50; ++round) {
        for (const std::size_t bytes : {std::size_t{20}, beside_max, beside_max + 1, std::size_t{3}}) {
            const auto sent = filled(bytes, round);
            std::byte* const begin = way.out.go_on();
            if (static_cast<std::size_t>(window.data() + window.size() - begin) < bytes) {
                way.out.shut();
                window = way.out.open(1000);
                ASSERT_FALSE(window.empty());
            }
            std::ranges::copy(sent, way.out.go_on());
            ASSERT_TRUE(way.out.keep(way.out.go_on() + bytes));
        }
        way.out.publish();
        for (const std::size_t bytes : {std::size_t{20}, beside_max, beside_max + 1, std::size_t{3}})
            ASSERT_TRUE(same(way.in.next().bytes, filled(bytes, round)));
    }
}

TEST(Runs, AreForgottenWhenTheirWindowIsShutBeforeTheyAreKept) {
    one_way way;
    const auto window = way.out.open(100);
    window[0] = std::byte{1};
    way.out.shut();
    EXPECT_FALSE(way.out.publish());
    EXPECT_EQ(way.in.next().what, kind::nothing);
    EXPECT_EQ(way.out.open(100).data(), window.data());
}

TEST(Runs, WakeWhoSleepsForThemAndNobodyElse) {
    one_way way;
    way.second.wish(for_room);
    ASSERT_TRUE(put(way.out, filled(1, 0)));
    EXPECT_FALSE(way.out.publish());
    way.second.wish(for_input);
    EXPECT_FALSE(way.out.publish()) << "nothing new was shown";
    ASSERT_TRUE(put(way.out, filled(1, 0)));
    EXPECT_TRUE(way.out.publish());
    ASSERT_TRUE(put(way.out, filled(1, 0)));
    EXPECT_FALSE(way.out.publish()) << "it is on its way already";
}

TEST(Runs, WakeWhoSleepsForRoomWhenTheyAreGivenBack) {
    one_way way;
    while (put(way.out, filled(10'000, 0))) {
    }
    way.out.publish();
    way.first.wish(for_room);
    EXPECT_EQ(way.in.next().what, kind::whole);
    EXPECT_FALSE(way.in.has_to_wake());
    while (way.in.next().what != kind::nothing) {
    }
    EXPECT_TRUE(way.in.has_to_wake());
    EXPECT_FALSE(way.in.has_to_wake()) << "it says so once";
}

}  // namespace
}  // namespace mnet::inline v1::shm::tests
