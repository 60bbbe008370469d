// docs/wire.md: the first four bytes tell who is calling. A stranger's connection ends with the error that names him; nothing is written to
// it, and nobody else notices.
#include "raw_peer.hpp"
#include "servers.hpp"
#include "support/hex.hpp"

#include "mtcp/connection.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace mtcp_test {
namespace {

struct stranger {
    const char* name;
    bytes says;
    mnet::errc error;
};

void PrintTo(const stranger& who, std::ostream* out) { *out << who.name; }

std::vector<stranger> strangers() {
    using mnet::errc;
    using support::hex;
    using support::to_bytes;
    return {
        {"Tls10", hex("16030100c4 010000c0 0303"), errc::peer_speaks_tls},
        {"Tls12", hex("160303007a 01000076 0303"), errc::peer_speaks_tls},
        {"HttpGet", to_bytes("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), errc::peer_speaks_http},
        {"HttpPost", to_bytes("POST /a HTTP/1.1\r\n\r\n"), errc::peer_speaks_http},
        {"HttpPut", to_bytes("PUT /a HTTP/1.1\r\n\r\n"), errc::peer_speaks_http},
        {"HttpHead", to_bytes("HEAD / HTTP/1.1\r\n\r\n"), errc::peer_speaks_http},
        {"HttpOptions", to_bytes("OPTIONS * HTTP/1.1\r\n\r\n"), errc::peer_speaks_http},
        {"HttpTwo", to_bytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), errc::peer_speaks_http},
        {"HttpAnswer", to_bytes("HTTP/1.1 200 OK\r\n\r\n"), errc::peer_speaks_http},
        {"ProxyHeader", hex("0d0a0d0a 000d0a51 5549540a 21110000"), errc::unexpected_proxy_header},
        {"Ssh", to_bytes("SSH-2.0-OpenSSH_9.2\r\n"), errc::message_too_large},
        {"TopBit", hex("80000000"), errc::message_too_large},
        {"AllBits", hex("ffffffff ffffffff"), errc::message_too_large},
        {"OneByteTooMany", hex("01000001"), errc::message_too_large},
    };
}

class WireStrangers : public testing::TestWithParam<stranger> {};
INSTANTIATE_TEST_SUITE_P(Are, WireStrangers, testing::ValuesIn(strangers()),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST_P(WireStrangers, EndTheReadOfACoroutineHandlerAndGetNoByteBack) {
    endings ends;
    auto network = echo_server(shape::coroutine, carrier::tcp_v4, &ends);
    raw_peer peer(network.address());
    peer.send(GetParam().says);
    EXPECT_EQ(ends.take(), make_error_code(GetParam().error));
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_failed == 1; }));
}

TEST_P(WireStrangers, EndTheReadOfABlockingHandlerAndGetNoByteBack) {
    endings ends;
    auto network = echo_server(shape::blocking, carrier::tcp_v4, &ends);
    raw_peer peer(network.address());
    peer.send(GetParam().says);
    EXPECT_EQ(ends.take(), make_error_code(GetParam().error));
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_failed == 1; }));
}

TEST_P(WireStrangers, AreNoBusinessOfAMessageHandlerAndGetNoByteBack) {
    auto network = echo_server(shape::message);
    raw_peer peer(network.address());
    peer.send(GetParam().says);
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_failed == 1; }));
    EXPECT_EQ(network.statistics().messages_received, 0U);
}

TEST_P(WireStrangers, EndTheReadOfAClient) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    peer.send(GetParam().says);
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), GetParam().error);
    EXPECT_EQ(error_of(client.read()), GetParam().error) << "what ended a connection is said again";
    EXPECT_EQ(error_of(client.try_read()), GetParam().error);
    (void)client.close();
    EXPECT_EQ(peer.receive_to_end(), bytes{});
}

