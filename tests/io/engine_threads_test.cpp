// Every engine on the real kernel: its loop is woken from other threads.
#include "engine_suite.hpp"

#include <atomic>
#include <thread>
#include <vector>

namespace io_test {
namespace {

using kernel_engines = testing::Types<epoll_engine, shared_uring_engine, private_uring_engine>;

template <typename Engine>
class EngineThreads : public engine_test<Engine> {};
TYPED_TEST_SUITE(EngineThreads, kernel_engines, engine_names);

TYPED_TEST(EngineThreads, WakeIt) {
    const auto loop = TypeParam(1).make_loop();
    int woken = 0;
    loop->on_wake(&woken, [](void* count) noexcept { ++*static_cast<int*>(count); });
    for (int round = 0; round < 100; ++round) {
        const int before = woken;
        const std::jthread other([&] { loop->wake(); });
        while (woken == before) loop->run_once(io::never);
    }
}

TYPED_TEST(EngineThreads, LoseNoWakeWhenTheyAreMany) {
    const auto loop = TypeParam(1).make_loop();
    constexpr int threads = 4;
    constexpr int posts_each = 2000;
    // What is posted before a wake is seen by a wake function that runs after it.
    struct mailbox {
        std::atomic<int> posted{0};
        int seen = 0;
    } mailbox;
    loop->on_wake(&mailbox, [](void* owner) noexcept {
        auto& self = *static_cast<struct mailbox*>(owner);
        self.seen = self.posted.load();
    });
    std::vector<std::jthread> others;
    for (int made = 0; made < threads; ++made) {
        others.emplace_back([&] {
            for (int post = 0; post < posts_each; ++post) {
                mailbox.posted.fetch_add(1);
                loop->wake();
            }
        });
    }
    while (mailbox.seen < threads * posts_each) loop->run_once(io::never);
    EXPECT_EQ(mailbox.seen, threads * posts_each);
}

TYPED_TEST(EngineThreads, RunItInTurnWithItsStreamsAndRequests) {
    bench<TypeParam> bench(1);
    auto pair = bench.connect();
    ASSERT_TRUE(pair.client != nullptr);
    pair.client->keeps_receiving = pair.server->keeps_receiving = true;
    bench.client_loop->receive(*pair.client);
    bench.server_loop->receive(*pair.server);
    const auto big = bench.noise(3'000'000);
    std::vector<std::byte> expected;
    for (int thread = 0; thread < 4; ++thread) {
        std::jthread([&] {
            const pump small(*pair.server, bench.noise(100));
            const pump large(*pair.client, big);
            EXPECT_TRUE(bench.until([&] { return pair.client->bytes == small.bytes(); }));
            pair.client->bytes.clear();
            expected = large.bytes();
            // The rest of it is for the next thread to receive.
            EXPECT_TRUE(bench.until([&] { return large.done(); }));
        }).join();
        EXPECT_TRUE(bench.until([&] { return pair.server->bytes.size() == expected.size(); }));
        EXPECT_TRUE(pair.server->bytes == expected);
        pair.server->bytes.clear();
    }
    bench.close(pair);
    bench.expect_nothing_left();
}

TYPED_TEST(EngineThreads, MayTakeOverAnAcceptAndAConnect) {
    bench<TypeParam> bench(1);
    probe_listener listener(*bench.server_loop);
    probe_stream client(*bench.client_loop);
    const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
    ASSERT_TRUE(bound.has_value());
    bench.server_loop->accept(listener);
    bench.settle();
    bench.client_loop->connect(client, *bound);
    std::jthread([&] { EXPECT_TRUE(bench.until([&] { return client.connected_count == 1 && listener.handles.size() == 1; })); }).join();
    EXPECT_TRUE(client.open());
    bench.client_loop->close(client);
    EXPECT_TRUE(bench.until([&] { return client.closed_count == 1; }));
    for (const int handle : listener.handles) bench.server_loop->discard(handle);
    bench.server_loop->close(listener);
    bench.expect_nothing_left();
}

}  // namespace
}  // namespace io_test
