// What can go wrong between machines and inside them: lines of a bandwidth, partitions, slow readers, wakes that come twice, cuts at every
// byte; by chance and by order, counted; and who watches the world.
#include "io/simulated/observer.hpp"
#include "io/simulated/random.hpp"
#include "io/simulated/world.hpp"

#include "probes.hpp"
#include "simulated_scene.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace io_test {
namespace {

using namespace std::chrono_literals;
using io::simulated::world;

TEST(SimulatedFaults, LetsNoMoreThroughThanTheLineCarries) {
    scene scene(1, {.bandwidth_bytes = 1'000'000});
    scene.connect();
    const auto start = scene.universe.now();
    const pump there(scene.client, std::vector<std::byte>(500'000));
    scene.server.keeps_receiving = true;
    scene.server_loop->receive(scene.server);
    scene.universe.run_until([&] { return scene.server.bytes.size() == 500'000; });
    EXPECT_GE(scene.universe.now() - start, 500ms);
    EXPECT_LE(scene.universe.now() - start, 600ms);
}

TEST(SimulatedFaults, DeliversAfterAPartitionWhatWasSentDuringIt) {
    scene scene;
    scene.connect();
    scene.universe.part(1, 2, 5s);
    const pump there(scene.client, {std::byte{1}, std::byte{2}});
    scene.server_loop->receive(scene.server);
    scene.universe.run_until(scene.universe.now() + 5s);
    EXPECT_EQ(scene.server.received_count, 0);
    scene.universe.run_until([&] { return scene.server.received_count == 1; }, scene.universe.now() + 10s);
    EXPECT_EQ(scene.server.bytes, there.bytes());
    EXPECT_EQ(scene.universe.injected().partitions, 1U);
}

TEST(SimulatedFaults, EndsAPartitionByOrder) {
    scene scene;
    scene.connect();
    scene.universe.part(1, 2);
    const pump there(scene.client, {std::byte{1}});
    scene.server_loop->receive(scene.server);
    scene.universe.run_until(scene.universe.now() + 10s);
    EXPECT_EQ(scene.server.received_count, 0);
    scene.universe.reunite(2, 1);
    scene.universe.run_until([&] { return scene.server.received_count == 1; });
    EXPECT_EQ(scene.server.bytes, there.bytes());
}

TEST(SimulatedFaults, PartsOnlyTheMachinesThatAreNamed) {
    scene scene;
    scene.connect();
    scene.universe.part(1, 3);
    const pump there(scene.client, {std::byte{1}});
    scene.server_loop->receive(scene.server);
    scene.universe.run_until(scene.universe.now() + 1s);
    EXPECT_EQ(scene.server.received_count, 1);
}

TEST(SimulatedFaults, GivesAPeerUpThatAPartitionHides) {
    scene scene;
    scene.connect();
    scene.client_loop->configure(scene.client, {.keep_alive = 5s, .user_timeout = 5s});
    scene.client_loop->receive(scene.client);
    scene.universe.part(1, 2);
    const auto start = scene.universe.now();
    scene.universe.run_until([&] { return scene.client.received_count == 1; });
    EXPECT_EQ(scene.client.receive_errors.at(0), std::errc::timed_out);
    EXPECT_LE(scene.universe.now() - start, 6s);
}

TEST(SimulatedFaults, GivesUpSendingAcrossAPartitionWithoutEnd) {
    scene scene;
    scene.connect();
    scene.universe.part(1, 2);
    const pump in_vain(scene.client, {std::byte{1}});
    scene.client_loop->receive(scene.client);
    scene.universe.run_until([&] { return scene.client.received_count == 1; });
    EXPECT_EQ(scene.client.receive_errors.at(0), std::errc::timed_out);
}

TEST(SimulatedFaults, FindsOutAfterAPartitionThatAFullPeerWentAway) {
    scene scene(1, {.receive_buffer_bytes = 10});
    scene.connect();
    const pump too_much(scene.client, std::vector<std::byte>(100));
    scene.client_loop->receive(scene.client);
    scene.universe.run_until(scene.universe.now() + 1s);
    scene.universe.part(1, 2, 5s);
    scene.server_loop->close(scene.server);
    scene.universe.run_until([&] { return scene.client.received_count == 1; }, scene.universe.now() + 1min);
    ASSERT_EQ(scene.client.receive_errors.size(), 1U);
    EXPECT_EQ(scene.client.receive_errors[0], std::errc::connection_reset);
}

TEST(SimulatedFaults, FindsOutThatAFullPeerGaveUpDuringAPartition) {
    scene scene(1, {.receive_buffer_bytes = 10});
    scene.connect();
    scene.server_loop->configure(scene.server, {.keep_alive = 5s, .user_timeout = 5s});
    const pump stuck(scene.client, std::vector<std::byte>(100));
    scene.universe.run_until(scene.universe.now() + 1s);  // the peer's window is closed
    scene.universe.part(1, 2, 20s);
    scene.universe.run_until(scene.universe.now() + 10s);
    scene.server_loop->close(scene.server);
    scene.client_loop->close(scene.client);
    scene.universe.run_until(scene.universe.now() + 1h);
    EXPECT_EQ(scene.universe.kernel_sockets(), 0U);
}

TEST(SimulatedFaults, LetsAConnectWaitForTheEndOfAPartition) {
    scene scene;
    scene.universe.part(1, 2, 3s);
    scene.start();
    scene.universe.run_until(scene.universe.now() + 2s);
    EXPECT_FALSE(scene.client.connect_outcome.has_value());
    EXPECT_TRUE(scene.universe.run_until([&] { return scene.client.connect_outcome && *scene.client.connect_outcome; }));
}

TEST(SimulatedFaults, PartsMachinesByChance) {
    scene scene;
    scene.connect();
    scene.universe.luck.partitions = 1;
    scene.universe.luck.partition_length = {.min = 1s, .max = 2s};
    const pump there(scene.client, {std::byte{1}});
    scene.server_loop->receive(scene.server);
    scene.universe.run_until(scene.universe.now() + 1s);
    EXPECT_EQ(scene.server.received_count, 0);
    EXPECT_EQ(scene.universe.injected().partitions, 1U);
}

TEST(SimulatedFaults, LetsASlowReaderWaitForEveryAnswer) {
    scene scene;
    scene.connect();
    scene.universe.luck.slow_read_delay = {.min = 1s, .max = 1s};
    scene.universe.slow_down(scene.server.handle);
    const auto start = scene.universe.now();
    const pump there(scene.client, std::vector<std::byte>(3 * 4096));
    scene.server.keeps_receiving = true;
    scene.server_loop->receive(scene.server);
    scene.universe.run_until([&] { return scene.server.bytes.size() == std::size_t{3} * 4096; });
    EXPECT_GE(scene.universe.now() - start, 3s);
    EXPECT_EQ(scene.universe.injected().slow_readers, 1U);
}

TEST(SimulatedFaults, ChoosesSlowReadersByChance) {
    scene scene(1, {.slow_readers = 1, .slow_read_delay = {.min = 1s, .max = 1s}});
    scene.connect();
    const auto start = scene.universe.now();
    const pump there(scene.client, {std::byte{1}});
    scene.server_loop->receive(scene.server);
    scene.universe.run_until([&] { return scene.server.received_count == 1; });
    EXPECT_GE(scene.universe.now() - start, 1s);
    EXPECT_EQ(scene.universe.injected().slow_readers, 2U) << "both ends";
}

TEST(SimulatedFaults, WakesALoopTwice) {
    world universe(1, {.duplicate_wakes = 1});
    const auto loop = universe.make_loop();
    int woken = 0;
    loop->on_wake(&woken, [](void* count) noexcept { ++*static_cast<int*>(count); });
    loop->wake();
    universe.run_until(universe.now() + 1s);
    EXPECT_EQ(woken, 2);
    EXPECT_EQ(universe.injected().duplicate_wakes, 1U);
}

TEST(SimulatedFaults, CutsAtEveryByte) {
    const std::string text = "sixteen bytes...";
    for (std::size_t bytes = 1; bytes <= text.size(); ++bytes) {
        scene scene;
        scene.connect();
        scene.universe.cut_after(scene.client.handle, bytes);
        const auto sent = bytes_of(text);
        const pump there(scene.client, {sent.begin(), sent.end()});
        scene.server.keeps_receiving = true;
        scene.server_loop->receive(scene.server);
        scene.universe.run_until([&] { return !scene.server.receive_errors.empty(); });
        EXPECT_EQ(scene.server.text(), text.substr(0, bytes));
    }
}

TEST(SimulatedFaults, CountsTablesAndBuffersThatAreFull) {
    scene scene(1, {.send_buffer_bytes = 10, .receive_buffer_bytes = 10, .handles_max = 3});
    scene.connect();
    const pump there(scene.client, std::vector<std::byte>(100));
    scene.universe.run_until(scene.universe.now() + 1s);
    EXPECT_GE(scene.universe.injected().full_buffers, 2U);
    probe_stream one_more(*scene.client_loop);
    scene.client_loop->connect(one_more, any_port);
    EXPECT_EQ(scene.universe.injected().full_tables, 1U);
    scene.universe.run_until([&] { return one_more.connect_outcome.has_value(); });
    EXPECT_EQ(one_more.connect_outcome->error(), std::errc::too_many_files_open);
}

TEST(SimulatedFaults, CallsWhatWasOrderedForATime) {
    world universe(1);
    const auto start = universe.now();
    std::vector<int> order;
    universe.call_after(2s, [&] { order.push_back(2); });
    universe.call_after(1s, [&] {
        order.push_back(1);
        universe.call_after(500ms, [&] { order.push_back(15); });
    });
    universe.run_until([&] { return order.size() == 3; });
    EXPECT_EQ(order, (std::vector{1, 15, 2}));
    EXPECT_GE(universe.now() - start, 2s);
}

TEST(SimulatedFaults, ThrowsWhatWasOrderedFirst) {
    io::simulated::random dice(7);
    io::simulated::random others(7);
    const std::vector<std::byte> throws{std::byte{0}, std::byte{255}, std::byte{3}};
    dice.follow(throws);
    EXPECT_TRUE(dice.chance(0.01));
    EXPECT_FALSE(dice.chance(0.99));
    EXPECT_EQ(dice.between(std::uint64_t{0}, std::uint64_t{255}), 3U);
    EXPECT_EQ(dice.next(), others.next());
}

TEST(SimulatedFaults, SaysHowFarTheClockJumped) {
    world universe(1);
    const auto start = universe.now();
    universe.jump(1min);
    const auto between = universe.now();
    universe.jump(2min);
    EXPECT_EQ(universe.jumped(start), 3min);
    EXPECT_EQ(universe.jumped(between), 2min);
    EXPECT_EQ(universe.jumped(universe.now()), 0min);
    EXPECT_EQ(universe.injected().clock_jumps, 2U);
}

TEST(SimulatedFaults, TellsHowToRepeatARun) {
    world universe(77);
    EXPECT_NE(universe.report().find("again with:  MNET_SEED=77 "), std::string::npos);
    universe.remember_how("program --seed 77");
    EXPECT_NE(universe.report().find("again with:  program --seed 77\n"), std::string::npos);
}

class counting_observer final : public io::simulated::observer {
public:
    std::size_t opened_count = 0, taken_bytes = 0, given_bytes = 0, left_count = 0, ended_count = 0, stepped_count = 0;

    void opened(const io::simulated::socket&) override { ++opened_count; }
    void taken(const io::simulated::socket&, std::span<const std::byte> bytes) override { taken_bytes += bytes.size(); }
    void given(const io::simulated::socket&, std::span<const std::byte> bytes) override { given_bytes += bytes.size(); }
    void left(const io::simulated::socket&) override { ++left_count; }
    void ended(const io::loop&) override { ++ended_count; }
    void stepped() override { ++stepped_count; }
};

TEST(SimulatedFaults, ShowsAnObserverEveryByte) {
    counting_observer watching;
    {
        scene scene;
        scene.universe.watch(&watching);
        scene.connect();
        const pump there(scene.client, std::vector<std::byte>(10'000));
        scene.server.keeps_receiving = true;
        scene.server_loop->receive(scene.server);
        scene.universe.run_until([&] { return scene.server.bytes.size() == 10'000; });
        scene.client_loop->close(scene.client);
        scene.universe.run_until([&] { return scene.server.ends == 1; });
    }
    EXPECT_EQ(watching.opened_count, 2U);
    EXPECT_EQ(watching.taken_bytes, 10'000U);
    EXPECT_EQ(watching.given_bytes, 10'000U);
    EXPECT_EQ(watching.left_count, 2U);
    EXPECT_EQ(watching.ended_count, 2U);
    EXPECT_GT(watching.stepped_count, 3U);
}

}  // namespace
}  // namespace io_test
