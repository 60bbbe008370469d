// The public simulation: users' handlers and clients on it, faults by order, the checks that it makes by itself, and what it says.
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace mnet {
namespace {

using namespace std::chrono_literals;
using simulation::machine;
using simulation::world;

constexpr auto echo_message = [](client& client, message message) noexcept { (void)client.send(message.bytes()); };

task<result<>> echo_each(client& client) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        auto sent = client.send(message->bytes());
        if (!sent) co_return sent;
    }
}

task<void> ask(mtcp::loop& loop, std::string address, int questions, std::vector<std::string>& answers, std::error_code& error) {
    auto connected = co_await mtcp::async_connect(loop, address);
    if (!connected) {
        error = connected.error();
        co_return;
    }
    client client = *std::move(connected);
    for (int number = 0; number < questions && !error; ++number) {
        (void)client.send("question " + std::to_string(number));
        const auto message = co_await client.async_read();
        if (message) {
            answers.emplace_back(message->text());
        } else {
            error = message.error();
        }
    }
    if (!error) (void)co_await client.async_close();
}

/// One client that asks a server a thousand questions; `during` may disturb them.
struct conversation {
    std::vector<std::string> answers{};
    std::error_code error{};
    simulation::verdict verdict{};
    std::size_t pauses = 0;

    template <typename Handler, typename During>
    void hold(const simulation::settings& how, Handler handler, During during) {
        world world(how);
        {
            auto server = world.listen({.dead_after = 30s}, handler, machine{0});
            ASSERT_TRUE(server) << server.error().message();
            world.start("asker", ask(world.make_loop(machine{1}), server->address(), 1000, answers, error));
            during(world);
            EXPECT_TRUE(world.run(24h));
        }
        verdict = world.finish();
    }
};

constexpr auto nothing = [](world&) {};

TEST(Simulation, RunsPerMessageHandlersAndCoroutinesAsTheyAre) {
    conversation messages;
    messages.hold({.faults = simulation::lossless_faults()}, echo_message, nothing);
    conversation coroutines;
    coroutines.hold({.faults = simulation::lossless_faults()}, echo_each, nothing);
    for (const conversation* each : {&messages, &coroutines}) {
        EXPECT_TRUE(each->verdict) << each->verdict.report;
        EXPECT_FALSE(each->error) << each->error.message();
        ASSERT_EQ(each->answers.size(), 1000U);
        EXPECT_EQ(each->answers[999], "question 999");
        EXPECT_EQ(each->verdict.connections, 2U);
        EXPECT_EQ(each->verdict.frames, 2000U);
        EXPECT_GT(each->verdict.injected.short_sends, 100U);
    }
}

TEST(Simulation, RunsTheSameWithTheSameSeed) {
    conversation first;
    conversation second;
    conversation other;
    first.hold({.seed = 5, .faults = simulation::lossless_faults()}, echo_each, nothing);
    second.hold({.seed = 5, .faults = simulation::lossless_faults()}, echo_each, nothing);
    other.hold({.seed = 6, .faults = simulation::lossless_faults()}, echo_each, nothing);
    EXPECT_EQ(first.verdict.elapsed, second.verdict.elapsed);
    EXPECT_EQ(first.verdict.injected.total(), second.verdict.injected.total());
    EXPECT_NE(first.verdict.elapsed, other.verdict.elapsed);
}

TEST(Simulation, HidesAPartitionFromWhoHasPatience) {
    conversation parted;
    parted.hold({}, echo_each, [](world& world) { world.after(5ms, [&] { world.part(machine{0}, machine{1}, 10s); }); });
    EXPECT_TRUE(parted.verdict) << parted.verdict.report;
    EXPECT_EQ(parted.answers.size(), 1000U);
    EXPECT_GE(parted.verdict.elapsed, 10s);
    EXPECT_EQ(parted.verdict.injected.partitions, 1U);
}

TEST(Simulation, EndsAPartitionByOrder) {
    conversation parted;
    parted.hold({}, echo_each, [](world& world) {
        world.after(5ms, [&] { world.part(machine{0}, machine{1}); });
        world.after(3s, [&] { world.reunite(machine{0}, machine{1}); });
    });
    EXPECT_TRUE(parted.verdict) << parted.verdict.report;
    EXPECT_EQ(parted.answers.size(), 1000U);
}

TEST(Simulation, ChangesLuckWhileItRuns) {
    conversation unlucky;
    unlucky.hold({}, echo_each, [](world& world) { world.after(5ms, [&] { world.luck().resets = 1; }); });
    EXPECT_TRUE(unlucky.verdict) << unlucky.verdict.report;
    EXPECT_EQ(unlucky.error, std::errc::connection_reset);
    EXPECT_LT(unlucky.answers.size(), 1000U);
}

