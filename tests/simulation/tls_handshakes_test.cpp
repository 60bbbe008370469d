// How often TLS handshakes begin, in virtual time: exactly as often as they may, and in the order of their coming.
#include "support/tls_pair.hpp"

#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace mtcp = mnet::mtcp;
using mnet::simulation::world;

const support::tls_pair& secured() {
    static const auto pair = support::make_tls_pair().value();
    return pair;
}

struct arrival {
    std::error_code error = std::make_error_code(std::errc::timed_out);
    std::chrono::nanoseconds at{};
};

mnet::task<void> arrive(mtcp::loop& loop, const world& world, std::string address, arrival& told) {
    const mtcp::connect_options options{.tls = &secured().client};
    auto connected = co_await mtcp::async_connect(loop, address, options);
    told.at = world.elapsed();
    told.error = connected ? std::error_code{} : connected.error();
}

/// All of them connect at the same time; gives when each was done.
std::vector<arrival> arrivals(const mtcp::listen_options& options, std::size_t count) {
    world world({.seed = 1});
    std::vector<arrival> all(count);
    {
        auto server = world.listen(options, [](mnet::client&, mnet::message) noexcept {});
        EXPECT_TRUE(server.has_value());
        auto& loop = world.make_loop();
        for (auto& each : all) world.start("client", arrive(loop, world, server->address(), each));
        EXPECT_TRUE(world.run(1h));
        EXPECT_EQ(server->statistics().clients_refused, 0U);
        EXPECT_GT(server->statistics().handshake_pauses, 0U) << "it is the accepting that waits";
        EXPECT_TRUE(server->stop(mnet::within(10s)).complete());
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
    return all;
}

/// Connects, and says nothing until the server has enough of it.
mnet::task<void> stay_silent(mtcp::loop& loop, std::string address) {
    auto connected = co_await mtcp::async_connect(loop, address, {});
    if (!connected) co_return;
    mnet::client client = *std::move(connected);
    (void)co_await client.async_read();
}

/// When a client is done that comes at the same time as so many that are silent.
arrival arrival_beside(std::size_t silent) {
    world world({.seed = 1});
    arrival told;
    {
        auto server = world.listen({.address = "127.0.0.1:0", .tls = secured().server}, [](mnet::client&, mnet::message) noexcept {});
        EXPECT_TRUE(server.has_value());
        auto& loop = world.make_loop();
        const std::string plain = server->address().substr(std::string_view("tls://").size());
        for (std::size_t count = 0; count < silent; ++count) world.start("silent", stay_silent(loop, plain));
        world.start("client", arrive(loop, world, server->address(), told));
        EXPECT_TRUE(world.run(1h));
        EXPECT_EQ(server->statistics().handshake_pauses, 0U);
        EXPECT_EQ(server->statistics().handshakes_failed, silent);
        EXPECT_TRUE(server->stop(mnet::within(10s)).complete());
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
    return told;
}

std::size_t done_within(const std::vector<arrival>& all, std::chrono::nanoseconds span) {
    return static_cast<std::size_t>(std::ranges::count_if(all, [span](const arrival& each) { return !each.error && each.at < span; }));
}

mtcp::listen_options serving(std::size_t per_second) {
    return {.address = "127.0.0.1:0", .tls = secured().server, .handshakes_per_second_max = per_second};
}

TEST(SimulatedTlsHandshakes, BeginNoMoreOftenThanTheyMay) {
    const auto all = arrivals(serving(100), 60);
    EXPECT_EQ(done_within(all, 9s), 60U) << "in time, all of them";
    // Ten at once, then one each 10 ms.
    EXPECT_LE(done_within(all, 100ms), 20U);
    EXPECT_LE(done_within(all, 300ms), 40U);
    EXPECT_GE(done_within(all, 1s), 60U);
}

TEST(SimulatedTlsHandshakes, BesideSilentConnectionsWaitForNoneOfThem) {
    const arrival beside = arrival_beside(1000);
    EXPECT_FALSE(beside.error) << beside.error.message();
    EXPECT_LE(beside.at, 10ms) << "a thousand handshakes take a second, and who is silent is so after 100 ms";
}

TEST(SimulatedTlsHandshakes, ThatWaitBeyondTheirOwnDeadlineFail) {
    const auto all = arrivals(serving(1), 20);
    EXPECT_GE(done_within(all, 20s), 8U);
    EXPECT_LE(done_within(all, 20s), 12U) << "10 s is the time for a handshake";
    for (const arrival& each : all) EXPECT_TRUE(!each.error || each.error == std::errc::timed_out) << each.error.message();
}

}  // namespace
