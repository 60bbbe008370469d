// The whole library on seeded worlds: servers of both loop shapes, clients that write ahead, read late, give up or vanish, on networks
// from even to hostile. What must hold is checked in every one: order, no loss without an error, no duplicate, every wait ends, bounds
// kept, nothing left open. A failing seed is named; MNET_SEED=n runs it alone.
//
// Over TLS the same. There a seed makes the same choices each time, but not the same run to the byte: keys and signatures are new ones, and some of
// them are a byte shorter.
#include "mtcp/certificates.hpp"
#include "mtcp/simulated_environment.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace mnet {
namespace {

using namespace std::chrono_literals;
using io::simulated::world;

constexpr std::size_t message_bytes_max = 20'000;
constexpr std::size_t unsent_bytes_max = 30'000;

/// A generator of a test's own choices, apart from the world's.
class choices {
public:
    explicit choices(std::uint64_t seed) noexcept : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {}
    std::uint64_t below(std::uint64_t bound) noexcept {
        state_ ^= state_ << 13U;
        state_ ^= state_ >> 7U;
        state_ ^= state_ << 17U;
        return state_ % bound;
    }
    bool one_in(std::uint64_t count) noexcept { return below(count) == 0; }

private:
    std::uint64_t state_;
};

std::string text_of(std::uint64_t client, std::uint64_t number, std::size_t bytes) {
    std::string text = std::to_string(client) + ":" + std::to_string(number) + ":";
    if (bytes == 0) return {};
    text.resize(std::max(text.size(), bytes), static_cast<char>('a' + number % 26));
    return text;
}

struct outcome {
    std::vector<std::string> sent;
    std::uint64_t echoed = 0;
    std::error_code error;
    bool connected = false;
    bool finished = false;
};

std::size_t any_size(choices& dice) noexcept {
    switch (dice.below(5)) {
        case 0:
            return 0;
        case 1:
            return dice.below(16);
        case 2:
        case 3:
            return dice.below(2000);
        default:
            return dice.below(message_bytes_max - 20);
    }
}

/// Sends messages, now and then ahead of the answers, and checks each answer against what was sent.
task<void> talk(mtcp::loop& loop, std::string address, const tls::client_settings* tls, std::uint64_t number, std::uint64_t seed,
                outcome& told) {
    choices dice(seed * 31 + number);
    const mtcp::connect_options options{
        .dial_timeout = 5s, .message_bytes_max = message_bytes_max, .unsent_bytes_max = unsent_bytes_max, .tls = tls};
    auto connected = co_await mtcp::async_connect(loop, address, options);
    if (!connected) {
        told.error = connected.error();
        told.finished = true;
        co_return;
    }
    client client = *std::move(connected);
    told.connected = true;
    const std::uint64_t messages = 1 + dice.below(40);
    while (!told.error && told.echoed < messages) {
        const bool may_send = told.sent.size() < messages;
        if (may_send && (told.sent.size() == told.echoed || !dice.one_in(3))) {
            std::string text = text_of(number, told.sent.size(), any_size(dice));
            const auto sent = client.send(text);
            if (sent) {
                told.sent.push_back(std::move(text));
            } else if (sent.error() != errc::would_block) {
                told.error = sent.error();
            }
            EXPECT_LE(client.unsent_bytes(), unsent_bytes_max + message_bytes_max + 4);
            if (dice.one_in(8)) {
                // Not for long: a server that is not read takes no more, and only reading helps.
                const auto flushed = co_await client.async_flush({.deadline = within(10ms)});
                if (!flushed && flushed.error() != std::errc::timed_out) told.error = flushed.error();
            }
            if (sent) continue;
        }
        const auto message = co_await client.async_read({.deadline = within(60s)});
        if (!message) {
            told.error = message.error();
            break;
        }
        EXPECT_LT(told.echoed, told.sent.size()) << "an answer to nothing";
        if (told.echoed < told.sent.size()) {
            EXPECT_EQ(message->text(), told.sent[told.echoed]) << "client " << number;
        }
        ++told.echoed;
    }
    if (!dice.one_in(4)) (void)co_await client.async_close({.deadline = within(10s)});
    told.finished = true;
}

task<result<>> echo(client& client) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        auto sent = client.send(message->bytes());
        while (!sent && sent.error() == errc::would_block) {
            if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
            sent = client.send(message->bytes());
        }
        if (!sent) co_return sent;
    }
}

