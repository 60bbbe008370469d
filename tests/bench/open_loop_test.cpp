// The bookkeeping of an open loop, with a clock of the test's own: what is due, and what latency is counted from.
#include "open_loop.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <vector>

namespace {

using mnet::bench::latencies;
using mnet::bench::open_loop;

using namespace std::chrono_literals;

constexpr std::uint64_t start = 1'000'000'000'000;
constexpr std::uint64_t ms = 1'000'000;

/// 1000 messages a second for 10 ms: number n is due after n ms.
struct OpenLoop : testing::Test {
    static constexpr std::size_t clients = 3;

    std::vector<std::size_t> visit(std::uint64_t now) {
        std::vector<std::size_t> visited;
        plan.visit(now, [&](std::size_t index) { visited.push_back(index); });
        return visited;
    }
    std::uint64_t write_all(std::size_t index, std::uint64_t now) {
        std::uint64_t count = 0;
        for (; plan.next(index); ++count) plan.wrote(index, now);
        return count;
    }

    void SetUp() override {
        plan.begin();
        plan.start(start);
    }

    latencies seen{};
    open_loop plan{1000, clients, 10ms, seen};
};

TEST_F(OpenLoop, GivesEachClientItsTurnAtAFixedRate) {
    EXPECT_EQ(plan.total(), 10U);
    EXPECT_EQ(visit(start), (std::vector<std::size_t>{0}));
    EXPECT_EQ(write_all(0, start), 1U);
    EXPECT_TRUE(visit(start + ms - 1).empty());
    EXPECT_EQ(plan.next_due_ns(), start + ms);
    EXPECT_EQ(visit(start + 2 * ms), (std::vector<std::size_t>{1, 2}));
    EXPECT_EQ(write_all(1, start + 2 * ms), 1U);
    EXPECT_EQ(write_all(2, start + 2 * ms), 1U);
    EXPECT_EQ(visit(start + 3 * ms), (std::vector<std::size_t>{0}));
}

TEST_F(OpenLoop, CountsResponseFromWhenAMessageWasDueAndServiceFromWhenItWasWritten) {
    visit(start);
    plan.wrote(0, start + 7 * ms);  // the sender stalled
    EXPECT_EQ(plan.answered(0, start + 8 * ms), 0U);
    EXPECT_EQ(seen.response.max_ns(), 8 * ms);
    EXPECT_EQ(seen.service.max_ns(), 1 * ms);
}

TEST_F(OpenLoop, DoesNotForgetWhatWasDueWhileTheSenderStalled) {
    visit(start + 100 * ms);
    EXPECT_EQ(write_all(0, start + 100 * ms), 4U);
    EXPECT_EQ(write_all(1, start + 100 * ms), 3U);
    EXPECT_EQ(write_all(2, start + 100 * ms), 3U);
    EXPECT_EQ(seen.behind_max, 10U);
    EXPECT_EQ(seen.written_in_time, 0U);
    EXPECT_FALSE(seen.kept_rate());
    for (const std::size_t index : {0U, 1U, 2U})
        while (plan.in_flight(index) > 0) plan.answered(index, start + 101 * ms);
    EXPECT_TRUE(plan.done());
    EXPECT_EQ(seen.response.total(), 10U);
    EXPECT_GE(seen.response.at(0), 92 * ms);
    EXPECT_LE(seen.service.max_ns(), 1 * ms);
}

TEST_F(OpenLoop, VisitsAllAgainWhileSomeCouldNotBeWritten) {
    EXPECT_EQ(visit(start).size(), 1U);
    EXPECT_EQ(visit(start + 1).size(), clients);
    EXPECT_EQ(plan.quiet_until_ns(), 0U);
    EXPECT_EQ(write_all(0, start + 1), 1U);
    EXPECT_TRUE(visit(start + 2).empty());
}

TEST_F(OpenLoop, IsDoneWhenAllIsAnswered) {
    visit(start + 9 * ms);
    for (const std::size_t index : {0U, 1U, 2U}) {
        write_all(index, start + 9 * ms);
        EXPECT_FALSE(plan.done(index));
        EXPECT_FALSE(plan.done());
        while (plan.in_flight(index) > 0) plan.answered(index, start + 9 * ms);
        EXPECT_TRUE(plan.done(index));
    }
    EXPECT_TRUE(plan.done());
    EXPECT_TRUE(seen.kept_rate());
    EXPECT_DOUBLE_EQ(seen.achieved_rate(), 1000);
}

TEST_F(OpenLoop, GivesUpInTheEndAndCountsWhatWasNeverWrittenWithTheTimeItHasWaited) {
    visit(start);
    plan.wrote(0, start);
    plan.answered(0, start + ms);
    EXPECT_FALSE(plan.done());
    visit(plan.closing_ns());
    EXPECT_FALSE(plan.next(1).has_value());
    EXPECT_TRUE(plan.done());
    plan.end(plan.closing_ns());
    EXPECT_EQ(seen.never_written, 9U);
    EXPECT_EQ(seen.response.total(), 10U);
    EXPECT_EQ(seen.response.max_ns(), plan.closing_ns() - start - ms);
    EXPECT_EQ(seen.service.total(), 1U);
}

TEST_F(OpenLoop, BoundsWhatAClientHasInFlight) {
    latencies many;
    open_loop fast(1e6, 1, 1s, many);
    fast.begin();
    fast.start(start);
    fast.visit(start + 900 * ms, [](std::size_t) {});
    std::uint64_t written = 0;
    for (; fast.next(0); ++written) fast.wrote(0, start + 900 * ms);
    EXPECT_EQ(written, std::uint64_t{1} << 17U);
    fast.answered(0, start + 900 * ms);
    EXPECT_TRUE(fast.next(0).has_value());
}

}  // namespace
