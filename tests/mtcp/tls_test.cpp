// Clients and servers with TLS: what they verify, what they refuse and say, and that nothing else about them changes.
#include "certificates.hpp"
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;
using mnet::errc;
using mnet::tls_errc;
namespace mtcp = mnet::mtcp;
namespace tls = mnet::tls;

std::string plain(const std::string& address) { return address.substr(std::string_view("tls://").size()); }

tls::server_settings server_with(const tls::certificate_files& files, std::string client_authority = {}) {
    return must(tls::server({.certificate = files.certificate, .key = files.key, .client_authority = std::move(client_authority)}));
}

tls::certificate_files server_for(const support::certificate_folder& files, const tls::certificates::options& options) {
    return files.write("other", must(tls::certificates::make_server(certificates_of_tests().authority, options)));
}

/// What connecting to a server says, and the words with it.
std::error_code refusal(const std::string& address, const tls::client_settings& settings, std::string* words = nullptr) {
    return error_of(mtcp::connect(address, {.tls = &settings, .words = words}));
}

class Tls : public EveryShape {
protected:
    mtcp::network serve_with(const tls::server_settings& settings, mtcp::listen_options options = {}) {
        options.address = anywhere;
        options.tls = settings;
        return *listen_echo(GetParam(), options, &ends);
    }

    endings ends{};
};
FOR_EVERY_SHAPE(Tls);

