// Opening an address to listen on, and every way in which that may not work; reconnecting.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

namespace mtcp_test {
namespace {

using mnet::errc;

std::error_code listen_error(const std::string& address, unsigned loops = 1) {
    const auto network = listen_echo(shape::message, {.address = address, .loops = loops});
    return network ? std::error_code{} : network.error();
}

class Listening : public EveryCarrier {};
FOR_EVERY_CARRIER(Listening);

TEST_P(Listening, OnAnAddressInUseIsRefused) {
    auto network = echo_server(shape::message, GetParam());
    EXPECT_EQ(listen_error(network.address()), std::errc::address_in_use);
    auto client = connect_to(network.address());
    expect_echo(client, "still served");
}

TEST_P(Listening, AgainAfterAStopWorksAtOnce) {
    std::string address;
    {
        auto first = echo_server(shape::message, GetParam());
        address = first.address();
        auto client = connect_to(address);
        expect_echo(client, "first");
    }
    auto second = listen_echo(shape::message, {.address = address});
    ASSERT_TRUE(second.has_value()) << second.error().message();
    auto client = connect_to(address);
    expect_echo(client, "second");
}

TEST_P(Listening, GivesAnAddressThatCanBeParsedAndConnectedTo) {
    auto network = echo_server(shape::message, GetParam());
    const auto parsed = mnet::address::parse(network.address());
    ASSERT_TRUE(parsed.has_value()) << network.address();
    EXPECT_EQ(parsed->text(), network.address());
    if (parsed->what == mnet::address::kind::tcp) {
        EXPECT_NE(parsed->port, 0);
    }
}

TEST(ListeningOnBadAddresses, SaysWhatIsWrong) {
    for (const char* const text : {"", "localhost", "localhost:70000", "::1:0", "ssl://localhost:1", "unix://", "unix://relative"}) {
        EXPECT_EQ(listen_error(text), errc::invalid_address) << text;
    }
    EXPECT_EQ(listen_error("no-such-host.invalid:0"), std::errc::host_unreachable);
    EXPECT_EQ(listen_error("192.0.2.1:0"), std::errc::address_not_available);  // of the documentation's network (RFC 5737)
    EXPECT_EQ(listen_error("unix:///no/such/folder/a"), std::errc::no_such_file_or_directory);
    EXPECT_EQ(listen_error("unix:///" + std::string(200, 'a')), errc::invalid_address);
}

TEST(ListeningOnBadAddresses, SaysSoForSeveralLoopsToo) {
    auto network = echo_server(shape::message, carrier::unix_path);
    EXPECT_EQ(listen_error(network.address(), 3), std::errc::address_in_use);
    EXPECT_EQ(listen_error("192.0.2.1:0", 3), std::errc::address_not_available);
    raw_listener taken;
    EXPECT_EQ(listen_error(taken.address(), 3), std::errc::address_in_use);
}

TEST(Listening, OnAPrivilegedPortNeedsThePrivilege) {
    const auto error = listen_error("127.0.0.1:1");
    if (!error) GTEST_SKIP() << "this user may";
    EXPECT_EQ(error, std::errc::permission_denied);
}

TEST(Listening, OnANameTakesTheFirstAddressThatCanBeBound) {
    auto network = *listen_echo(shape::message, {.address = "localhost:0"});
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    auto by_default = *listen_echo(shape::message, {});
    EXPECT_NE(by_default.address(), network.address());
}

TEST(Listening, OnNoHostServesBothFamilies) {
    auto network = *listen_echo(shape::message, {.address = ":0"});
    const std::string port = network.address().substr(network.address().rfind(':'));
    auto by_four = connect_to("127.0.0.1" + port);
    expect_echo(by_four, "hello");
    auto by_six = connect_to("[::1]" + port);
    expect_echo(by_six, "hello");
}

TEST(Listening, TakesOverAUnixPathThatNobodyListensOnAnyMore) {
    const std::string address = fresh_address(carrier::unix_path);
    {
        const raw_listener dead(address);
    }  // closed, but its file is still there
    auto network = listen_echo(shape::message, {.address = address});
    ASSERT_TRUE(network.has_value()) << network.error().message();
    auto client = connect_to(address);
    expect_echo(client, "hello");
}

TEST(Listening, DoesNotTakeOverAPathThatIsNoSocket) {
    const std::string address = fresh_address(carrier::unix_path);
    const std::string path = address.substr(std::string("unix://").size());
    FILE* const file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr);
    (void)std::fclose(file);
    EXPECT_EQ(listen_error(address), std::errc::address_in_use);
    EXPECT_EQ(::access(path.c_str(), F_OK), 0) << "somebody's file was removed";
    (void)::unlink(path.c_str());
}

// Reconnecting ---------------------------------------------------------------------------------------------------------------------------

class Reconnecting : public EveryCarrier {
protected:
    std::optional<mnet::mtcp::network> network{echo_server(shape::message, GetParam())};
    const std::string address = network->address();
    mnet::client client = connect_to(address);
};
FOR_EVERY_CARRIER(Reconnecting);

TEST_P(Reconnecting, ToTheSameAddressWorksWhileItIsOpen) {
    expect_echo(client, "before");
    ASSERT_TRUE(client.reconnect().has_value());
    expect_echo(client, "after");
    EXPECT_EQ(client.statistics().reconnects, 1U);
    EXPECT_TRUE(eventually([&] { return network->statistics().clients == 1; }));
}

TEST_P(Reconnecting, WorksAfterTheServerCameBack) {
    network.reset();
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    EXPECT_FALSE(client.reconnect().has_value()) << "nobody listens";
    EXPECT_FALSE(client.live());
    EXPECT_EQ(client.statistics().reconnects, 0U);
    auto again = listen_echo(shape::message, {.address = address});
    ASSERT_TRUE(again.has_value()) << again.error().message();
    ASSERT_TRUE(client.reconnect().has_value());
    EXPECT_TRUE(client.live());
    expect_echo(client, "hello again");
}

TEST_P(Reconnecting, WorksAfterAClose) {
    (void)client.close();
    ASSERT_TRUE(client.reconnect().has_value());
    EXPECT_TRUE(client.live());
    expect_echo(client, "hello again");
    const mnet::delivery delivery = client.close();
    EXPECT_TRUE(delivery.complete());
}

TEST_P(Reconnecting, ToAnotherAddressStaysThere) {
    auto other = echo_server(shape::message);
    ASSERT_TRUE(client.reconnect(other.address()).has_value());
    EXPECT_EQ(client.remote_address(), other.address());
    expect_echo(client, "there");
    ASSERT_TRUE(client.reconnect().has_value());
    EXPECT_EQ(client.remote_address(), other.address());
}

TEST_P(Reconnecting, DropsWhatWasNotReadAndNotSentAndCountsOn) {
    ASSERT_TRUE(client.send("answered, never read").has_value());
    ASSERT_TRUE(client.flush().has_value());
    ASSERT_TRUE(client.wait(soon_enough).has_value());
    ASSERT_TRUE(client.send("never sent").has_value());
    ASSERT_TRUE(client.reconnect().has_value());
    EXPECT_EQ(client.unsent_bytes(), 0U);
    expect_echo(client, "new");
    const auto told = client.statistics();
    EXPECT_EQ(told.messages_sent, 3U);
    EXPECT_EQ(told.messages_received, 1U);
    EXPECT_EQ(told.payload_bytes_received, 3U);
}

TEST_P(Reconnecting, TakesAnOpenWriterItsReservation) {
    auto writer = client.write(100);
    ASSERT_TRUE(writer.has_value());
    writer->append("old");
    ASSERT_TRUE(client.reconnect().has_value());
    EXPECT_EQ(error_of(writer->commit()), errc::already_closed);
    expect_echo(client, "new");
}

TEST_P(Reconnecting, ForgetsWhatEndedTheOldConnection) {
    raw_listener listener(fresh_address(GetParam()));
    ASSERT_TRUE(client.reconnect(listener.address()).has_value());
    raw_peer peer = listener.accept();
    peer.send("ffffffff");
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::message_too_large);
    ASSERT_TRUE(client.reconnect(address).has_value());
    EXPECT_EQ(error_of(client.try_read()), errc::no_data_yet);
    expect_echo(client, "new");
}

TEST_P(Reconnecting, ToABadAddressSaysSo) {
    EXPECT_EQ(error_of(client.reconnect("nowhere")), errc::invalid_address);
    ASSERT_TRUE(client.reconnect(address).has_value());
    expect_echo(client, "hello");
}

TEST(ReconnectingServedClients, IsNotSupported) {
    endings ends;
    auto network = serve([&ends](mnet::client& served, mnet::message) noexcept { ends.put(error_of(served.reconnect())); });
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("go").has_value());
    ASSERT_TRUE(client.flush().has_value());
    EXPECT_EQ(ends.take(), std::make_error_code(std::errc::operation_not_supported));
}

}  // namespace
}  // namespace mtcp_test
