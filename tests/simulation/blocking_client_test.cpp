// Clients with a loop of their own, in the thread of their server: whatever waits there drives the world.
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace mnet {
namespace {

using namespace std::chrono_literals;
using simulation::world;

void echo(client& client, message message) noexcept { (void)client.send(message.bytes()); }

TEST(SimulationBlockingClient, TalksToAServerOfTheSameThread) {
    world world({});
    {
        auto server = world.listen({}, echo);
        auto client = world.connect(server->address());
        ASSERT_TRUE(client) << client.error().message();
        ASSERT_TRUE(client->send("pub help"));
        const auto reply = client->read();
        ASSERT_TRUE(reply) << reply.error().message();
        EXPECT_EQ(reply->text(), "pub help");
        const auto late = client->read({.deadline = within(1h)});
        EXPECT_EQ(late.error(), std::errc::timed_out);
        EXPECT_GE(world.elapsed(), 1h);
        EXPECT_TRUE(client->close().complete());
        EXPECT_TRUE(server->stop(within(1s)).complete());
    }
    EXPECT_TRUE(world.finish());
}

TEST(SimulationBlockingClient, GetsItsAnswersHoweverSlowlyItReads) {
    world world({.seed = 2});
    const auto text_of = [](std::uint64_t number) { return std::to_string(number) + std::string(990, 'x'); };
    {
        auto server = world.listen({.unsent_bytes_max = 10'000}, echo);
        auto client = world.connect(server->address());
        ASSERT_TRUE(client);
        constexpr std::uint64_t messages = 2000;
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
        while (received < messages) {
            // Writes ahead until the server, that is not read, takes no more: then it has paused, and all of it still comes back.
            while (sent < messages && client->send(text_of(sent))) ++sent;
            const auto flushed = client->flush({.deadline = within(1s)});
            if (flushed && sent < messages) continue;
            const auto message = client->read({.deadline = within(60s)});
            ASSERT_TRUE(message) << message.error().message();
            ASSERT_EQ(message->text(), text_of(received));
            ++received;
        }
        EXPECT_GT(server->statistics().pauses, 0U);
        EXPECT_EQ(server->statistics().writes_refused, 0U);
        EXPECT_TRUE(client->close().complete());
        EXPECT_TRUE(server->stop(within(1s)).complete());
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

}  // namespace
}  // namespace mnet
