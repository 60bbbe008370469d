// Handles to clients from elsewhere: other handlers, other threads, long after; and broadcasts.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::errc;

TEST(PeerOfNobody, IsNotLiveAndTakesNothing) {
    const mnet::peer nobody;
    EXPECT_FALSE(nobody.live());
    EXPECT_EQ(nobody.id(), 0U);
    EXPECT_EQ(error_of(nobody.send("hello")), errc::already_closed);
    nobody.close();
    EXPECT_EQ(nobody, mnet::peer());
}

/// Hands out a handle to each client that said something, and otherwise keeps silent; as each shape.
class Peers : public EveryShape {
protected:
    static mnet::task<mnet::result<>> hand_out(mnet::client& client, channel<mnet::peer>& handles) {
        for (;;) {
            auto message = co_await client.async_read();
            if (!message) co_return mnet::failure(message.error());
            handles.put(client.self());
        }
    }

    mnet::mtcp::network make_network(const mnet::mtcp::listen_options& options = {}) {
        switch (GetParam()) {
            case shape::message:
                return serve([this](mnet::client& client, mnet::message) noexcept { handles.put(client.self()); }, options);
            case shape::coroutine:
                return serve([this](mnet::client& client) { return hand_out(client, handles); }, options);
            case shape::blocking:
                break;
        }
        return serve(
            [this](mnet::client& client) -> mnet::result<> {
                for (;;) {
                    auto message = client.read();
                    if (!message) return mnet::failure(message.error());
                    handles.put(client.self());
                }
            },
            options);
    }

    /// Connects a client, and gives the server's handle to it.
    mnet::peer introduce(mnet::client& client) {
        EXPECT_TRUE(client.send("who am I").has_value());
        EXPECT_TRUE(client.flush().has_value());
        auto handle = handles.take();
        EXPECT_TRUE(handle.has_value());
        return handle.value_or(mnet::peer());
    }

    channel<mnet::peer> handles{};
};
FOR_EVERY_SHAPE(Peers);

TEST_P(Peers, TakeMessagesFromAnyThreadInOrder) {
    auto network = make_network();
    auto client = connect_to(network.address());
    const mnet::peer peer = introduce(client);
    EXPECT_TRUE(peer.live());
    EXPECT_NE(peer.id(), 0U);
    std::thread poster([&peer] {
        for (int count = 0; count < 1000; ++count) ASSERT_TRUE(peer.send(std::to_string(count)).has_value());
    });
    for (int count = 0; count < 1000; ++count) {
        const auto message = client.read(soon_enough);
        ASSERT_TRUE(message.has_value()) << message.error().message();
        ASSERT_EQ(message->text(), std::to_string(count));
    }
    poster.join();
}

TEST_P(Peers, TakeMessagesFromManyThreadsAtOnce) {
    auto network = make_network();
    auto client = connect_to(network.address());
    const mnet::peer peer = introduce(client);
    std::vector<std::thread> posters;
    for (int poster = 0; poster < 4; ++poster) {
        posters.emplace_back([&peer] {
            for (int count = 0; count < 250; ++count) ASSERT_TRUE(peer.send("hello").has_value());
        });
    }
    for (int count = 0; count < 1000; ++count) ASSERT_EQ(next_text(client), "hello");
    for (auto& each : posters) each.join();
    EXPECT_EQ(error_of(client.try_read()), errc::no_data_yet);
}

TEST_P(Peers, KeepTheOrderOfPostsBehindAReaderThatLagsBehind) {
    constexpr int posts = 5'000;  // 20 MB: more than sockets hold
    auto network = make_network();
    auto client = connect_to(network.address());
    const mnet::peer peer = introduce(client);
    std::thread poster([&peer] {
        for (int count = 0; count < posts; ++count) {
            std::string text = std::to_string(count);
            text.resize(4000, ' ');
            while (!peer.send(text)) std::this_thread::yield();
        }
    });
    for (int count = 0; count < posts; ++count) {
        for (int turns = 0; turns < 20; ++turns) std::this_thread::yield();  // slower than they come
        const auto message = client.read(soon_enough);
        ASSERT_TRUE(message.has_value()) << message.error().message();
        ASSERT_EQ(std::stoi(std::string(message->text())), count);
    }
    poster.join();
    EXPECT_TRUE(network.stop(mnet::within(patience)).complete()) << "it hears its network still";
}

