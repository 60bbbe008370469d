// What other threads do to a client: they close it, twice, while its own thread does the same or waits.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <atomic>
#include <barrier>
#include <thread>

namespace mtcp_test {
namespace {

using mnet::errc;

constexpr mnet::operation soon_enough{.deadline = mnet::within(patience)};

TEST(CloseFromAnotherThread, EndsAReadThatWaits) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    expect_echo(client, "mine now");
    std::thread other([&client] { EXPECT_TRUE(client.close().pending); });
    EXPECT_EQ(client.read(soon_enough).error(), errc::already_closed);
    other.join();
    EXPECT_FALSE(client.live());
    EXPECT_TRUE(client.close().complete());
}

TEST(CloseFromAnotherThread, ByAPeerEndsAReadThatWaits) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    const mnet::peer self = client.self();
    std::thread other([self] { self.close(); });
    EXPECT_EQ(client.read(soon_enough).error(), errc::already_closed);
    other.join();
    EXPECT_FALSE(self.live());
}

TEST(DoubleClose, FromTwoThreadsClosesOnce) {
    auto network = echo_server(shape::message);
    for (int round = 0; round < 200; ++round) {
        auto client = connect_to(network.address());
        ASSERT_TRUE(client.send("on its way").has_value());
        std::barrier together(2);
        std::thread other([&] {
            together.arrive_and_wait();
            (void)client.close();
        });
        together.arrive_and_wait();
        (void)client.close();
        other.join();
        EXPECT_FALSE(client.close().pending);
        EXPECT_FALSE(client.live());
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().clients_failed, 0U);
}

TEST(DoubleClose, OfAServedClientFromTwoForeignThreads) {
    for (const shape how : {shape::coroutine, shape::blocking}) {
        endings ends;
        channel<mnet::client*> arrived;
        auto network = how == shape::coroutine ? serve([&](mnet::client& client) {
            arrived.put(&client);
            return [](mnet::client& mine, endings& told) -> mnet::task<mnet::result<>> {
                const auto message = co_await mine.async_read();
                told.put(message ? std::error_code{} : message.error());
                co_return {};
            }(client, ends);
        })
                                               : serve([&](mnet::client& client) -> mnet::result<> {
                                                     arrived.put(&client);
                                                     const auto message = client.read();
                                                     ends.put(message ? std::error_code{} : message.error());
                                                     return {};
                                                 });
        for (int round = 0; round < 50; ++round) {
            auto client = connect_to(network.address());
            const auto served = arrived.take();
            ASSERT_TRUE(served.has_value());
            // One through the client itself, one through a peer handle: the client ends only when the second was heard, too.
            (*served)->close();
            EXPECT_EQ(ends.take(), make_error_code(errc::already_closed));
            EXPECT_EQ(client.read(soon_enough).error(), errc::end_of_stream);
        }
        EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    }
}

TEST(DoubleClose, OfPeerHandlesFromManyThreads) {
    for (const shape how : all_shapes) {
        auto network = echo_server(how);
        auto client = connect_to(network.address());
        expect_echo(client, "there");
        auto second = connect_to(network.address());
        channel<std::vector<mnet::peer>> handles;
        auto watcher = serve([&](mnet::client& mine, mnet::message) noexcept { handles.put({mine.self()}); });
        auto watched = connect_to(watcher.address());
        ASSERT_TRUE(watched.send("who am I").has_value());
        const auto peers = handles.take();
        ASSERT_TRUE(peers.has_value());
        std::vector<std::thread> threads;
        threads.reserve(4);
        for (int count = 0; count < 4; ++count) threads.emplace_back([&] { peers->front().close(); });
        for (auto& each : threads) each.join();
        EXPECT_EQ(watched.read(soon_enough).error(), errc::end_of_stream);
        EXPECT_TRUE(eventually([&] { return watcher.statistics().clients == 0; }));
        EXPECT_FALSE(peers->front().live());
        peers->front().close();
        EXPECT_EQ(peers->front().send("nobody").error(), errc::already_closed);
    }
}

}  // namespace
}  // namespace mtcp_test
