// How often TLS handshakes begin, in virtual time: exactly as often as they may, and in the order of their coming.
#include "mtcp/certificates.hpp"
#include "mtcp/simulated_environment.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace mnet {
namespace {

using namespace std::chrono_literals;
using io::simulated::world;

struct arrival {
    std::error_code error = std::make_error_code(std::errc::timed_out);
    std::chrono::nanoseconds at{};
};

task<void> arrive(mtcp::loop& loop, const world& world, std::string address, arrival& told) {
    const mtcp::connect_options options{.tls = &mtcp_test::client_of_tests()};
    auto connected = co_await mtcp::async_connect(loop, address, options);
    told.at = world.now();
    told.error = connected ? std::error_code{} : connected.error();
}

/// All of them connect at the same time; gives when each was done.
std::vector<arrival> arrivals(const mtcp::listen_options& options, std::size_t count) {
    world world(1);
    const test::simulated_environment environment(world);
    const auto server = environment.listen(options, mtcp::detail::message_handler([](client&, message) noexcept {}));
    std::vector<arrival> all(count);
    {
        auto loop = environment.make_mtcp_loop();
        std::size_t running = count;
        std::vector<task<void>> tasks;
        const auto begun = world.now();
        for (auto& each : all) {
            tasks.push_back(arrive(loop, world, server->address(), each));
            tasks.back().start({[](void* left) noexcept { --*static_cast<std::size_t*>(left); }, &running});
        }
        while (running > 0) loop.turn();
        for (auto& each : all) each.at -= begun;
        tasks.clear();
    }
    EXPECT_EQ(server->statistics().clients_refused, 0U);
    EXPECT_TRUE(server->stop(within(10s)).complete());
    return all;
}

std::size_t done_within(const std::vector<arrival>& all, std::chrono::nanoseconds span) {
    return static_cast<std::size_t>(std::ranges::count_if(all, [span](const arrival& each) { return !each.error && each.at < span; }));
}

mtcp::listen_options serving(std::size_t per_second) {
    return {.address = "127.0.0.1:0", .tls = mtcp_test::server_of_tests(), .handshakes_per_second_max = per_second};
}

TEST(SimulatedTlsHandshakes, BeginNoMoreOftenThanTheyMay) {
    const auto all = arrivals(serving(100), 60);
    EXPECT_EQ(done_within(all, 9s), 60U) << "in time, all of them";
    // Ten at once, then one each 10 ms.
    EXPECT_LE(done_within(all, 100ms), 20U);
    EXPECT_LE(done_within(all, 300ms), 40U);
    EXPECT_GE(done_within(all, 1s), 60U);
}

TEST(SimulatedTlsHandshakes, ThatWaitBeyondTheirOwnDeadlineFail) {
    const auto all = arrivals(serving(1), 20);
    EXPECT_GE(done_within(all, 20s), 8U);
    EXPECT_LE(done_within(all, 20s), 12U) << "10 s is the time for a handshake";
    for (const arrival& each : all) EXPECT_TRUE(!each.error || each.error == std::errc::timed_out) << each.error.message();
}

}  // namespace
}  // namespace mnet