TEST_P(Peers, OutliveTheirClientAndTheirNetwork) {
    mnet::peer peer;
    {
        auto network = make_network();
        auto client = connect_to(network.address());
        peer = introduce(client);
        (void)client.close();
        EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
        EXPECT_FALSE(peer.live());
        EXPECT_EQ(error_of(peer.send("nobody")), errc::already_closed);
        peer.close();
    }
    EXPECT_FALSE(peer.live());
    EXPECT_EQ(error_of(peer.send("nobody")), errc::already_closed);
    peer.close();
    EXPECT_NE(peer.id(), 0U);
}

TEST_P(Peers, SayWouldBlockWhenTheMailboxOfASlowClientIsFull) {
    constexpr std::size_t bound = 100'000;
    auto network = make_network({.address = "127.0.0.1:0", .unsent_bytes_max = bound});
    auto client = connect_to(network.address());
    const mnet::peer peer = introduce(client);
    std::uint64_t posted = 0;
    mnet::result<> sent;
    ASSERT_TRUE(eventually([&] {
        sent = peer.send(pattern(10'000));
        posted += sent ? 1 : 0;
        return !sent;
    }));
    EXPECT_EQ(error_of(sent), errc::would_block);
    EXPECT_TRUE(peer.live());
    for (std::uint64_t count = 0; count < posted; ++count) {
        const auto message = client.read(soon_enough);
        ASSERT_TRUE(message.has_value()) << message.error().message();
        ASSERT_TRUE(same(message->bytes(), pattern(10'000)));
    }
    EXPECT_TRUE(eventually([&] { return peer.send("again").has_value(); }));
}

TEST_P(Peers, RefuseAMessageAboveTheBound) {
    auto network = make_network({.address = "127.0.0.1:0", .message_bytes_max = 100});
    auto client = connect_to(network.address());
    const mnet::peer peer = introduce(client);
    EXPECT_EQ(error_of(peer.send(pattern(101))), errc::message_too_large);
    EXPECT_TRUE(peer.send(pattern(100)).has_value());
    EXPECT_EQ(next_text(client).size(), 100U);
}

TEST_P(Peers, CloseTheirClient) {
    auto network = make_network();
    auto client = connect_to(network.address());
    const mnet::peer peer = introduce(client);
    EXPECT_TRUE(peer.send("last words").has_value());
    peer.close();
    EXPECT_FALSE(peer.live());
    EXPECT_EQ(error_of(peer.send("too late")), errc::already_closed);
    EXPECT_EQ(next_text(client), "last words");
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().clients_failed, 0U);
}

TEST_P(Peers, OfTheSameClientAreEqualAndOfOthersNot) {
    auto network = make_network();
    auto first = connect_to(network.address());
    auto second = connect_to(network.address());
    const mnet::peer one = introduce(first);
    EXPECT_EQ(one, introduce(first));
    const mnet::peer other = introduce(second);
    EXPECT_NE(one, other);
    EXPECT_NE(one.id(), other.id());
}

TEST_P(Peers, GetABroadcastEach) {
    auto network = make_network();
    std::vector<mnet::client> clients;
    for (int count = 0; count < 10; ++count) {
        clients.push_back(connect_to(network.address()));
        (void)introduce(clients.back());
    }
    EXPECT_EQ(network.broadcast("to all"), 10U);
    for (auto& each : clients) EXPECT_EQ(next_text(each), "to all");
    clients.clear();
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.broadcast("to nobody"), 0U);
}

TEST_P(Peers, GetBroadcastsFromManyThreads) {
    auto network = make_network();
    auto client = connect_to(network.address());
    (void)introduce(client);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&network] {
            for (int count = 0; count < 100; ++count) EXPECT_EQ(network.broadcast("to all"), 1U);
        });
    }
    for (int count = 0; count < 400; ++count) ASSERT_EQ(next_text(client), "to all");
    for (auto& each : threads) each.join();
}

