// What other threads do to a client: they close it, twice, while its own thread does the same or waits.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <barrier>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::errc;

TEST(CloseFromAnotherThread, EndsAReadThatWaits) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    expect_echo(client, "mine now");
    std::thread other([&client] { EXPECT_TRUE(client.close().pending); });
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::already_closed);
    other.join();
    EXPECT_FALSE(client.live());
    EXPECT_TRUE(client.close().complete());
}

TEST(CloseFromAnotherThread, ByAPeerEndsAReadThatWaits) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    const mnet::peer self = client.self();
    std::thread other([self] { self.close(); });
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::already_closed);
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

mnet::task<mnet::result<>> read_once(mnet::client& client, endings& ends) {
    const auto message = co_await client.async_read();
    ends.put(error_of(message));
    co_return {};
}

mnet::result<> read_once_blocking(mnet::client& client, endings& ends) {
    const auto message = client.read();
    ends.put(error_of(message));
    return {};
}

TEST(CloseFromAnotherThread, EndsTheReadOfACoroutineHandler) {
    endings ends;
    channel<mnet::client*> arrived;
    auto network = serve([&](mnet::client& client) {
        arrived.put(&client);
        return read_once(client, ends);
    });
    for (int round = 0; round < 50; ++round) {
        auto client = connect_to(network.address());
        EXPECT_TRUE(arrived.take().value()->close().pending);
        EXPECT_EQ(ends.take(), make_error_code(errc::already_closed));
        EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
}

TEST(CloseFromAnotherThread, EndsTheReadOfABlockingHandlerEvenBeforeItBegan) {
    endings ends;
    channel<mnet::client*> arrived;
    auto network = serve([&](mnet::client& client) {
        arrived.put(&client);
        return read_once_blocking(client, ends);
    });
    for (int round = 0; round < 50; ++round) {
        auto client = connect_to(network.address());
        EXPECT_TRUE(arrived.take().value()->close().pending);
        EXPECT_EQ(ends.take(), make_error_code(errc::already_closed));
        EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
}

TEST(DoubleClose, OfPeerHandlesFromManyThreads) {
    channel<mnet::peer> handles;
    auto network = serve([&](mnet::client& mine, mnet::message) noexcept { handles.put(mine.self()); });
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("who am I").has_value());
    ASSERT_TRUE(client.flush().has_value());
    const auto handle = handles.take();
    ASSERT_TRUE(handle.has_value());
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int count = 0; count < 4; ++count) threads.emplace_back([&] { handle->close(); });
    for (auto& each : threads) each.join();
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_FALSE(handle->live());
    handle->close();
    EXPECT_EQ(error_of(handle->send("nobody")), errc::already_closed);
}

}  // namespace
}  // namespace mtcp_test
