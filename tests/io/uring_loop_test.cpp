// What is the io_uring engine's own: buffers that run out, bytes that nobody asked for, sends that wait for the turn. All else is in the
// typed suite, engine_*_test.cpp.
#include "engine_suite.hpp"

#include <algorithm>

namespace io_test {
namespace {

template <typename Engine>
class UringLoop : public engine_test<Engine> {};
using uring_engines = testing::Types<shared_uring_engine, private_uring_engine>;
TYPED_TEST_SUITE(UringLoop, uring_engines, engine_names);

TYPED_TEST(UringLoop, AnswersToItsName) { EXPECT_EQ(TypeParam(1).make_loop()->name(), "uring"); }

TYPED_TEST(UringLoop, DeliversMoreThanItsBuffersHoldToManyStreamsAtOnce) {
    bench<TypeParam> bench(1);
    std::vector<connection> pairs;
    std::vector<std::unique_ptr<pump>> pumps;
    for (int made = 0; made < 20; ++made) {
        auto& pair = pairs.emplace_back(bench.connect());
        ASSERT_TRUE(pair.client != nullptr);
        pair.server->keeps_receiving = true;
        pair.server->room_bytes = 700 + static_cast<std::size_t>(made) * 5000;  // of every relation to a buffer's size
        bench.server_loop->receive(*pair.server);
        pumps.push_back(std::make_unique<pump>(*pair.client, bench.noise(150'000)));
    }
    // All of it has arrived before the receiver's next turn.
    EXPECT_TRUE(bench.until([&] { return std::ranges::all_of(pumps, [](const auto& each) { return each->done(); }); }));
    EXPECT_TRUE(
        bench.until([&] { return std::ranges::all_of(pairs, [](const auto& each) { return each.server->bytes.size() == 150'000; }); }));
    for (std::size_t index = 0; index < pairs.size(); ++index) EXPECT_TRUE(pairs[index].server->bytes == pumps[index]->bytes());
    for (auto& pair : pairs) bench.close(pair);
    pumps.clear();
    bench.expect_nothing_left();
}

TYPED_TEST(UringLoop, DrainsNobodyWhoIsNotReadAndLosesNothing) {
    bench<TypeParam> bench(1);
    auto pair = bench.connect();
    ASSERT_TRUE(pair.client != nullptr);
    pump flood(*pair.client, bench.noise(bench.more_than_sockets_hold));
    bench.server_loop->receive(*pair.server);
    ASSERT_TRUE(bench.until([&] { return pair.server->received_count == 1; }));
    bench.server_loop->receive(*pair.server);
    bench.server_loop->cancel_receive(*pair.server);  // with bytes under way
    std::size_t before = 0;
    do {
        before = flood.sent();
        bench.settle();
    } while (flood.sent() != before);
    EXPECT_FALSE(flood.done()) << "taken in without end";
    EXPECT_EQ(pair.server->received_count, 1);
    pair.server->keeps_receiving = true;
    pair.server->room_bytes = 100'000;
    bench.server_loop->receive(*pair.server);
    EXPECT_TRUE(bench.until([&] { return pair.server->bytes.size() == flood.bytes().size(); }));
    EXPECT_TRUE(pair.server->bytes == flood.bytes());
    bench.close(pair);
    bench.expect_nothing_left();
}

TYPED_TEST(UringLoop, KeepsTheOrderBetweenBytesItHoldsAndThoseThatAreTriedFor) {
    bench<TypeParam> bench(1);
    auto pair = bench.connect();
    ASSERT_TRUE(pair.client != nullptr);
    const auto all = bench.noise(400'000);
    pump there(*pair.client, all, 3000);
    std::vector<std::byte> taken;
    std::vector<std::byte> room(5000);
    pair.server->room_bytes = 1500;
    std::size_t answered = 0;
    const auto take_answers = [&] {
        taken.insert(taken.end(), pair.server->bytes.begin() + static_cast<std::ptrdiff_t>(answered), pair.server->bytes.end());
        answered = pair.server->bytes.size();
    };
    EXPECT_TRUE(bench.until([&] {
        take_answers();
        switch (bench.random() % 4) {
            case 0:
                bench.server_loop->receive(*pair.server);
                break;
            case 1:
                bench.server_loop->cancel_receive(*pair.server);
                break;
            case 2:
                if (const auto count = bench.server_loop->try_receive(*pair.server, room)) {
                    taken.insert(taken.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(*count));
                }
                break;
            default:
                break;
        }
        return taken.size() == all.size();
    }));
    EXPECT_TRUE(taken == all);
    bench.close(pair);
    bench.expect_nothing_left();
}

TYPED_TEST(UringLoop, GivesBackAnAcceptedConnectionThatItNeverToldOf) {
    bench<TypeParam> bench(1);
    probe_listener listener(*bench.server_loop);
    const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
    bench.server_loop->accept(listener);
    std::vector<std::unique_ptr<probe_stream>> clients;
    for (int made = 0; made < 3; ++made) {
        clients.push_back(std::make_unique<probe_stream>(*bench.client_loop));
        bench.client_loop->connect(*clients.back(), *bound);
    }
    EXPECT_TRUE(bench.until([&] { return std::ranges::all_of(clients, [](const auto& each) { return each->connected_count == 1; }); }));
    bench.settle();
    ASSERT_EQ(listener.handles.size(), 1U) << "one was asked for";
    bench.server_loop->discard(listener.handles[0]);
    bench.server_loop->close(listener);
    bench.server_loop.reset();
    bench.server_loop = bench.engine().make_loop();
    for (const auto& each : clients) {
        bench.client_loop->receive(*each);
        EXPECT_TRUE(bench.until([&] { return each->received_count == 1; })) << "the others were reset";
        bench.client_loop->close(*each);
        EXPECT_TRUE(bench.until([&] { return each->closed_count == 1; }));
    }
    bench.expect_nothing_left();
}

TEST(UringLoopOfMany, MakesOneSystemCallForAllThatItsStreamsSend) {
    if (!shared_uring_engine::available()) GTEST_SKIP() << "no io_uring here";
    bench<shared_uring_engine> bench(1);
    std::vector<connection> pairs;
    std::vector<std::unique_ptr<pump>> pumps;
    for (int made = 0; made < 16; ++made) pairs.push_back(bench.connect());
    bench.settle();
    const auto before = bench.server_loop->counted();
    for (auto& pair : pairs) pumps.push_back(std::make_unique<pump>(*pair.server, std::vector<std::byte>(1000)));
    EXPECT_EQ(bench.server_loop->counted().system_calls, before.system_calls) << "nothing leaves before the turn";
    bench.server_loop->run_once(bench.server_loop->now());
    EXPECT_TRUE(std::ranges::all_of(pumps, [](const auto& each) { return each->done(); }));
    EXPECT_EQ(bench.server_loop->counted().system_calls, before.system_calls + 1);
    EXPECT_EQ(bench.server_loop->counted().sends, before.sends + 16);
    pumps.clear();
    for (auto& pair : pairs) bench.close(pair);
    bench.expect_nothing_left();
}

}  // namespace
}  // namespace io_test