mtcp::detail::any_handler any_echo(choices& dice) {
    if (dice.one_in(2)) return mtcp::detail::coroutine_handler(echo);
    return mtcp::detail::message_handler([](client& client, message message) noexcept { (void)client.send(message.bytes()); });
}

struct scenario {
    std::uint64_t seed;
    io::simulated::faults luck;
    bool secured = false;
    std::vector<outcome> clients{};

    /// Runs it to its end; gives the account of the server's stop.
    farewell run() {
        world world(seed, luck);
        const test::simulated_environment environment(world);
        choices dice(seed);
        farewell parted;
        {
            mtcp::listen_options options{.address = "127.0.0.1:0",
                                         .loops = static_cast<unsigned>(1 + dice.below(2)),
                                         .message_bytes_max = message_bytes_max,
                                         .unsent_bytes_max = unsent_bytes_max};
            if (secured) options.tls = mtcp_test::server_of_tests();
            const auto server = environment.listen(options, any_echo(dice));
            if (server == nullptr) {
                ADD_FAILURE() << "listen failed";
                return parted;
            }
            talk_to(server->address(), environment, dice);
            parted = server->stop(within(10s));
            EXPECT_EQ(server->statistics().clients, 0U);
        }
        EXPECT_EQ(world.open_handles(), 0U) << world.report();
        return parted;
    }

private:
    void talk_to(const std::string& address, const test::simulated_environment& environment, choices& dice) {
        auto loop = environment.make_mtcp_loop();
        clients.resize(1 + dice.below(5));
        std::size_t running = clients.size();
        std::optional<tls::client_settings> believing;
        if (secured) believing = mtcp_test::must(tls::client({.authority = mtcp_test::certificates_of_tests().authority_file}));
        std::vector<task<void>> talks;
        for (std::size_t number = 0; number < clients.size(); ++number) {
            talks.push_back(talk(loop, address, believing ? &*believing : nullptr, number, seed, clients[number]));
        }
        for (auto& each : talks) each.start({[](void* count) noexcept { --*static_cast<std::size_t*>(count); }, &running});
        while (running > 0) loop.turn();
        talks.clear();
    }
};

/// The seeds of one shard; one alone when MNET_SEED names it.
template <typename Check>
void for_seeds(std::uint64_t first, std::uint64_t count, Check check) {
    if (const char* const given = std::getenv("MNET_SEED")) {
        check(std::strtoull(given, nullptr, 0));
        return;
    }
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        check(seed);
        if (testing::Test::HasFailure()) {
            FAIL() << "again with: MNET_SEED=" << seed;
        }
    }
}

void lossless(std::uint64_t seed, bool secured) {
    scenario scenario{.seed = seed, .luck = io::simulated::lossless_faults(), .secured = secured};
    const farewell parted = scenario.run();
    EXPECT_TRUE(parted.complete());
    for (const outcome& each : scenario.clients) {
        EXPECT_TRUE(each.finished);
        EXPECT_FALSE(each.error) << each.error.message();
        EXPECT_EQ(each.echoed, each.sent.size());
    }
}