/// A server, a blocking client, and what happens to their connection by order.
template <typename Disturb>
std::error_code after(Disturb disturb, const mtcp::connect_options& options = {}) {
    std::error_code error;
    world world({.seed = 3});
    {
        auto server = world.listen({}, echo_message);
        auto client = world.connect(server->address(), options);
        EXPECT_TRUE(client->send("before"));
        EXPECT_TRUE(client->read());
        disturb(world, *client);
        (void)client->send("after");
        if (const auto flushed = client->flush(); !flushed) error = flushed.error();  // a kernel tells its error once
        if (const auto answer = client->read({.deadline = within(1h)}); !answer && !error) error = answer.error();
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
    return error;
}

TEST(Simulation, DisturbsAConnectionByOrder) {
    EXPECT_EQ(after([](world&, client&) {}), std::error_code());
    EXPECT_EQ(after([](world& world, client& client) { world.reset(client); }), std::errc::connection_reset);
    EXPECT_EQ(after([](world& world, client& client) { world.cut_after(client, 3); }), std::errc::connection_reset);
    EXPECT_EQ(after([](world& world, client& client) { world.vanish(client); }, {.dead_after = 5s}), errc::peer_silent);
    EXPECT_EQ(after([](world& world, client& client) { world.slow_down(client); }), std::error_code());
    EXPECT_EQ(after([](world& world, client&) { world.jump(10s); }), std::error_code());
}

TEST(Simulation, CutsAConversationAtEveryByte) {
    for (std::size_t bytes = 1; bytes < 30; ++bytes) {
        world world({.seed = bytes});
        std::size_t answers = 0;
        {
            auto server = world.listen({}, echo_message);
            auto client = world.connect(server->address());
            world.cut_after(*client, bytes);
            for (int question = 0; question < 3; ++question) (void)client->send("question");
            while (client->read()) ++answers;
        }
        EXPECT_LE(answers, bytes / 12);
        const auto verdict = world.finish();
        EXPECT_TRUE(verdict) << verdict.report;
    }
}

task<void> dawdle(mtcp::loop& loop, std::string address, std::chrono::nanoseconds& took, world& world) {
    auto connected = co_await mtcp::async_connect(loop, address);
    client client = *std::move(connected);
    const auto start = world.elapsed();
    co_await simulation::pause(loop, 3s);
    took = world.elapsed() - start;
}

task<result<>> answer_late(client& client) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        const std::string kept(message->text());
        co_await simulation::pause(client, 2s);
        (void)client.send(kept);
    }
}

TEST(Simulation, PausesCoroutinesForVirtualTime) {
    world world({});
    {
        auto server = world.listen({}, answer_late);
        std::chrono::nanoseconds took{0};
        world.start("dawdler", dawdle(world.make_loop(), server->address(), took, world));
        EXPECT_TRUE(world.run(1h));
        EXPECT_GE(took, 3s);
        EXPECT_LE(took, 3s + 10ms);
        auto client = world.connect(server->address());
        const auto start = world.elapsed();
        (void)client->send("well?");
        EXPECT_TRUE(client->read());
        EXPECT_GE(world.elapsed() - start, 2s);
    }
    EXPECT_TRUE(world.finish());
}

TEST(Simulation, RefusesWhatNeedsMoreThanOneThread) {
    world world({});
    const auto blocking = world.listen({}, [](client&) -> result<> { return {}; });
    EXPECT_EQ(blocking.error(), std::errc::operation_not_supported);
    const auto shared = world.listen({.address = "shm://name"}, echo_message);
    EXPECT_EQ(shared.error(), std::errc::operation_not_supported);
}

TEST(Simulation, GivesTheErrorsOfListeningAndConnecting) {
    world world({.faults = {.refusals = 1}});
    {
        auto first = world.listen({.address = "localhost:5050"}, echo_message);
        ASSERT_TRUE(first);
        EXPECT_EQ(first->address(), "127.0.0.1:5050");
        EXPECT_EQ(first->engine(), "simulated");
        EXPECT_EQ(world.listen({.address = "127.0.0.1:5050"}, echo_message).error(), std::errc::address_in_use);
        EXPECT_EQ(world.connect("127.0.0.1:5050").error(), std::errc::connection_refused);
        EXPECT_EQ(world.connect("nonsense://x").error(), errc::invalid_address);
    }
    EXPECT_TRUE(world.finish());
}

TEST(Simulation, RunsForATimeAndUntilNothingIsLeft) {
    world world({});
    world.run_for(5s);
    EXPECT_EQ(world.elapsed(), 5s);
    int called = 0;
    world.after(1s, [&] { ++called; });
    EXPECT_FALSE(world.run_until_quiet(500ms));
    EXPECT_TRUE(world.run_until_quiet(1h));
    EXPECT_EQ(called, 1);
}

task<result<>> echo_and_flush(client& client) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        while (!client.send(message->bytes())) {
            if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
        }
        if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
    }
}

