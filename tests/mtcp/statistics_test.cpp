// Every counter says what mnet/statistics.hpp promises, exactly; and the plain getters.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

namespace mtcp_test {
namespace {

TEST(ClientStatistics, BeginAtZero) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    const auto told = client.statistics();
    EXPECT_EQ(told.messages_sent, 0U);
    EXPECT_EQ(told.payload_bytes_sent, 0U);
    EXPECT_EQ(told.messages_received, 0U);
    EXPECT_EQ(told.payload_bytes_received, 0U);
    EXPECT_EQ(told.wire_bytes_sent, 0U);
    EXPECT_EQ(told.wire_bytes_received, 0U);
    EXPECT_EQ(told.unsent_bytes, 0U);
    EXPECT_EQ(told.writes_refused, 0U);
    EXPECT_EQ(told.pauses, 0U);
    EXPECT_EQ(told.reconnects, 0U);
}

TEST(ClientStatistics, CountWhatIsCommittedThenWhatIsSentThenWhatIsRead) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    for (const std::size_t size : {std::size_t{0}, std::size_t{5}, std::size_t{100}}) ASSERT_TRUE(client.send(pattern(size)).has_value());
    {
        auto discarded = client.write(50);
        discarded->append("never");
    }
    auto told = client.statistics();
    EXPECT_EQ(told.messages_sent, 3U);
    EXPECT_EQ(told.payload_bytes_sent, 105U);
    EXPECT_EQ(told.wire_bytes_sent, 0U);
    EXPECT_EQ(told.unsent_bytes, 117U);
    ASSERT_TRUE(client.flush().has_value());
    told = client.statistics();
    EXPECT_EQ(told.wire_bytes_sent, 117U);
    EXPECT_EQ(told.unsent_bytes, 0U);
    EXPECT_EQ(told.messages_received, 0U);
    for (std::uint64_t count = 1; count <= 3; ++count) {
        ASSERT_TRUE(client.read(soon_enough).has_value());
        EXPECT_EQ(client.statistics().messages_received, count);
    }
    told = client.statistics();
    EXPECT_EQ(told.payload_bytes_received, 105U);
    EXPECT_EQ(told.wire_bytes_received, 117U);
}

TEST(ClientStatistics, CountAMessageAsReceivedOnlyWhenItWasGivenOut) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    peer.send(frame("one"));
    peer.send(frame("two"));
    peer.send("0000");
    ASSERT_TRUE(eventually([&] {
        EXPECT_TRUE(client.wait(soon_enough).has_value());
        return client.statistics().messages_received == 0;
    }));
    EXPECT_EQ(client.statistics().messages_received, 0U);
    ASSERT_TRUE(client.read(soon_enough).has_value());
    EXPECT_EQ(client.statistics().messages_received, 1U);
    ASSERT_TRUE(client.read(soon_enough).has_value());
    EXPECT_EQ(client.statistics().messages_received, 2U);
}

class NetworkStatistics : public EveryShapeAndCarrier {};
FOR_EVERY_SHAPE_AND_CARRIER(NetworkStatistics);

TEST_P(NetworkStatistics, AreExactAndKeepTheClientsThatAreGone) {
    auto network = echo_server(how(), what());
    EXPECT_EQ(network.statistics().clients, 0U);
    for (int round = 1; round <= 3; ++round) {
        auto client = connect_to(network.address());
        expect_echo(client, "");
        expect_echo(client, "five!");
        EXPECT_EQ(network.statistics().clients, 1U);
        EXPECT_TRUE(client.close().complete());
        const auto times = static_cast<std::uint64_t>(round);
        EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0 && network.statistics().clients_accepted == times; }));
        const auto told = network.statistics();
        EXPECT_EQ(told.messages_received, 2 * times);
        EXPECT_EQ(told.messages_sent, 2 * times);
        EXPECT_EQ(told.payload_bytes_received, 5 * times);
        EXPECT_EQ(told.payload_bytes_sent, 5 * times);
        if (what() == carrier::tls) {  // records and handshakes are on the wire, too
            EXPECT_GT(told.wire_bytes_received, 13 * times);
            EXPECT_GT(told.wire_bytes_sent, 13 * times);
            EXPECT_EQ(told.handshakes, times);
        } else {
            EXPECT_EQ(told.wire_bytes_received, 13 * times);
            EXPECT_EQ(told.wire_bytes_sent, 13 * times);
        }
        EXPECT_EQ(told.clients_failed, 0U);
        EXPECT_EQ(told.clients_refused, 0U);
        EXPECT_EQ(told.handlers_threw, 0U);
        EXPECT_EQ(told.accept_pauses, 0U);
        EXPECT_EQ(told.writes_refused, 0U);
        EXPECT_EQ(told.pauses, 0U);
    }
    EXPECT_GT(network.statistics().system_calls, 0U);
}