void hostile(std::uint64_t seed, bool secured) {
    choices dice(seed + 1'000'000);
    io::simulated::faults luck = io::simulated::lossless_faults();
    luck.resets = dice.one_in(2) ? 0.01 : 0;
    luck.vanishings = dice.one_in(3) ? 0.003 : 0;
    luck.refusals = dice.one_in(3) ? 0.3 : 0;
    luck.accept_failures = dice.one_in(3) ? 0.3 : 0;
    luck.attach_failures = dice.one_in(4) ? 0.2 : 0;
    luck.clock_jumps = dice.one_in(4) ? 0.001 : 0;
    if (dice.one_in(3)) luck.send_buffer_bytes = luck.receive_buffer_bytes = 1 + dice.below(2000);
    scenario scenario{.seed = seed, .luck = luck, .secured = secured};
    (void)scenario.run();
    for (const outcome& each : scenario.clients) {
        EXPECT_TRUE(each.finished);
        EXPECT_LE(each.echoed, each.sent.size());
        EXPECT_TRUE(each.error || each.echoed == each.sent.size()) << "a loss without an error";
    }
}

class SimulatedSeeds : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SimulatedSeeds, LoseNothingWhereTheNetworkLosesNothing) {
    for_seeds(GetParam() * 125, 125, [](std::uint64_t seed) { lossless(seed, false); });
}

TEST_P(SimulatedSeeds, LoseNothingWithoutAnErrorWhereTheNetworkIsHostile) {
    for_seeds(GetParam() * 125, 125, [](std::uint64_t seed) { hostile(seed, false); });
}

TEST_P(SimulatedSeeds, LoseNothingOverTlsEither) {
    for_seeds(GetParam() * 125, 125, [](std::uint64_t seed) { lossless(seed, true); });
}

TEST_P(SimulatedSeeds, LoseNothingWithoutAnErrorOverTlsEither) {
    for_seeds(GetParam() * 125, 125, [](std::uint64_t seed) { hostile(seed, true); });
}

INSTANTIATE_TEST_SUITE_P(Shards, SimulatedSeeds, testing::Range<std::uint64_t>(0, 8));

TEST(SimulatedBlockingClient, TalksToAServerOfTheSameThread) {
    world world(1);
    const test::simulated_environment environment(world);
    const auto server = environment.listen({.address = "127.0.0.1:0"}, mtcp::detail::coroutine_handler(echo));
    ASSERT_NE(server, nullptr);
    {
        auto client = environment.connect(server->address());
        ASSERT_TRUE(client) << client.error().message();
        ASSERT_TRUE(client->send("pub help"));
        const auto reply = client->read();
        ASSERT_TRUE(reply) << reply.error().message();
        EXPECT_EQ(reply->text(), "pub help");
        const auto late = client->read({.deadline = within(1h)});
        EXPECT_EQ(late.error(), std::errc::timed_out);
        EXPECT_GE(world.now(), std::chrono::nanoseconds(1h));
        EXPECT_TRUE(client->close().complete());
    }
    EXPECT_TRUE(server->stop(within(1s)).complete());
}

TEST(SimulatedBlockingClient, GetsItsAnswersHoweverSlowlyItReads) {
    world world(2);
    const test::simulated_environment environment(world);
    const auto server = environment.listen(
        {.address = "127.0.0.1:0", .unsent_bytes_max = 10'000},
        mtcp::detail::message_handler([](client& client, message message) noexcept { (void)client.send(message.bytes()); }));
    ASSERT_NE(server, nullptr);
    {
        auto client = environment.connect(server->address());
        ASSERT_TRUE(client);
        constexpr std::uint64_t messages = 2000;
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
        while (received < messages) {
            // Writes ahead until the server, that is not read, takes no more: then it has paused, and all of it still comes back.
            while (sent < messages && client->send(text_of(0, sent, 997))) ++sent;
            const auto flushed = client->flush({.deadline = within(1s)});
            if (flushed && sent < messages) continue;
            const auto message = client->read({.deadline = within(60s)});
            ASSERT_TRUE(message) << message.error().message();
            ASSERT_EQ(message->text(), text_of(0, received, 997));
            ++received;
        }
        EXPECT_GT(server->statistics().pauses, 0U);
        EXPECT_EQ(server->statistics().writes_refused, 0U);
    }
    EXPECT_TRUE(server->stop(within(1s)).complete());
}

}  // namespace
}  // namespace mnet
