// Peers that do something else than TLS as we speak it, and streams that end where they should not.
#include <gtest/gtest.h>

#include <string>

#include "support/random.hpp"
#include "tls/two_ends.hpp"

namespace mnet::tls::testing {
namespace {

using support::hex;

std::error_code server_given(const bytes& first) {
    end server(server_of(server_defaults())->snapshot());
    server.take_in(first, 1024);
    return server.tls.error();
}

TEST(Failures, NameAPlainPeer) {
    EXPECT_EQ(server_given(hex("00000008 7075622068656c70")), tls_errc::peer_speaks_plain_text);
    EXPECT_EQ(server_given(hex("00")), tls_errc::peer_speaks_plain_text) << "the first byte is enough";
    EXPECT_EQ(server_given(of("SSH-2.0-OpenSSH_9.2")), tls_errc::peer_speaks_plain_text);
    EXPECT_EQ(server_given(hex("1600")), std::error_code()) << "two bytes are not yet a record";
    EXPECT_EQ(server_given(hex("1600000000 0000000000000000")), tls_errc::peer_speaks_plain_text);
}

TEST(Failures, NameHttp) {
    end server(server_of(server_defaults())->snapshot());
    server.take_in(of("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), 1024);
    EXPECT_EQ(server.tls.error(), tls_errc::peer_speaks_plain_text);
    EXPECT_EQ(server.tls.words(), "the first bytes are HTTP");
    EXPECT_FALSE(server.tls.has_output()) << "who does not speak TLS gets no alert";

    end client(client_of(client_defaults()), "localhost", "localhost:80");
    client.give_out(4096);
    client.take_in(of("HTTP/1.1 400 Bad Request\r\n\r\n"), 1024);
    EXPECT_EQ(client.tls.error(), tls_errc::peer_speaks_plain_text);
    EXPECT_EQ(client.tls.words(), "the first bytes are HTTP");
}

TEST(Failures, NameAPeerOfAnOldVersion) {
    // A ClientHello of TLS 1.0 that offers TLS_RSA_WITH_AES_128_CBC_SHA.
    const bytes hello = hex("160301002d 01000029 0301 0000000000000000000000000000000000000000000000000000000000000000 00 0002 002f 0100");
    EXPECT_EQ(server_given(hello), tls_errc::no_common_version);
}

TEST(Failures, NameAPeerWithoutAGoodCipher) {
    // A ClientHello of TLS 1.2 that offers the same suite: neither authenticated encryption nor forward secrecy.
    const bytes hello = hex("160301002d 01000029 0303 0000000000000000000000000000000000000000000000000000000000000000 00 0002 002f 0100");
    EXPECT_EQ(server_given(hello), tls_errc::no_common_cipher);
}

TEST(Failures, NameTheAlertsOfAServer) {
    const auto error_after = [](std::string_view alert) {
        end client(client_of(client_defaults()), "localhost", "localhost:1");
        client.give_out(4096);
        client.take_in(hex(alert), 1024);
        return client.tls.error();
    };
    EXPECT_EQ(error_after("1503010002 0246"), tls_errc::no_common_version);
    EXPECT_EQ(error_after("1503010002 0228"), tls_errc::no_common_cipher);
    EXPECT_EQ(error_after("1503010002 0247"), tls_errc::no_common_cipher);
    EXPECT_EQ(error_after("1503010002 0278"), tls_errc::no_common_protocol);
    EXPECT_EQ(error_after("1503010002 0250"), tls_errc::alert_received);
}

TEST(Failures, NameAServerThatWantsTls13) {
    auto options = client_defaults();
    options.least_version = version::tls_1_3;
    // A ServerHello of TLS 1.2.
    end client(client_of(options), "localhost", "localhost:1");
    client.give_out(4096);
    client.take_in(hex("160303002a 02000026 0303 0000000000000000000000000000000000000000000000000000000000000000 00 c02f 00"), 1024);
    EXPECT_EQ(client.tls.error(), tls_errc::no_common_version) << client.tls.words();
    EXPECT_TRUE(client.tls.has_output()) << "the server learns why";
}

TEST(Failures, NameVersionsThatDoNotMeet) {
    auto server = server_defaults();
    auto client = client_defaults();
    server.newest_version = version::tls_1_2;
    client.least_version = version::tls_1_3;
    two_ends pair(server_of(server), client_of(client));
    pair.run();
    EXPECT_EQ(pair.server.tls.error(), tls_errc::no_common_version) << pair.server.tls.words();
    EXPECT_EQ(pair.client.tls.error(), tls_errc::no_common_version) << pair.client.tls.words();
    server.least_version = version::tls_1_3;
    EXPECT_EQ(tls::server(server).error(), std::errc::invalid_argument);
}

TEST(Failures, NameProtocolsThatDoNotMeet) {
    auto server = server_defaults();
    server.application_protocols = {"mnet"};
    auto client = client_defaults();
    client.application_protocols = {"h2"};
    two_ends pair(server_of(server), client_of(client));
    pair.run();
    EXPECT_EQ(pair.server.tls.error(), tls_errc::no_common_protocol) << pair.server.tls.words();
    EXPECT_EQ(pair.client.tls.error(), tls_errc::no_common_protocol) << pair.client.tls.words();
}

TEST(Failures, CallAHandshakeThatEndsEarlyClosed) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    std::size_t travelled_max = 0;
    {
        two_ends whole(server, client);
        whole.run([&travelled_max](std::size_t) {
            ++travelled_max;
            return std::size_t{1};
        });
    }
    ASSERT_GT(travelled_max, 500U);
    for (std::size_t travels = 0; travels <= travelled_max; ++travels) {
        // So many bytes travel, then both streams end.
        two_ends pair(server, client, "localhost", "new:" + std::to_string(travels));
        std::size_t left = travels;
        bool moved = true;
        while (moved && left > 0) {
            moved = false;
            for (auto [from, to] : {std::pair(&pair.client, &pair.server), std::pair(&pair.server, &pair.client)}) {
                from->give_out(4096);
                const std::size_t some = std::min(left, from->outbound.size());
                to->take_in(std::span(from->outbound).first(some), 4096);
                from->outbound.erase(from->outbound.begin(), from->outbound.begin() + static_cast<std::ptrdiff_t>(some));
                left -= some;
                moved |= some > 0;
            }
        }
        for (end* one : {&pair.client, &pair.server}) {
            const bool was_open = one->tls.state() == phase::open;
            one->tls.end_of_stream();
            ASSERT_EQ(one->tls.error(), was_open ? make_error_code(errc::truncated) : make_error_code(tls_errc::closed_during_handshake))
                << travels << " bytes travelled";
        }
    }
}

TEST(Failures, CallAnEndWithoutCloseNotifyTruncatedBetweenMessagesToo) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.client.to_send = of("whole");
    pair.run();
    pair.server.tls.end_of_stream();
    EXPECT_EQ(text(pair.server.received), "whole");
    EXPECT_EQ(pair.server.tls.error(), errc::truncated);
}

TEST(Failures, AreFoundWhereAByteWasChanged) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    support::random_source random;
    for (int round = 0; round < 300; ++round) {
        two_ends pair(server, client);
        pair.run();
        pair.client.to_send = of("nobody may change this on its way");
        pair.client.give_out(1024);
        const std::size_t at = random.below(pair.client.outbound.size());
        pair.client.outbound[at] ^= static_cast<std::byte>(1U << random.below(8));
        pair.carry(pair.client, pair.server, everything);
        if (pair.server.tls.state() != phase::failed) pair.server.tls.end_of_stream();  // a longer length waits for more
        ASSERT_EQ(pair.server.tls.state(), phase::failed) << "byte " << at;
        ASSERT_TRUE(pair.server.received.empty());
    }
}

TEST(Failures, TellTheDeadlineOfAHandshake) {
    end server(server_of(server_defaults())->snapshot());
    server.tls.handshake_timed_out();
    EXPECT_EQ(server.tls.error(), tls_errc::handshake_too_slow);
    EXPECT_EQ(server.tls.error(), std::errc::timed_out);
}

TEST(Failures, AreFinal) {
    end server(server_of(server_defaults())->snapshot());
    server.take_in(hex("00"), 16);
    const std::error_code first = server.tls.error();
    server.tls.end_of_stream();
    server.tls.finish();
    server.tls.handshake_timed_out();
    server.tls.rest();
    EXPECT_EQ(server.take_in(hex("160301"), 16), 0U);
    EXPECT_EQ(server.tls.error(), first);
    EXPECT_FALSE(server.tls.wants_input());
}

}  // namespace
}  // namespace mnet::tls::testing
