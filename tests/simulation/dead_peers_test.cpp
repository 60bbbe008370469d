// How soon a dead peer is noticed, in a world whose clock is exact: half-open connections, machines that are cut off from each other, lines too
// slow for what is on them; and by what error it is told from a deadline of one's own.
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace mnet {
namespace {

using namespace std::chrono_literals;
using simulation::machine;
using simulation::world;

constexpr auto dead_after = 10s;
constexpr auto noticed_by = dead_after + dead_after / 5;

/// Echoes, and remembers when and why it ended.
task<result<>> echo(client& client, world& world, std::error_code& end, std::chrono::nanoseconds& when) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message || !client.send(message->bytes())) {
            end = message ? std::error_code() : message.error();
            when = world.elapsed();
            co_return {};
        }
    }
}

/// Both ends of a connection that dies, and what each said of it.
struct deaths {
    std::error_code of_server{};
    std::error_code of_client{};
    std::chrono::nanoseconds server_at{0};
    std::chrono::nanoseconds client_at{0};

    /// `talks`: the client goes on writing; else both wait for the other.
    template <typename Kill>
    void watch(std::uint64_t seed, bool talks, Kill kill) {
        world world({.seed = seed});
        {
            auto network = world.listen(
                {.dead_after = dead_after}, [&](mnet::client& client) { return echo(client, world, of_server, server_at); }, machine{0});
            auto connected = world.connect(network->address(), {.dead_after = dead_after}, machine{1});
            ASSERT_TRUE(connected->send("before"));
            ASSERT_TRUE(connected->read());
            kill(world, *connected);
            const auto begin = world.elapsed();
            if (talks) (void)connected->send("after");
            while (!of_client && world.elapsed() < begin + 1h) {
                const auto answer = connected->read({.deadline = within(3s)});
                if (!answer && answer.error() != std::errc::timed_out) of_client = answer.error();
            }
            client_at = world.elapsed() - begin;
            world.run_for(1min);
            server_at -= begin;
        }
        const auto verdict = world.finish();
        EXPECT_TRUE(verdict) << verdict.report;
    }

    void expect_both_in_time() const {
        EXPECT_EQ(of_client, errc::peer_silent) << of_client.message();
        EXPECT_EQ(of_server, errc::peer_silent) << of_server.message();
        EXPECT_LE(client_at, noticed_by);
        EXPECT_LE(server_at, noticed_by);
    }
};

TEST(DeadPeers, ThatVanishAreNoticedByBothEndsInTime) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        deaths seen;
        seen.watch(seed, seed % 2 == 0, [](world& world, client& client) { world.vanish(client); });
        seen.expect_both_in_time();
    }
}

TEST(DeadPeers, BehindAPartitionAreNoticedByBothEndsInTime) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        deaths seen;
        seen.watch(seed, seed % 2 == 0, [](world& world, client&) { world.part(machine{0}, machine{1}); });
        seen.expect_both_in_time();
    }
}

/// The end of a client that reads, with these options, from a server on a line that carries 100 bytes a second.
std::error_code read_slowly(const mtcp::connect_options& options) {
    std::error_code end;
    world world({.faults = {.bandwidth_bytes = 100, .send_buffer_bytes = 50}});
    {
        auto network = world.listen({}, [](client& client, message) noexcept { (void)client.send(std::string(2000, 'x')); });
        auto client = world.connect(network->address(), options);
        EXPECT_TRUE(client->send("begin"));
        if (const auto answer = client->read(); !answer) end = answer.error();
    }
    EXPECT_TRUE(world.finish());
    return end;
}

TEST(DeadPeers, AreNotThoseWhoseMessageComesTooSlowlyWhichHasAnErrorOfItsOwn) {
    EXPECT_EQ(read_slowly({}), std::error_code());
    EXPECT_EQ(read_slowly({.dead_after = 10s}), errc::message_too_slow);
    EXPECT_EQ(read_slowly({.dead_after = 10s, .message_timeout = 1min}), std::error_code());
    EXPECT_EQ(read_slowly({.message_timeout = 5s}), errc::message_too_slow);
}

task<result<>> read_between_pauses(client& client, int& read) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        ++read;
        co_await simulation::pause(client, 10s);
    }
}

// The rest of the next message waits in front of our own full buffers.
TEST(DeadPeers, AreNotBlamedForAProgramThatTakesItsTime) {
    world world({.faults = {.receive_buffer_bytes = 1000}});
    int read = 0;
    {
        auto network = world.listen({.message_timeout = 1s}, [&read](client& client) { return read_between_pauses(client, read); });
        auto client = world.connect(network->address());
        for (int message = 0; message < 5; ++message) EXPECT_TRUE(client->send(std::string(5000, 'x')));
        EXPECT_TRUE(client->close({.deadline = within(10min)}).complete());
        world.run_for(1min);
    }
    EXPECT_EQ(read, 5);
    EXPECT_TRUE(world.finish());
}

}  // namespace
}  // namespace mnet