TEST(NetworkStatisticsOfSeveralLoops, AreTheSumOfAll) {
    auto network = *listen_echo(shape::message, {.address = "127.0.0.1:0", .loops = 4});
    for (int count = 0; count < 40; ++count) {
        auto client = connect_to(network.address());
        expect_echo(client, "hello");
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().clients_accepted, 40U);
    EXPECT_EQ(network.statistics().messages_received, 40U);
    EXPECT_EQ(network.statistics().wire_bytes_sent, 40U * 9U);
}

// The plain getters -------------------------------------------------------------------------------------------------------------------

class Looking : public EveryShapeAndCarrier {};
FOR_EVERY_SHAPE_AND_CARRIER(Looking);

TEST_P(Looking, AClientKnowsWhereItIsWhoItIsAndHowItIs) {
    auto network = echo_server(how(), what());
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    EXPECT_EQ(client.remote_address(), network.address());
    EXPECT_EQ(client.transport(), transport_of(what()));
    const char* const named = std::getenv("MNET_ENGINE");
    EXPECT_EQ(client.engine(), named != nullptr ? named : "epoll");
    EXPECT_TRUE(network.engine() == "uring" || network.engine() == "epoll") << network.engine();
    EXPECT_NE(network.engine_reason(), "");
    EXPECT_TRUE(client.live());
    EXPECT_NE(client.id(), 0U);
    EXPECT_NE(client.explain().find("open"), std::string::npos) << client.explain();
    EXPECT_NE(client.explain().find("0 bytes unsent"), std::string::npos) << client.explain();
    (void)client.close();
    EXPECT_FALSE(client.live());
    EXPECT_NE(client.explain().find("closed"), std::string::npos) << client.explain();
}

TEST_P(Looking, AServedClientsRemoteAddressIsItsPeersLocalOne) {
    if (what() == carrier::unix_path || what() == carrier::unix_abstract) GTEST_SKIP() << "a connecting Unix socket has no name";
    channel<std::pair<std::string, std::string>> told;
    auto network =
        serve([&told](mnet::client& client, mnet::message) noexcept { told.put({client.local_address(), client.remote_address()}); },
              {.address = fresh_address(what())});
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("who am I").has_value());
    ASSERT_TRUE(client.flush().has_value());
    const auto addresses = told.take();
    ASSERT_TRUE(addresses.has_value());
    EXPECT_EQ(addresses->first, network.address());
    EXPECT_EQ(addresses->second, client.local_address());
    EXPECT_TRUE(mnet::address::parse(client.local_address()).has_value());
}

TEST(Ids, AreUniqueInANetworkOfSeveralLoopsAndAmongConnectedClients) {
    channel<std::uint64_t> told;
    auto network =
        serve([&told](mnet::client& client, mnet::message) noexcept { told.put(client.id()); }, {.address = "127.0.0.1:0", .loops = 3});
    std::vector<mnet::client> clients;
    std::set<std::uint64_t> own;
    std::set<std::uint64_t> served;
    for (int count = 0; count < 30; ++count) {
        clients.push_back(connect_to(network.address()));
        own.insert(clients.back().id());
        ASSERT_TRUE(clients.back().send("").has_value());
        ASSERT_TRUE(clients.back().flush().has_value());
        served.insert(told.take().value_or(0));
    }
    EXPECT_EQ(own.size(), 30U);
    EXPECT_EQ(served.size(), 30U);
    EXPECT_FALSE(own.contains(0));
    EXPECT_FALSE(served.contains(0));
}

TEST(Explaining, SaysWhatIsUnsentAndThatThePeerFinished) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    ASSERT_TRUE(client.send("hello").has_value());
    EXPECT_NE(client.explain().find("9 bytes unsent"), std::string::npos) << client.explain();
    peer.finish();
    EXPECT_EQ(error_of(client.read(soon_enough)), mnet::errc::end_of_stream);
    EXPECT_NE(client.explain().find("the peer finished sending"), std::string::npos) << client.explain();
}

}  // namespace
}  // namespace mtcp_test
