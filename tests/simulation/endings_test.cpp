// How clients end in simulated worlds: the accounts of those whose network fails, and a stop that takes its time.
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace simulation = mnet::simulation;
using simulation::machine;

/// What became of a client that sends until its connection fails, or all is sent.
struct tale {
    std::uint64_t committed = 0;
    mnet::delivery account{};
};

mnet::task<void> send_all(mnet::mtcp::loop& loop, std::string address, tale& told) {
    auto connected = co_await mnet::mtcp::async_connect(loop, address, {.dead_after = 30s});
    if (!connected) co_return;
    mnet::client client = *std::move(connected);
    for (int number = 0; number < 300; ++number) {
        const std::string text(static_cast<std::size_t>(number) * 7 % 2000, 'x');
        if (!client.send(text)) break;
        ++told.committed;
        if (number % 3 == 0 && !co_await client.async_flush({.deadline = mnet::within(1min)})) break;
    }
    told.account = co_await client.async_close({.deadline = mnet::within(1min)});
}

TEST(Endings, EachMessageIsInOneAccountWhateverTheNetworkDoes) {
    std::uint64_t lost = 0;
    for (std::uint64_t seed = simulation::seed_or(1), last = seed + 300; seed < last; ++seed) {
        simulation::faults luck = simulation::lossless_faults();
        luck.resets = 0.002;
        luck.vanishings = 0.001;
        luck.receive_buffer_bytes = 4096;
        luck.send_buffer_bytes = 8192;
        simulation::world world({.seed = seed, .faults = luck});
        std::uint64_t received = 0;
        tale told;
        {
            auto server = world.listen({.dead_after = 30s}, [&received](mnet::client&, mnet::message) noexcept { ++received; });
            world.start("sender", send_all(world.make_loop(machine{1}), server->address(), told));
            EXPECT_TRUE(world.run(24h));
        }
        const auto verdict = world.finish();
        ASSERT_TRUE(verdict) << verdict.report;
        const mnet::delivery& account = told.account;
        ASSERT_EQ(account.messages_acknowledged + account.messages_unacknowledged + account.messages_unsent, told.committed) << seed;
        ASSERT_LE(received, account.messages_acknowledged + account.messages_unacknowledged) << seed;
        if (account.complete()) {
            ASSERT_EQ(account.messages_acknowledged, told.committed) << seed;
        }
        lost += account.messages_unacknowledged + account.messages_unsent;
    }
    EXPECT_GT(lost, 0U) << "some seed has to lose something";
}

/// When clients were told of as closed.
class clock_of_ends final : public mnet::observer {
public:
    explicit clock_of_ends(simulation::world& world) : world_(world) {}
    void closed(const mnet::observed& who, std::error_code, const mnet::delivery&) noexcept override {
        ends.push_back(world_.elapsed());
        clients.push_back(who.client);
    }
    std::vector<std::chrono::nanoseconds> ends{};
    std::vector<std::uint64_t> clients{};

private:
    simulation::world& world_;
};

void echo(mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); }

mnet::task<mnet::result<>> echo_coroutine(mnet::client& client) {
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        (void)client.send(message->bytes());
    }
}

/// Asks once a second, until nobody answers any more.
mnet::task<void> ask_on(mnet::mtcp::loop& loop, std::string address, simulation::world& world) {
    auto connected = co_await mnet::mtcp::async_connect(loop, address);
    if (!connected) co_return;
    mnet::client client = *std::move(connected);
    while (client.send("still there?")) {
        const auto answer = co_await client.async_read({.deadline = mnet::within(500ms)});
        if (!answer) {
            world.expect(answer.error() != std::errc::timed_out, "who is not told to end is served as ever");
            break;
        }
        mnet::task<void> nap = simulation::pause(loop, 1s);
        co_await std::move(nap);
    }
    (void)co_await client.async_close();
}

template <typename Handler>
void stop_one_after_the_other(Handler handler) {
    constexpr int crowd = 20;
    simulation::world world({});
    clock_of_ends clock(world);
    {
        auto server = world.listen({.observer = &clock}, handler, machine{0});
        for (int number = 0; number < crowd; ++number) {
            world.start("asker", ask_on(world.make_loop(machine{1}), server->address(), world));
        }
        world.run_for(5s);
        const auto before = world.elapsed();
        const mnet::farewell end = server->stop({.deadline = mnet::within(60s), .over = 20s});
        EXPECT_TRUE(end.complete());
        EXPECT_EQ(end.clients_drained, std::uint64_t{crowd});
        ASSERT_EQ(clock.ends.size(), std::size_t{crowd});
        EXPECT_TRUE(std::ranges::is_sorted(clock.clients)) << "first come, first told";
        for (int number = 0; number < crowd; ++number) {
            const auto since = clock.ends[static_cast<std::size_t>(number)] - before;
            EXPECT_GE(since, number * 1s);
            EXPECT_LE(since, (number + 1) * 1s + 2s);
        }
        EXPECT_TRUE(world.run(1h));
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(Endings, OfAStopThatTakesItsTimeComeOneAfterTheOther) {
    stop_one_after_the_other(echo);
    stop_one_after_the_other(echo_coroutine);
}

TEST(Endings, OfAStopThatTakesItsTimeKeepToTheDeadline) {
    simulation::world world({});
    clock_of_ends clock(world);
    {
        auto server = world.listen({.observer = &clock}, echo, machine{0});
        for (int number = 0; number < 20; ++number) {
            world.start("asker", ask_on(world.make_loop(machine{1}), server->address(), world));
        }
        world.run_for(5s);
        const auto before = world.elapsed();
        EXPECT_TRUE(server->stop({.deadline = mnet::within(4s), .over = 1h}).complete());
        world.expect_within(before, 4s, "a stop keeps its deadline");
        EXPECT_GE(world.elapsed() - before, 2s);
        EXPECT_TRUE(world.run(1h));
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

/// Talks on until nobody listens any more; reads afterwards.
mnet::task<void> talk_on(mnet::mtcp::loop& loop, std::string address, std::uint64_t& answers) {
    auto connected = co_await mnet::mtcp::async_connect(loop, address);
    if (!connected) co_return;
    mnet::client client = *std::move(connected);
    (void)client.send("question");
    for (int number = 0; number < 100; ++number) {
        if (!client.send("and another thing") || !co_await client.async_flush()) break;
        mnet::task<void> nap = simulation::pause(loop, 10ms);
        co_await std::move(nap);
    }
    while (co_await client.async_read({.deadline = mnet::within(1min)})) ++answers;
    (void)co_await client.async_close();
}

mnet::task<mnet::result<>> answer_and_leave(mnet::client& client) {
    (void)co_await client.async_read();
    for (int number = 0; number < 50; ++number) (void)client.send("an answer");
    co_return mnet::result<>();
}

TEST(Endings, OfAServerWhoseClientTalksOnTakeNoAnswerFromIt) {
    simulation::world world({});
    std::uint64_t answers = 0;
    {
        auto server = world.listen({}, answer_and_leave, machine{0});
        world.start("talker", talk_on(world.make_loop(machine{1}), server->address(), answers));
        EXPECT_TRUE(world.run(1h));
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
    EXPECT_EQ(answers, 50U);
}

}  // namespace