TEST_P(Tls, MessagesOfAllSizesComeBack) {
    auto network = serve_with(server_of_tests(), {.message_bytes_max = std::size_t{64} << 20});
    auto client = connect_to(network.address(), {.message_bytes_max = std::size_t{64} << 20});
    EXPECT_EQ(client.transport(), "tls");
    for (const std::size_t size : {0UL, 1UL, 16'379UL, 16'380UL, 16'381UL, 65'536UL, 262'144UL, 1'000'000UL, 48UL << 20U}) {
        const auto sent = pattern(size);
        ASSERT_TRUE(client.send(sent).has_value());
        const auto message = client.read(soon_enough);
        ASSERT_TRUE(message.has_value()) << size << ": " << message.error().message();
        ASSERT_TRUE(same(message->bytes(), sent)) << size;
    }
    EXPECT_TRUE(client.close().complete());
    if (GetParam() != shape::message) {
        EXPECT_EQ(ends.take(), make_error_code(errc::end_of_stream));
    }
}

TEST_P(Tls, ManyMessagesInFlightKeepTheirOrder) {
    auto network = serve_with(server_of_tests());
    auto client = connect_to(network.address());
    std::thread sender([peer = client.self()]() mutable {
        for (int count = 0; count < 5000;) {
            if (peer.send(std::to_string(count)))
                ++count;
            else
                std::this_thread::yield();
        }
    });
    for (int count = 0; count < 5000; ++count) ASSERT_EQ(next_text(client), std::to_string(count));
    sender.join();
}

TEST_P(Tls, NobodyIsNamedWhereNobodyWasVerified) {
    auto network = serve_with(server_of_tests());
    auto client = connect_to(network.address());
    EXPECT_EQ(client.peer_name(), "localhost");
    EXPECT_NE(client.explain().find("TLSv1.3"), std::string::npos) << client.explain();
}

TEST_P(Tls, AServerThatWantsToKnowItsClientsDoes) {
    const auto& all = certificates_of_tests();
    auto network = serve_with(server_with(all.server, all.authority_file));
    const auto alice = must(tls::client({.authority = all.authority_file, .certificate = all.client.certificate, .key = all.client.key}));
    auto client = connect_to(network.address(), {.tls = &alice});
    expect_echo(client, "hello");
    auto nobody =
        mtcp::connect(network.address(), {.tls = &client_of_tests()});  // in TLS 1.3 a client is done before the server has looked
    const auto refused = nobody ? error_of(nobody->read(soon_enough)) : nobody.error();
    EXPECT_EQ(refused, tls_errc::certificate_required) << refused.message();
    EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
    EXPECT_NE(network.handshake_error().find("certificate"), std::string::npos) << network.handshake_error();
}

TEST(TlsHandlers, KnowWhoTheirClientIs) {
    const auto& all = certificates_of_tests();
    auto network = serve([](mnet::client& client, mnet::message) noexcept { (void)client.send(client.peer_name()); },
                         {.address = std::string(anywhere), .tls = server_with(all.server, all.authority_file)});
    const auto alice = must(tls::client({.authority = all.authority_file, .certificate = all.client.certificate, .key = all.client.key}));
    auto client = connect_to(network.address(), {.tls = &alice});
    ASSERT_TRUE(client.send("who am I").has_value());
    EXPECT_EQ(next_text(client), "alice.example");
}

// Refusals ----------------------------------------------------------------------------------------------------------------------------

TEST(TlsRefuses, ACertificateOfAnotherName) {
    const support::certificate_folder files;
    auto network = serve([](mnet::client&, mnet::message) noexcept {},
                         {.address = std::string(anywhere), .tls = server_with(server_for(files, {.names = {"elsewhere.example"}}))});
    std::string words;
    EXPECT_EQ(refusal(network.address(), client_of_tests(), &words), tls_errc::wrong_name);
    EXPECT_NE(words.find("127.0.0.1"), std::string::npos) << words;
    EXPECT_NE(words.find("elsewhere.example"), std::string::npos) << words;
    const auto named = must(tls::client({.authority = certificates_of_tests().authority_file, .server_name = "elsewhere.example"}));
    EXPECT_EQ(refusal(network.address(), named), std::error_code{});
}

TEST(TlsRefuses, AnAuthorityThatNobodyNamed) {
    auto network = serve([](mnet::client&, mnet::message) noexcept {}, {.address = std::string(anywhere), .tls = server_of_tests()});
    const auto refused = error_of(mtcp::connect(network.address()));  // the system's authorities
    EXPECT_TRUE(refused == tls_errc::unknown_authority || refused == tls_errc::self_signed) << refused.message();
    EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
    const auto any = must(tls::client({.insecure_accept_any_certificate = true}));
    EXPECT_EQ(refusal(network.address(), any), std::error_code{});
    auto client = connect_to(network.address(), {.tls = &any});
    EXPECT_EQ(client.peer_name(), "");
}

TEST(TlsRefuses, APeerThatSpeaksPlainText) {
    auto network = serve([](mnet::client&, mnet::message) noexcept {}, {.address = std::string(anywhere), .tls = server_of_tests()});
    auto client = connect_to(plain(network.address()));
    ASSERT_TRUE(client.send("hello").has_value());
    EXPECT_FALSE(client.read(soon_enough).has_value());
    EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
    EXPECT_NE(network.handshake_error().find(make_error_code(tls_errc::peer_speaks_plain_text).message()), std::string::npos)
        << network.handshake_error();
}

TEST(TlsRefuses, APlainServer) {
    raw_listener listener;
    std::thread server([&listener] {
        raw_peer peer = listener.accept();
        (void)peer.receive(1);
        peer.send(frame("hello"));
        (void)peer.receive_to_end();
    });
    EXPECT_EQ(refusal("tls://" + listener.address(), client_of_tests()), tls_errc::peer_speaks_plain_text);
    server.join();
}

TEST(TlsRefuses, ATlsClientOnAPlainPortWithItsName) {
    endings ends;
    auto network = *listen_echo(shape::coroutine, {.address = "127.0.0.1:0"}, &ends);
    EXPECT_NE(refusal("tls://" + network.address(), client_of_tests()), std::error_code{});
    EXPECT_EQ(ends.take(), make_error_code(errc::peer_speaks_tls));
}

TEST(TlsRefuses, WhatDoesNotGoTogether) {
    const auto settings = server_of_tests();
    const auto nothing = [](mnet::client&, mnet::message) noexcept {};
    EXPECT_EQ(error_of(mtcp::listen({.address = std::string(anywhere)}, nothing)), std::errc::invalid_argument);
    EXPECT_EQ(error_of(mtcp::listen({.address = "shm://tls-test", .tls = settings}, nothing)), std::errc::invalid_argument);
    EXPECT_EQ(error_of(mtcp::listen({.tls = tls::server({.certificate = "/nowhere.pem"})}, nothing)), std::errc::no_such_file_or_directory);
}

// Ends --------------------------------------------------------------------------------------------------------------------------------

/// Carries bytes between a client and a server, and cuts the line after so many from the server.
class cutting_line {
public:
    cutting_line(std::string server, std::size_t bytes_max) : server_(std::move(server)), thread_([this, bytes_max] { run(bytes_max); }) {}
    cutting_line(const cutting_line&) = delete;
    cutting_line& operator=(const cutting_line&) = delete;
    ~cutting_line() { thread_.join(); }

    std::string address() const { return "tls://" + listener_.address(); }

private:
    void run(std::size_t bytes_max) {
        raw_peer client = listener_.accept();
        raw_peer server(server_);
        std::thread upwards([&] {
            for (auto bytes = client.receive_some(); !bytes.empty(); bytes = client.receive_some()) server.send(bytes);
        });
        std::size_t carried = 0;
        while (carried < bytes_max) {
            auto bytes = server.receive_some();
            if (bytes.empty()) break;
            bytes.resize(std::min(bytes.size(), bytes_max - carried));
            client.send(bytes);
            carried += bytes.size();
        }
        client.finish();
        upwards.join();
    }

    std::string server_;
    raw_listener listener_{};
    std::thread thread_;
};

TEST(TlsStream, ThatIsCutAnywhereIsAnErrorAndNeverAnEnd) {
    auto network = serve([](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); },
                         {.address = std::string(anywhere), .tls = server_of_tests()});
    int cut_handshakes = 0;
    for (std::size_t bytes = 0; bytes < 3000; bytes += 1 + bytes / 7) {
        const cutting_line line(plain(network.address()), bytes);
        auto client = mtcp::connect(line.address(), {.tls = &client_of_tests()});
        if (!client) {
            ++cut_handshakes;
            EXPECT_EQ(client.error(), tls_errc::closed_during_handshake) << bytes << ": " << client.error().message();
            continue;
        }
        std::error_code end;
        while (!end) {
            if (auto sent = client->send(std::string(100, 'x')); !sent) end = sent.error();
            if (auto answer = client->read(soon_enough); !answer) end = answer.error();
        }
        EXPECT_EQ(end, errc::truncated) << bytes << ": " << end.message();
    }
    EXPECT_GT(cut_handshakes, 3);
}