task<void> count_answers(mtcp::loop& loop, std::string address, int& answers) {
    auto connected = co_await mtcp::async_connect(loop, address);
    client client = *std::move(connected);
    while (answers < 200) {
        (void)client.send("question");
        for (bool answered = false; !answered;) {
            const auto message = co_await client.async_read();
            if (!message) co_return;
            answered = message->text() == "question";
        }
        ++answers;
    }
    (void)co_await client.async_close();
}

// The posts that waited for room were committed before the flush was looked at, and left in one go with nobody told.
TEST(Simulation, EndsAFlushAndAPauseWhilePostsWaitForTheSameRoom) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        world world({.seed = seed, .faults = {.short_sends = 0.5, .pending_sends = 0.5}});
        int answers = 0;
        {
            auto server =
                seed % 2 == 0 ? world.listen({.unsent_bytes_max = 8}, echo_and_flush) : world.listen({.unsent_bytes_max = 8}, echo_message);
            for (int post = 0; post < 5000; ++post) world.after(post * 7us, [&] { (void)server->broadcast("post"); });
            world.start("asker", count_answers(world.make_loop(), server->address(), answers));
            EXPECT_TRUE(world.run(1h));
        }
        EXPECT_EQ(answers, 200) << "seed " << seed;
        const auto verdict = world.finish();
        EXPECT_TRUE(verdict) << verdict.report.substr(0, 300);
    }
}

// What it finds.

task<void> wait_for_ever(mtcp::loop& loop, std::string address) {
    auto connected = co_await mtcp::async_connect(loop, address);
    client client = *std::move(connected);
    (void)co_await client.async_read();
}

TEST(SimulationVerdict, NamesWhoWaitsForEver) {
    world world({.seed = 42});
    {
        auto server = world.listen({}, [](client&, message) noexcept {});
        world.start("the patient one", wait_for_ever(world.make_loop(), server->address()));
        EXPECT_FALSE(world.run(1h));
    }
    const auto verdict = world.finish();
    ASSERT_EQ(verdict.broken.size(), 1U);
    EXPECT_NE(verdict.broken[0].find("nothing can ever happen any more"), std::string::npos) << verdict.broken[0];
    EXPECT_NE(verdict.broken[0].find("the patient one"), std::string::npos);
    EXPECT_NE(verdict.report.find("MNET_SEED=42 "), std::string::npos) << "the command that repeats it";
    EXPECT_NE(verdict.report.find("accept"), std::string::npos) << "a trace";
}

TEST(SimulationVerdict, TellsTheCommandThatRepeatsIt) {
    world world({.seed = 42, .again = "program --seed 42"});
    EXPECT_TRUE(world.expect(true, "the sun rises"));
    EXPECT_FALSE(world.expect(false, "the moon is made of cheese"));
    EXPECT_FALSE(world.sound());
    const auto verdict = world.finish();
    ASSERT_EQ(verdict.broken.size(), 1U);
    EXPECT_NE(verdict.report.find("the moon is made of cheese"), std::string::npos);
    EXPECT_NE(verdict.report.find("again with:  program --seed 42\n"), std::string::npos);
}

TEST(SimulationVerdict, SeesWhatTookTooLong) {
    world world({});
    const auto start = world.elapsed();
    world.run_for(1s);
    EXPECT_TRUE(world.expect_within(start, 1s, "a second passes in a second"));
    EXPECT_FALSE(world.expect_within(start, 900ms, "a second passes in less"));
    world.jump(1min);
    EXPECT_TRUE(world.expect_within(start, 1s, "a jump of the clock is nobody's fault"));
    const auto afterwards = world.elapsed();
    world.run_for(1s);
    EXPECT_FALSE(world.expect_within(afterwards, 900ms, "a jump before that is no excuse"));
}

TEST(SimulationVerdict, SeesWhatWasLeftOpen) {
    world world({});
    auto server = world.listen({}, echo_message);
    const auto verdict = world.finish();
    ASSERT_EQ(verdict.broken.size(), 1U);
    EXPECT_NE(verdict.broken[0].find("no handle is open"), std::string::npos) << verdict.broken[0];
}

task<void> fail_loudly() {
    throw std::runtime_error("loudly");
    co_return;
}

TEST(SimulationVerdict, SeesAnExceptionThatNobodyCaught) {
    world world({});
    world.start("the loud one", fail_loudly());
    EXPECT_TRUE(world.run(1s));
    const auto verdict = world.finish();
    ASSERT_EQ(verdict.broken.size(), 1U);
    EXPECT_NE(verdict.broken[0].find("an exception left the loud one"), std::string::npos);
}

TEST(SimulationSeed, ComesFromTheEnvironment) {
    ::unsetenv("MNET_SEED");
    EXPECT_EQ(simulation::seed_or(7), 7U);
    ::setenv("MNET_SEED", "0x10", 1);
    EXPECT_EQ(simulation::seed_or(7), 16U);
    ::unsetenv("MNET_SEED");
}

}  // namespace
}  // namespace mnet
