// Which of a name's endpoints gets the connection (RFC 8305).
#include "mtcp/race.hpp"

#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string_view>

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;
using mnet::mtcp::detail::endpoints;
using mnet::simulation::machine;
using mnet::simulation::world;

mnet::io::endpoint at(std::string_view host) { return *mnet::io::endpoint::numeric(host, 5050); }

TEST(Race, TakesTheFamiliesInTurnTheFirstOnesFirst) {
    const endpoints all{at("2001:db8::1"), at("2001:db8::2"), at("2001:db8::3"), at("192.0.2.1")};
    const endpoints expected{at("2001:db8::1"), at("192.0.2.1"), at("2001:db8::2"), at("2001:db8::3")};
    EXPECT_EQ(mnet::mtcp::detail::interleaved(all), expected);
    EXPECT_EQ(mnet::mtcp::detail::interleaved({at("192.0.2.1"), at("192.0.2.2")}), endpoints({at("192.0.2.1"), at("192.0.2.2")}));
    EXPECT_EQ(mnet::mtcp::detail::interleaved({}), endpoints());
}

constexpr auto nothing = [](mnet::client&, mnet::message) noexcept {};

/// Where localhost is 127.0.0.1 on one machine and ::1 on another, and a client on a third.
struct two_families {
    world in{{}};
    mnet::result<mnet::mtcp::network> version4 = in.listen({.address = "127.0.0.1:5050"}, nothing, machine{4});
    mnet::result<mnet::mtcp::network> version6 = in.listen({.address = "[::1]:5050"}, nothing, machine{6});

    /// Who got the connection, and how long that took.
    std::string_view connect(std::chrono::nanoseconds& took) {
        const auto begin = in.elapsed();
        auto client = in.connect("localhost:5050", {}, machine{1});
        took = in.elapsed() - begin;
        if (!client) return "nobody";
        return client->remote_address() == "[::1]:5050" ? "version 6" : "version 4";
    }
};

TEST(Race, IsWonByTheFirstThatAnswers) {
    two_families both;
    std::chrono::nanoseconds took{};
    EXPECT_EQ(both.connect(took), "version 4");
    EXPECT_LT(took, 10ms);
}

TEST(Race, GoesOnWithTheNextWhereTheFirstIsSilent) {
    two_families both;
    both.in.part(machine{1}, machine{4});
    std::chrono::nanoseconds took{};
    EXPECT_EQ(both.connect(took), "version 6");
    EXPECT_GE(took, 250ms);
    EXPECT_LT(took, 260ms);
}

TEST(Race, LetsASlowFirstWinWhereTheNextIsSlower) {
    two_families both;
    both.in.part(machine{1}, machine{4}, 300ms);  // tried again after a second
    both.in.part(machine{1}, machine{6}, 2s);
    std::chrono::nanoseconds took{};
    EXPECT_EQ(both.connect(took), "version 4");
    EXPECT_LT(took, 1100ms);
}

TEST(Race, DoesNotWaitAfterARefusal) {
    two_families both;
    both.version4 = mnet::failure(mnet::errc::already_closed);
    std::chrono::nanoseconds took{};
    EXPECT_EQ(both.connect(took), "version 6");
    EXPECT_LT(took, 10ms);
}

TEST(Race, EndsWithTheLastErrorOrAtTheDeadlineAndLeavesNothingBehind) {
    two_families both;
    both.in.part(machine{1}, machine{4});
    both.in.part(machine{1}, machine{6});
    std::chrono::nanoseconds took{};
    EXPECT_EQ(both.connect(took), "nobody");
    EXPECT_GE(took, 10s);
    both.version4 = mnet::failure(mnet::errc::already_closed);
    both.version6 = mnet::failure(mnet::errc::already_closed);
    both.in.reunite(machine{1}, machine{4});
    EXPECT_EQ(both.in.connect("localhost:5050", {}, machine{1}).error(), std::errc::connection_refused);
    const auto verdict = both.in.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

}  // namespace
}  // namespace mtcp_test