TEST(TlsStream, OfAClientThatAsksAndNeverReadsKeepsTheBounds) {
    constexpr std::size_t bound = 100'000;
    auto network = *listen_echo(shape::message, {.address = std::string(anywhere), .unsent_bytes_max = bound});
    auto client = connect_to(network.address(), {.unsent_bytes_max = bound});
    std::uint64_t committed = 0;
    for (int rest = 0; rest < 200; ++rest) {
        while (client.send(pattern(10'000))) ++committed;
        EXPECT_LE(client.unsent_bytes(), bound + 10'004);
        (void)client.flush({.deadline = mnet::within(1ms)});
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().pauses > 0; }));
    EXPECT_LT(network.statistics().memory_in_use_bytes, std::size_t{2} << 20);
    for (std::uint64_t count = 0; count < committed; ++count) {
        const auto message = client.read(soon_enough);
        ASSERT_TRUE(message.has_value()) << count << " of " << committed << ": " << message.error().message();
        ASSERT_TRUE(same(message->bytes(), pattern(10'000)));
    }
}

// Handshakes --------------------------------------------------------------------------------------------------------------------------

TEST_P(Tls, SilentConnectionsKeepNobodyWaiting) {
    auto network = serve_with(server_of_tests());
    std::vector<raw_peer> silent;
    for (int count = 0; count < 200; ++count) silent.emplace_back(plain(network.address()));
    auto client = connect_to(network.address());
    expect_echo(client, "at once");
    EXPECT_EQ(network.statistics().handshakes, 1U);
    (void)network.stop();
}

TEST_P(Tls, MoreSilentConnectionsThanMayBeMakeRoomForWhoSpeaks) {
    auto network = serve_with(server_of_tests(), {.handshakes_max = 4});
    std::vector<raw_peer> silent;
    for (int count = 0; count < 40; ++count) silent.emplace_back(plain(network.address()));
    auto client = connect_to(network.address());
    expect_echo(client, "in turn");
    EXPECT_GE(network.statistics().handshakes_failed, 24U) << "sixteen may be silent";
    (void)network.stop();
}

TEST_P(Tls, AHandshakeThatTakesTooLongIsEnded) {
    auto network = serve_with(server_of_tests(), {.handshake_timeout = 20ms});
    raw_peer slow(plain(network.address()));
    slow.send("16030100");
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0 && network.statistics().handshakes_failed == 1; }));
    EXPECT_NE(network.handshake_error().find("in time"), std::string::npos) << network.handshake_error();
}

TEST(TlsHandshake, WithAServerThatIsSilentEndsInTime) {
    raw_listener listener;
    const auto settings = client_of_tests();
    const auto outcome = mtcp::connect("tls://" + listener.address(), {.tls = &settings, .handshake_timeout = 20ms});
    EXPECT_EQ(error_of(outcome), tls_errc::handshake_too_slow);
    EXPECT_EQ(error_of(outcome), std::errc::timed_out);
}

TEST_P(Tls, AResetDuringTheHandshakeIsCounted) {
    auto network = serve_with(server_of_tests());
    raw_peer peer(plain(network.address()));
    peer.send("16030100");
    ASSERT_TRUE(eventually([&] { return network.statistics().wire_bytes_received >= 4 || GetParam() == shape::blocking; }));
    peer.reset();
    EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
}

TEST_P(Tls, AReconnectResumesTheSession) {
    auto network = serve_with(server_of_tests());
    auto client = connect_to(network.address());
    expect_echo(client, "first");
    ASSERT_TRUE(client.reconnect().has_value());
    expect_echo(client, "second");
    EXPECT_EQ(client.peer_name(), "localhost");
    EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_resumed == 1; }));
    EXPECT_EQ(client.statistics().reconnects, 1U);
}