TEST_P(WireStrangers, AreNotNoticedByTheOtherClients) {
    for (const shape how : all_shapes) {
        auto network = echo_server(how);
        auto before = connect_to(network.address());
        expect_echo(before, "before");
        raw_peer peer(network.address());
        peer.send(GetParam().says);
        EXPECT_EQ(peer.receive_to_end(), bytes{});
        expect_echo(before, "after");
        auto after = connect_to(network.address());
        expect_echo(after, "new");
    }
}

TEST_P(WireStrangers, AreKnownByFourBytesThatComeOneByOne) {
    endings ends;
    auto network = echo_server(shape::coroutine, carrier::tcp_v4, &ends);
    raw_peer peer(network.address());
    for (std::size_t count = 0; count < 4; ++count) {
        peer.send(std::span(GetParam().says).subspan(count, 1));
        ASSERT_TRUE(eventually([&] { return network.statistics().wire_bytes_received == count + 1; }));
    }
    EXPECT_EQ(ends.take(), make_error_code(GetParam().error));
}

TEST(WireBounds, ARefusedLengthBehindAMessageIsTooLargeWhateverItLooksLike) {
    endings ends;
    auto network = echo_server(shape::coroutine, carrier::tcp_v4, &ends);
    raw_peer peer(network.address());
    const bytes whole = frame("first");
    peer.send(whole);
    EXPECT_EQ(peer.receive(whole.size()), whole);
    peer.send(support::to_bytes("GET / HTTP/1.1\r\n\r\n"));
    EXPECT_EQ(ends.take(), make_error_code(mnet::errc::message_too_large));
    EXPECT_EQ(peer.receive_to_end(), bytes{});
}

TEST(WireBounds, AMessageOfExactlyTheBoundIsTakenAndOneByteMoreIsNot) {
    channel<std::size_t> sizes;
    auto network = serve([&sizes](mnet::client&, mnet::message message) noexcept { sizes.put(message.size()); },
                         {.address = "127.0.0.1:0", .message_bytes_max = 1000});
    raw_peer fits(network.address());
    fits.send(frame(pattern(1000)));
    EXPECT_EQ(sizes.take(), 1000U);
    raw_peer too_large(network.address());
    too_large.send("000003e9");
    EXPECT_EQ(too_large.receive_to_end(), bytes{});
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_failed == 1; }));
    EXPECT_EQ(sizes.size(), 0U);
}

std::size_t bytes_in_use(mnet::client& client) {
    auto& connection = dynamic_cast<mnet::mtcp::detail::connection&>(mnet::client_access::transport(client));
    return connection.host().pool().bytes_in_use();
}

TEST(WireBounds, ARefusedLengthReservesNothing) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    peer.send(frame("small"));
    ASSERT_TRUE(client.read({.deadline = mnet::within(patience)}).has_value());
    const std::size_t before = bytes_in_use(client);
    peer.send("7fffffff");
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), mnet::errc::message_too_large);
    EXPECT_LE(bytes_in_use(client), before);
}

TEST(WireBounds, MemoryGrowsWithTheBytesReceivedAndNotWithThoseAnnounced) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.message_bytes_max = mnet::wire::length_max});
    raw_peer peer = listener.accept();
    peer.send("0cffffff");  // 208 MiB - 1 are to come
    std::size_t sent = 4;
    for (const std::size_t more : {std::size_t{10}, std::size_t{100'000}, std::size_t{1'000'000}}) {
        peer.send(pattern(more));
        sent += more;
        ASSERT_TRUE(eventually([&] {
            EXPECT_EQ(error_of(client.try_read()), mnet::errc::no_data_yet);
            return client.statistics().wire_bytes_received == sent;
        }));
        constexpr std::size_t a_window_each_way = std::size_t{600} << 10;
        EXPECT_LE(bytes_in_use(client), 2 * sent + a_window_each_way);
    }
    peer.finish();
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), mnet::errc::truncated);
}

}  // namespace
}  // namespace mtcp_test
