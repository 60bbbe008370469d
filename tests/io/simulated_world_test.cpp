// The simulated world: what it adds to an engine. One seed is one run; time is virtual; misfortune comes by chance or by order; and
// misuse ends with a sentence.
#include "io/simulated/world.hpp"

#include "probes.hpp"
#include "simulated_scene.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace io_test {
namespace {

using namespace std::chrono_literals;
using io::simulated::world;

/// Some bytes there and all of them back, through every loss-free fault; what happened, as text.
std::string echo_with(std::uint64_t seed) {
    scene scene(seed, io::simulated::lossless_faults());
    scene.start();
    std::unique_ptr<pump> there;
    scene.client.on_connected = [&] {
        there = std::make_unique<pump>(scene.client, std::vector<std::byte>(20'000, std::byte{7}));
        scene.client.keeps_receiving = true;
        scene.client_loop->receive(scene.client);
    };
    std::vector<std::unique_ptr<pump>> back;
    scene.server.keeps_receiving = true;
    scene.universe.run_until([&] {
        if (scene.server.open() && !scene.server.wants_receive) scene.server_loop->receive(scene.server);
        if (scene.server.bytes.size() == 20'000 && back.empty()) back.push_back(std::make_unique<pump>(scene.server, scene.server.bytes));
        return scene.client.bytes.size() == 20'000;
    });
    return scene.universe.report();
}

TEST(SimulatedWorld, RunsTheSameWithTheSameSeed) {
    EXPECT_EQ(echo_with(11), echo_with(11));
    EXPECT_NE(echo_with(11).substr(echo_with(11).find('\n')), echo_with(12).substr(echo_with(12).find('\n')));
}

TEST(SimulatedWorld, ThrowsTheSameDiceEverywhere) {
    io::simulated::random dice(42);
    EXPECT_EQ(dice.next(), 1546998764402558742U);
    EXPECT_EQ(dice.next(), 6990951692964543102U);
    for (int thrown = 0; thrown < 1000; ++thrown) {
        const auto number = dice.between(std::uint64_t{3}, std::uint64_t{5});
        EXPECT_TRUE(number >= 3 && number <= 5);
        EXPECT_FALSE(dice.chance(0));
        EXPECT_TRUE(dice.chance(1));
    }
}

TEST(SimulatedWorld, SkipsTheTimeInWhichNothingHappens) {
    world universe(1);
    const auto loop = universe.make_loop();
    int days = 0;
    struct calendar {
        io::loop& loop;
        int& days;
        mnet::base::timer midnight{this, [](void* self) noexcept { static_cast<calendar*>(self)->turn(); }};
        void turn() {
            if (++days < 3650) loop.set(midnight, loop.now() + 24h);
        }
    } calendar{*loop, days};
    const auto start = universe.now();
    loop->set(calendar.midnight, start + 24h);
    EXPECT_TRUE(universe.run_until([&] { return days == 3650; }));
    EXPECT_GE(universe.now() - start, 3650 * 24h);
}

TEST(SimulatedWorld, ServesAnotherLoopWhileOneWaits) {
    scene scene;
    scene.start();
    std::unique_ptr<pump> answer;
    scene.server.on_received = [&] { answer = std::make_unique<pump>(scene.server, scene.server.bytes); };
    scene.listener.on_accepted = [&](int handle) {
        ASSERT_TRUE(scene.server_loop->attach(scene.server, handle).has_value());
        scene.server_loop->receive(scene.server);
    };
    // Only the client's loop is ever run, as a blocking client does.
    while (!scene.client.connect_outcome) scene.client_loop->run_once(io::never);
    const pump question(scene.client, {std::byte{3}});
    scene.client_loop->receive(scene.client);
    while (scene.client.bytes.empty()) scene.client_loop->run_once(io::never);
    EXPECT_EQ(scene.client.bytes, question.bytes());
}

TEST(SimulatedWorld, ResetsByOrder) {
    scene scene;
    scene.connect();
    scene.client_loop->receive(scene.client);
    scene.server_loop->receive(scene.server);
    scene.universe.reset(scene.client.handle);
    scene.universe.run_until([&] { return scene.client.received_count == 1 && scene.server.received_count == 1; });
    for (const auto* each : {&scene.client, &scene.server}) {
        ASSERT_EQ(each->receive_errors.size(), 1U);
        EXPECT_EQ(each->receive_errors[0], std::errc::connection_reset);
    }
}

TEST(SimulatedWorld, CutsAConnectionAfterSoManyBytes) {
    scene scene;
    scene.connect();
    scene.universe.cut_after(scene.client.handle, 1234);
    const pump there(scene.client, std::vector<std::byte>(10'000));
    scene.server.keeps_receiving = true;
    scene.server_loop->receive(scene.server);
    scene.universe.run_until([&] { return !scene.server.receive_errors.empty(); });
    EXPECT_EQ(scene.server.bytes.size(), 1234U);
    EXPECT_EQ(scene.server.receive_errors[0], std::errc::connection_reset);
}

TEST(SimulatedWorld, DeliversNothingBetweenEndsThatVanished) {
    scene scene;
    scene.connect();
    scene.universe.vanish(scene.server.handle);
    const pump in_vain(scene.client, {std::byte{1}});
    scene.server_loop->receive(scene.server);
    scene.client_loop->receive(scene.client);
    scene.universe.run_until(scene.universe.now() + 10min);
    EXPECT_EQ(scene.server.received_count, 0);
    EXPECT_EQ(scene.client.received_count, 0) << "not even an end or a reset";
    EXPECT_EQ(scene.client_loop->unacknowledged_bytes(scene.client), 1U);
    scene.universe.run_until([&] { return scene.client.received_count == 1; });
    EXPECT_EQ(scene.client.receive_errors.at(0), std::errc::timed_out) << "a kernel does not retry for ever";
}

TEST(SimulatedWorld, LosesASilentPeerByKeepAlive) {
    scene scene;
    scene.connect();
    scene.client_loop->configure(scene.client, {.keep_alive = 5s, .user_timeout = {}});
    scene.client_loop->receive(scene.client);
    scene.universe.run_until(scene.universe.now() + 1min);
    EXPECT_EQ(scene.client.received_count, 0) << "a peer that is there answers the probes";
    const auto vanished = scene.universe.now();
    scene.universe.vanish(scene.client.handle);
    scene.universe.run_until([&] { return scene.client.received_count == 1; });
    EXPECT_EQ(scene.client.receive_errors.at(0), std::errc::timed_out);
    EXPECT_GE(scene.universe.now() - vanished, 5s);
    EXPECT_LE(scene.universe.now() - vanished, 11s);
}

TEST(SimulatedWorld, LosesAPeerThatAcknowledgesNothingByUserTimeout) {
    scene scene;
    scene.connect();
    scene.client_loop->configure(scene.client, {.keep_alive = {}, .user_timeout = 3s});
    const pump too_much(scene.client, std::vector<std::byte>(1 << 20));
    const auto start = scene.universe.now();
    scene.universe.run_until([&] { return too_much.error().has_value(); });
    EXPECT_EQ(*too_much.error(), std::errc::timed_out);
    EXPECT_GE(scene.universe.now() - start, 3s);
}

TEST(SimulatedWorld, HoldsNoMoreThanItsBuffers) {
    scene scene(1, {.send_buffer_bytes = 1000, .receive_buffer_bytes = 500});
    scene.connect();
    const pump there(scene.client, std::vector<std::byte>(10'000));
    EXPECT_EQ(there.sent(), 1000U);
    scene.universe.run_until(scene.universe.now() + 1s);
    EXPECT_EQ(there.sent(), 1500U);
    EXPECT_EQ(scene.client_loop->unacknowledged_bytes(scene.client), 1000U);
}

TEST(SimulatedWorld, RefusesConnectsByChance) {
    scene scene(1, {.refusals = 1});
    scene.start();
    scene.universe.run_until([&] { return scene.client.connect_outcome.has_value(); });
    EXPECT_EQ(scene.client.connect_outcome->error(), std::errc::connection_refused);
}

TEST(SimulatedWorld, FailsAcceptsByChanceAndKeepsTheConnection) {
    scene scene(1, {.accept_failures = 1});
    scene.start();
    scene.universe.run_until([&] { return !scene.listener.errors.empty(); });
    EXPECT_EQ(scene.listener.errors[0], std::errc::too_many_files_open);
    scene.universe.luck.accept_failures = 0;
    scene.server_loop->accept(scene.listener);
    EXPECT_TRUE(scene.universe.run_until([&] { return scene.server.open(); }));
}

TEST(SimulatedWorld, FailsAttachesByChanceAndClosesTheHandle) {
    scene scene(1, {.attach_failures = 1});
    scene.start();
    scene.universe.run_until([&] { return !scene.listener.handles.empty() && scene.client.open() && !scene.client.connecting; });
    EXPECT_FALSE(scene.server.open());
    scene.client_loop->receive(scene.client);
    EXPECT_TRUE(scene.universe.run_until([&] { return scene.client.ends == 1; }));
}

TEST(SimulatedWorld, ResetsAndVanishesByChance) {
    for (const bool vanishing : {false, true}) {
        scene scene;
        scene.connect();
        (vanishing ? scene.universe.luck.vanishings : scene.universe.luck.resets) = 1;
        const pump there(scene.client, {std::byte{1}});
        scene.client_loop->receive(scene.client);
        scene.universe.run_until([&] { return scene.client.received_count == 1; });
        EXPECT_EQ(scene.client.receive_errors.at(0), vanishing ? std::errc::timed_out : std::errc::connection_reset);
    }
}

TEST(SimulatedWorld, LetsAConnectWaitForRoomInTheBacklog) {
    world universe(1);
    const auto loop = universe.make_loop();
    probe_listener listener(*loop);
    const auto bound = loop->listen(listener, any_port, {.backlog = 0});
    probe_stream first(*loop);
    probe_stream second(*loop);
    loop->connect(first, *bound);
    loop->connect(second, *bound);
    universe.run_until(universe.now() + 10s);
    EXPECT_TRUE(first.connect_outcome.has_value());
    EXPECT_FALSE(second.connect_outcome.has_value());
    loop->accept(listener);
    EXPECT_TRUE(universe.run_until([&] { return second.connect_outcome && second.connect_outcome->has_value(); }));
}

TEST(SimulatedWorld, JumpsItsClockByOrderAndByChance) {
    world universe(1, {.clock_jumps = 1, .clock_jump_max = 1h});
    const auto loop = universe.make_loop();
    const auto start = universe.now();
    universe.jump(1min);
    EXPECT_EQ(universe.now() - start, 1min);
    loop->wake();
    loop->run_once(io::never);
    EXPECT_GT(universe.now() - start, 1min + 1ms);
}

TEST(SimulatedWorld, ClosesWhatALoopLeavesOpen) {
    scene scene;
    scene.connect();
    scene.client_loop->receive(scene.client);
    scene.server_loop.reset();
    EXPECT_TRUE(scene.universe.run_until([&] { return scene.client.ends == 1; }));
    scene.client_loop.reset();
    EXPECT_EQ(scene.universe.open_handles(), 0U);
}

/// Runs a connection on which the client sent so many bytes, the server received them or not, and both closed, together or not.
void expect_forgotten(std::size_t bytes, bool received, bool together) {
    SCOPED_TRACE(testing::Message() << bytes << " bytes, received " << received << ", closed together " << together);
    scene scene;
    scene.connect();
    EXPECT_EQ(scene.universe.kernel_sockets(), 2U);
    const pump last(scene.client, std::vector<std::byte>(bytes));
    scene.server.keeps_receiving = true;
    if (received) scene.server_loop->receive(scene.server);
    scene.universe.run_until(scene.universe.now() + 1s);
    scene.client_loop->close(scene.client);
    if (!together) scene.universe.run_until(scene.universe.now() + 1s);
    scene.server_loop->close(scene.server);
    scene.universe.run_until(scene.universe.now() + 1s);
    EXPECT_EQ(scene.universe.kernel_sockets(), 0U);
}

TEST(SimulatedWorld, ForgetsConnectionsThatHaveEnded) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{1} << 20}) {  // the second stays on its way until it is received
        for (const bool received : {false, true}) {
            for (const bool together : {false, true}) expect_forgotten(bytes, received, together);
        }
    }
}

TEST(SimulatedWorld, KeepsATraceOfBoundedLength) {
    scene scene;
    scene.connect();
    const pump there(scene.client, std::vector<std::byte>(5'000'000));
    scene.server.keeps_receiving = true;
    scene.server_loop->receive(scene.server);
    scene.universe.run_until([&] { return scene.server.bytes.size() == 5'000'000; });
    const std::string text = scene.universe.history().text();
    EXPECT_GT(scene.universe.history().added(), io::simulated::trace::entries_max);
    EXPECT_EQ(std::ranges::count(text, '\n'), static_cast<std::ptrdiff_t>(io::simulated::trace::entries_max));
    EXPECT_NE(text.find("bytes arrive"), text.npos);
}

TEST(SimulatedWorld, StopsAtTheLimitOfAWait) {
    world universe(1);
    const auto loop = universe.make_loop();
    const auto start = universe.now();
    EXPECT_FALSE(universe.run_until([] { return false; }, start + 1s));
    EXPECT_EQ(universe.now(), start + 1s);
    loop->run_once(start + 2s);
    EXPECT_GE(universe.now(), start + 2s);
}

using SimulatedWorldDeathTest = testing::Test;

TEST(SimulatedWorldDeathTest, NamesTheSeedOfADeadlock) {
    EXPECT_DEATH(
        {
            world universe(77);
            universe.make_loop()->run_once(io::never);
        },
        "nothing can ever happen any more(.|\n)*seed 77");
}

TEST(SimulatedWorldDeathTest, IsNotEnteredFromAnAnswer) {
    EXPECT_DEATH(
        {
            world universe(1);
            const auto loop = universe.make_loop();
            loop->on_wake(loop.get(), [](void* owner) noexcept { static_cast<io::loop*>(owner)->run_once(io::never); });
            loop->wake();
            loop->run_once(io::never);
        },
        "from inside an answer");
}

TEST(SimulatedWorldDeathTest, IsNotUsedFromAnotherThread) {
    EXPECT_DEATH(
        {
            world universe(1);
            const auto loop = universe.make_loop();
            std::jthread([&] { loop->wake(); }).join();
        },
        "from a thread that did not make it");
}

TEST(SimulatedWorldDeathTest, NoticesBytesThatChangeWhileTheEngineHasThem) {
    EXPECT_DEATH(
        {
            scene scene(1, {.pending_sends = 1});
            scene.connect();
            std::vector<std::byte> bytes(10);
            (void)scene.client_loop->send(scene.client, bytes);
            bytes[3] = std::byte{1};
            scene.universe.run_until(scene.universe.now() + 1s);
        },
        "bytes were changed");
}

TEST(SimulatedWorldDeathTest, RefusesRequestsOnAStreamThatIsClosed) {
    EXPECT_DEATH(
        {
            scene scene;
            scene.connect();
            scene.client_loop->close(scene.client);
            scene.client_loop->receive(scene.client);
        },
        "not open");
}

}  // namespace
}  // namespace io_test
