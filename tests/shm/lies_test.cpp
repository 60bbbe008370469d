// A peer that writes what no honest side would: it is told, again and again, and nothing is read nor written outside of the memory for it.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "shm/two_sides.hpp"
#include "support/random.hpp"

namespace mnet::inline v1::shm::tests {
namespace {

using kind = receiver::arrival::kind;

/// The first side lies to the second's receiver.
struct lied_to : two_sides {
    receiver in{second};

    kind hears(const run& what) {
        tell(first, 0, what);
        return in.next().what;
    }
};

constexpr auto side_bytes = static_cast<std::uint32_t>(usual.side_bytes());

TEST(Lies, OfBytesOutsideOfTheDataAreToldAsSuch) {
    for (const run& what : {run{.what = run::kind::whole, .offset = side_bytes, .bytes = 1},
                            run{.what = run::kind::whole, .offset = 0, .bytes = side_bytes + 1},
                            run{.what = run::kind::piece, .offset = side_bytes - 1, .bytes = 2},
                            run{.what = run::kind::piece, .offset = (1U << 27U) - 1, .bytes = (1U << 27U) - 1}}) {
        EXPECT_EQ(lied_to().hears(what), kind::lie) << what.offset << '+' << what.bytes;
    }
    EXPECT_EQ(lied_to().hears({.what = run::kind::beside, .offset = 0, .bytes = beside_max + 1}), kind::lie);
    EXPECT_EQ(lied_to().hears({.what = run::kind::beside, .offset = 64, .bytes = 1}), kind::lie);
    EXPECT_EQ(lied_to().hears({.what = run::kind::beside, .offset = 0, .bytes = beside_max}), kind::whole);
    EXPECT_EQ(lied_to().hears({.what = run::kind::whole, .offset = 0, .bytes = side_bytes}), kind::whole) << "all of it is inside";
    EXPECT_EQ(lied_to().hears({.what = run::kind::piece, .offset = side_bytes - 1, .bytes = 1}), kind::piece);
}

TEST(Lies, OfRunsWithoutBytesAndEndsWithSomeAreToldAsSuch) {
    EXPECT_EQ(lied_to().hears({.what = run::kind::whole, .offset = 0, .bytes = 0}), kind::lie);
    EXPECT_EQ(lied_to().hears({.what = run::kind::piece, .offset = 64, .bytes = 0}), kind::lie);
    EXPECT_EQ(lied_to().hears({.what = run::kind::finish, .offset = 0, .bytes = 1}), kind::lie);
    EXPECT_EQ(lied_to().hears({.what = run::kind::beside, .offset = 0, .bytes = 0}), kind::lie);
    EXPECT_EQ(lied_to().hears({.what = run::kind::finish, .offset = 0, .bytes = 0}), kind::finish);
}

TEST(Lies, AreToldForGoodWhateverIsSaidLater) {
    lied_to both;
    ASSERT_EQ(both.hears({.what = run::kind::whole, .offset = 0, .bytes = 0}), kind::lie);
    EXPECT_EQ(both.hears({.what = run::kind::whole, .offset = 0, .bytes = 1}), kind::lie);
    EXPECT_EQ(both.in.next().what, kind::lie);
    EXPECT_TRUE(both.in.next().bytes.empty());
}

TEST(Lies, OfAnotherLapAreNotHeard) {
    lied_to both;
    for (const unsigned lap : {0U, 2U, 255U}) {
        tell(both.first, 0, pack({.what = run::kind::whole, .offset = 0, .bytes = 1}, static_cast<std::uint8_t>(lap)));
        EXPECT_EQ(both.in.next().what, kind::nothing) << lap;
    }
}

TEST(Lies, ThatChangeARunWhileItIsReadChangeNothingAboutIt) {
    lied_to both;
    tell(both.first, 0, {.what = run::kind::whole, .offset = 0, .bytes = 100});
    const auto arrived = both.in.next();
    tell(both.first, 0, {.what = run::kind::whole, .offset = side_bytes, .bytes = side_bytes});
    EXPECT_EQ(arrived.bytes.size(), 100U);
    EXPECT_EQ(both.in.next().what, kind::nothing);
}

TEST(Lies, AboutRunsTakenThatNeverWereAreNoticed) {
    for (const std::uint64_t claimed : {std::uint64_t{4}, std::uint64_t{runs_max}, ~std::uint64_t{0}, ~std::uint64_t{0} / 2 + 1}) {
        one_way way;
        for (int count = 0; count < 3; ++count) ASSERT_TRUE(put(way.out, filled(1000, 0)));
        way.out.publish();
        claim_taken(way.second, claimed);
        EXPECT_EQ(way.out.untaken_bytes(), 3000U);
        EXPECT_TRUE(way.out.lied()) << claimed;
    }
}

TEST(Lies, AboutRunsTakenThatWereNotShownYetAreNoticed) {
    one_way way;
    ASSERT_TRUE(put(way.out, filled(1000, 0)));
    claim_taken(way.second, 1);
    EXPECT_EQ(way.out.untaken_bytes(), 1000U);
    EXPECT_TRUE(way.out.lied());
}

TEST(Lies, ThatGoBackBehindWhatWasTakenAreNoticed) {
    one_way way;
    for (int count = 0; count < 3; ++count) ASSERT_TRUE(put(way.out, filled(1000, 0)));
    way.out.publish();
    claim_taken(way.second, 2);
    EXPECT_EQ(way.out.untaken_bytes(), 1000U);
    EXPECT_FALSE(way.out.lied()) << "it may have taken two of three";
    claim_taken(way.second, 1);
    EXPECT_EQ(way.out.untaken_bytes(), 1000U);
    EXPECT_TRUE(way.out.lied());
}

TEST(Lies, AboutWishesCostABellAtMost) {
    one_way way;
    std::atomic_ref(way.second.state_of(side::second).wishes).store(~std::uint32_t{0});
    ASSERT_TRUE(put(way.out, filled(1, 0)));
    EXPECT_TRUE(way.out.publish());
    EXPECT_FALSE(way.first.take_wish(for_input));
    EXPECT_TRUE(way.first.take_wish(for_room));
}

/// Reads every byte that a run tells of: outside of the memory that would be seen (a mapping of its own ends there, or another begins, whose
/// bytes AddressSanitizer does not know; so the place itself is checked as well).
std::uint64_t read_all(const receiver::arrival& arrived, const segment& mine, side theirs) {
    if (arrived.bytes.empty()) return 0;
    const auto lies_in = [&arrived](std::span<const std::byte> place) {
        return arrived.bytes.data() >= place.data() && arrived.bytes.data() + arrived.bytes.size() <= place.data() + place.size();
    };
    EXPECT_TRUE(lies_in(mine.data_of(theirs)) || lies_in(std::as_bytes(std::span(mine.queue_of(theirs)))));
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < arrived.bytes.size(); at += 64) sum += std::to_integer<std::uint64_t>(arrived.bytes[at]);
    return sum + std::to_integer<std::uint64_t>(arrived.bytes.back());
}

TEST(Lies, OfAnyKindLeadAReaderNowhereOutside) {
    support::random_source random;
    std::size_t told = 0;
    std::size_t believed = 0;
    for (int round = 0; round < 3000; ++round) {
        two_sides both({.small_bytes = small_bytes_min, .large_bytes = static_cast<std::uint32_t>(page_bytes * random.below(16))});
        receiver in(both.second);
        std::uint64_t number = 0;
        for (int step = 0; step < 300; ++step) {
            const auto lap = static_cast<std::uint64_t>(lap_of(number));
            const std::uint64_t bits = random.magnitude_below(~std::uint64_t{0});
            if (random.one_in(3)) {
                tell(both.first, random.below(2 * runs_max), bits);
            } else if (random.one_in(5)) {
                tell(both.first, number, (bits & ~std::uint64_t{0xff}) | lap);
            } else {
                const auto data_bytes = both.first.sizes().side_bytes();
                const auto offset = random.below(data_bytes);
                tell(both.first, number,
                     {.what = static_cast<run::kind>(random.one_in(10) ? 3 : random.below(2)),
                      .offset = static_cast<std::uint32_t>(offset),
                      .bytes = static_cast<std::uint32_t>(1 + random.magnitude_below(data_bytes - offset + (random.one_in(20) ? 64 : 0)))});
            }
            const bool had = in.has_next();
            const auto arrived = in.next();
            (void)read_all(arrived, both.second, side::first);
            ASSERT_FALSE(HasFailure()) << "round " << round;
            if (arrived.what == kind::lie) {
                ++told;
                break;
            }
            ASSERT_EQ(had, arrived.what != kind::nothing);
            if (arrived.what != kind::nothing) {
                ++number;
                ++believed;
            }
        }
    }
    EXPECT_GT(told, 1000U);
    EXPECT_GT(believed, 1000U);
}

TEST(Lies, OfAnyKindLeadAWriterNowhereOutside) {
    support::random_source random;
    std::size_t noticed = 0;
    for (int round = 0; round < 1000; ++round) {
        one_way way({.small_bytes = small_bytes_min, .large_bytes = static_cast<std::uint32_t>(page_bytes * random.below(64))});
        const auto data = way.first.data_of(side::first);
        std::uint64_t written = 0;
        for (int step = 0; step < 300 && !way.out.lied(); ++step) {
            if (random.one_in(3))
                claim_taken(way.second, random.one_in(40) ? random.magnitude_below(~std::uint64_t{0}) : random.below(written + 1));
            if (random.one_in(4)) tell(way.second, random.below(runs_max), random.magnitude_below(~std::uint64_t{0}));
            if (random.one_in(4)) way.out.publish();
            if (random.one_in(4)) {
                written += way.out.copy(filled(random.magnitude_below(40'000), 0)) > 0 ? 1 : 0;
                continue;
            }
            const auto window = way.out.open(1 + random.magnitude_below(data.size()));
            if (window.empty()) continue;
            ASSERT_GE(window.data(), data.data());
            ASSERT_LE(window.data() + window.size(), data.data() + data.size());
            std::ranges::fill(window, std::byte{1});
            if (way.out.keep(window.data() + window.size())) ++written;
            way.out.shut();
        }
        if (way.out.lied()) ++noticed;
    }
    EXPECT_GT(noticed, 100U);
}

TEST(Lies, OnlyCostTheLiarWhatItWrites) {
    // What the second side writes into its own data and queue is not where the first side's own bookkeeping is: that lies in its process.
    one_way way;
    ASSERT_TRUE(put(way.out, filled(1000, 4)));
    for (place& each : way.second.queue_of(side::first)) each.word = ~std::uint64_t{0};
    std::ranges::fill(way.second.data_of(side::first), std::byte{0xee});
    EXPECT_FALSE(way.out.publish());
    EXPECT_EQ(way.out.untaken_bytes(), 1000U);
    EXPECT_FALSE(way.out.lied());
    EXPECT_TRUE(put(way.out, filled(1000, 4)));
}

}  // namespace
}  // namespace mnet::inline v1::shm::tests