TEST(Others, AreAllClientsOfTheNetworkButOneself) {
    for (const unsigned loops : {1U, 3U}) {
        auto network = serve(
            [](mnet::client& client, mnet::message message) noexcept {
                const auto others = client.others();
                EXPECT_TRUE(std::ranges::none_of(others, [&](const mnet::peer& each) { return each.id() == client.id(); }));
                (void)client.send(std::to_string(others.size()));
                for (const mnet::peer& each : others) EXPECT_TRUE(each.send(message.bytes()).has_value());
            },
            {.address = "127.0.0.1:0", .loops = loops});
        std::vector<mnet::client> clients;
        for (int count = 0; count < 8; ++count) clients.push_back(connect_to(network.address()));
        ASSERT_TRUE(eventually([&] { return network.statistics().clients == 8; }));
        // Those who are there are all known once each was served: a round trip of the last suffices for one loop, not for several.
        ASSERT_TRUE(eventually([&] {
            EXPECT_TRUE(clients[0].send("ping").has_value());
            const auto count = clients[0].read(soon_enough);
            return count && count->text() == "7";
        }));
        ASSERT_TRUE(clients[0].send("news").has_value());
        EXPECT_EQ(next_text(clients[0]), "7");
        for (std::size_t index = 1; index < clients.size(); ++index) {
            std::string text;
            while (text != "news") text = next_text(clients[index]);
        }
    }
}

TEST(Others, OfAClientThatConnectedAreNone) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    EXPECT_TRUE(client.others().empty());
}

TEST(SelfOfAClientThatConnected, LetsOtherThreadsSendWhileItsOwnWaits) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    const mnet::peer self = client.self();
    EXPECT_EQ(self.id(), client.id());
    std::thread other([self] {
        for (int count = 0; count < 100; ++count) ASSERT_TRUE(self.send(std::to_string(count)).has_value());
    });
    for (int count = 0; count < 100; ++count) ASSERT_EQ(next_text(client), std::to_string(count));
    other.join();
}

TEST(SelfOfAClientThatConnected, OutlivesIt) {
    auto network = echo_server(shape::message);
    mnet::peer self;
    {
        auto client = connect_to(network.address());
        self = client.self();
        EXPECT_TRUE(self.live());
    }
    EXPECT_FALSE(self.live());
    EXPECT_EQ(error_of(self.send("nobody")), errc::already_closed);
}

TEST(PostsToAClientWithAnOpenWriter, WaitUntilItIsCommitted) {
    channel<mnet::peer> handles;
    channel<int> posted;
    auto network = serve([&](mnet::client& client) -> mnet::result<> {
        if (auto message = client.read(); !message) return mnet::failure(message.error());
        auto writer = client.write(100);
        writer->append("first, ");
        handles.put(client.self());
        (void)posted.take();
        EXPECT_EQ(error_of(client.try_read()), errc::no_data_yet);
        EXPECT_TRUE(writer->append("whole").commit().has_value());
        return mnet::failure(client.read().error());
    });
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("go").has_value());
    ASSERT_TRUE(client.flush().has_value());
    const auto peer = handles.take();
    ASSERT_TRUE(peer->send("second").has_value());
    posted.put(1);
    EXPECT_EQ(next_text(client), "first, whole");
    EXPECT_EQ(next_text(client), "second");
}

TEST(PostsToABlockingClient, AreTakenOverWhileItsInputNeverRunsDry) {
    channel<mnet::peer> handles;
    channel<std::size_t> readable;
    channel<std::uint64_t> sent;
    auto network = serve([&](mnet::client& client) -> mnet::result<> {
        handles.put(client.self());
        const std::size_t messages = readable.take().value_or(0);
        for (std::size_t count = 0; count < messages; ++count) {
            if (auto message = client.read(); !message) return mnet::failure(message.error());
        }
        sent.put(client.statistics().messages_sent);
        return {};
    });
    raw_peer peer(network.address());
    const auto handle = handles.take();
    ASSERT_TRUE(handle.has_value());
    // More than a window: it is filled several times, and there is always something to fill it with.
    bytes many;
    for (int count = 0; count < 2000; ++count) {
        const bytes one = frame(pattern(1000));
        many.insert(many.end(), one.begin(), one.end());
    }
    const std::size_t queued = peer.send_what_fits(many);
    ASSERT_TRUE(handle->send("posted").has_value());
    readable.put(queued / frame(pattern(1000)).size());
    EXPECT_EQ(sent.take(), 1U);
    EXPECT_EQ(text_of(peer.receive_message()), "posted");
}

}  // namespace
}  // namespace mtcp_test