TEST_P(Tls, AStopEndsHandshakesAndClientsInTime) {
    auto network = serve_with(server_of_tests());
    raw_peer silent(plain(network.address()));
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    const auto farewell = network.stop(mnet::within(10s));
    EXPECT_TRUE(farewell.complete());
    EXPECT_EQ(farewell.clients_drained, 1U);
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
}

TEST_P(Tls, ManyHandshakesLeaveNothingBehind) {
    auto network = serve_with(server_of_tests());
    const std::size_t before = open_descriptors();
    for (int count = 0; count < 300; ++count) {
        auto client = connect_to(network.address());
        if (count % 3 == 0) expect_echo(client, "hello");
        if (count % 3 == 1) (void)client.close();
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_TRUE(eventually([&] { return open_descriptors() <= before; })) << open_descriptors() << ", before: " << before;
    EXPECT_EQ(network.statistics().handshakes + network.statistics().handshakes_failed, 300U);
}

// Reloading ---------------------------------------------------------------------------------------------------------------------------

TEST(TlsReload, GivesNewClientsTheNewCertificateAndDropsNobody) {
    const support::certificate_folder files;
    auto settings = server_with(server_for(files, {.names = {"127.0.0.1"}, .common_name = "old"}));
    auto network = *listen_echo(shape::message, {.address = std::string(anywhere), .tls = settings});
    auto old = connect_to(network.address());
    expect_echo(old, "before");
    EXPECT_EQ(old.peer_name(), "127.0.0.1");
    (void)server_for(files, {.names = {"new.example", "127.0.0.1"}});
    std::string words;
    ASSERT_TRUE(network.reload_certificates(&words).has_value()) << words;
    auto fresh = connect_to(network.address());
    expect_echo(fresh, "after");
    EXPECT_EQ(fresh.peer_name(), "new.example");
    expect_echo(old, "still");
    EXPECT_GE(network.statistics().reloads, 1U);
    EXPECT_GT(network.statistics().certificate_days_left.value_or(-1), 800);
}

TEST(TlsReload, HappensByItselfAndKeepsTheOldWhereTheNewIsBad) {
    const support::certificate_folder files;
    auto settings = server_with(server_for(files, {.names = {"127.0.0.1"}}));
    auto network = *listen_echo(shape::message, {.address = std::string(anywhere), .tls = settings});
    (void)files.write("other.pem", "no certificate at all");
    ASSERT_TRUE(eventually([&] { return network.statistics().reloads_failed >= 1; }));
    EXPECT_NE(network.reload_error().find("other.pem"), std::string::npos) << network.reload_error();
    auto client = connect_to(network.address());
    expect_echo(client, "as before");
    (void)server_for(files, {.names = {"new.example", "127.0.0.1"}});
    ASSERT_TRUE(eventually([&] { return network.statistics().reloads >= 1; }));
    EXPECT_EQ(network.reload_error(), "");
}

TEST(TlsReload, OfANetworkWithoutTlsIsRefused) {
    auto network = echo_server(shape::message);
    EXPECT_EQ(error_of(network.reload_certificates()), std::errc::operation_not_supported);
    EXPECT_FALSE(network.statistics().certificate_days_left.has_value());
}

}  // namespace
}  // namespace mtcp_test
