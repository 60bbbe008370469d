// What a connection with TLS refuses, by real peers and real certificates: the code, the words, and what the other end is told. Each that has to do
// with a certificate in both versions of TLS, whose handshakes end at different times.
#include "certificates.hpp"
#include "raw_peer.hpp"
#include "servers.hpp"
#include "tls/client_context.hpp"
#include "tls/server_context.hpp"

#include <chrono>
#include <string>
#include <thread>

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;
using mnet::errc;
using mnet::tls_errc;
namespace mtcp = mnet::mtcp;
namespace tls = mnet::tls;
namespace certificates = mnet::tls::certificates;

constexpr auto long_ago = std::chrono::sys_days(std::chrono::year(2020) / 1 / 1);
constexpr std::chrono::days a_month{31};

/// A server's certificate that was signed with its own key, for 127.0.0.1 and the years 2020 to 2120, made with
/// `openssl ca -selfsign`.
constexpr std::string_view self_signed_pem = R"(-----BEGIN CERTIFICATE-----
MIIBfjCCASSgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAkxMjcuMC4w
LjEwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CTEyNy4wLjAuMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHrED1VAu93yBkpw
VBCK47az7ODf1sPvqN2G7MhSCzM1coKU+77ML7EpYmFwDCTtKgjCRONfkllXwnus
y0mykiajZTBjMA8GA1UdEQQIMAaHBH8AAAEwDgYDVR0PAQH/BAQDAgeAMAwGA1Ud
EwEB/wQCMAAwEwYDVR0lBAwwCgYIKwYBBQUHAwEwHQYDVR0OBBYEFPvrKxFiwdTQ
cs1x7tFeC8kldzUXMAoGCCqGSM49BAMCA0gAMEUCIQD0nOceuQs2uAwcwTFZtmtE
GMxarc3UziuvwskNaq9n+gIgREexu4CDF40EOiVtPUiHtRXm2dBZAKfwBsSAiYbU
Lzc=
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4s8Ya2cP+5Xuemvs
tB99somXlOE7BLJS5/5ysOo0oxOhRANCAAR6xA9VQLvd8gZKcFQQiuO2s+zg39bD
76jdhuzIUgszNXKClPu+zC+xKWJhcAwk7SoIwkTjX5JZV8J7rMtJspIm
-----END PRIVATE KEY-----
)";

/// Settings that were loaded at another time, when their certificate was good.
tls::server_settings server_loaded(std::chrono::sys_seconds when, tls::server_options options) {
    return tls::server_settings(*tls::server_context::make(options, when));
}
tls::client_settings client_loaded(std::chrono::sys_seconds when, tls::client_options options) {
    return tls::client_settings(*tls::client_context::make(options, when));
}

std::chrono::sys_seconds now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

mtcp::network echoing(const tls::server_settings& settings) {
    return *listen_echo(shape::coroutine, {.address = std::string(anywhere), .tls = settings});
}

class TlsRefusal : public testing::TestWithParam<tls::version> {
protected:
    /// A client that believes the tests' authority refuses a server.
    void expect_refused(const tls::server_settings& shown, tls_errc why, std::string_view words, tls::client_options options = {}) {
        auto network = echoing(shown);
        if (options.authority.empty()) options.authority = certificates_of_tests().authority_file;
        options.newest_version = GetParam();
        const auto settings = must(tls::client(options));
        std::string told;
        EXPECT_EQ(error_of(mtcp::connect(network.address(), {.tls = &settings, .words = &told})), why) << told;
        EXPECT_NE(told.find(words), std::string::npos) << told;
        expect_handshake_error(network, make_error_code(tls_errc::peer_refuses_our_certificate).message());
    }

    /// A server that lets in whom the tests' authority signed refuses a client.
    void expect_refused(const tls::client_settings& shown, tls_errc why, std::string_view words, tls_errc client_is_told,
                        tls::server_options options = {}) {
        const auto& all = certificates_of_tests();
        options.certificate = all.server.certificate;
        options.key = all.server.key;
        if (options.client_authority.empty()) options.client_authority = all.authority_file;
        options.newest_version = GetParam();
        auto network = echoing(must(tls::server(options)));
        // In TLS 1.3 a client is done before the server has looked.
        auto client = mtcp::connect(network.address(), {.tls = &shown});
        const std::error_code end = client ? error_of(client->read(soon_enough)) : client.error();
        EXPECT_EQ(end, client_is_told) << end.message();
        expect_handshake_error(network, make_error_code(why).message());
        expect_handshake_error(network, words);
    }

    static void expect_handshake_error(mtcp::network& network, std::string_view text) {
        EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
        EXPECT_NE(network.handshake_error().find(text), std::string::npos) << network.handshake_error();
        EXPECT_EQ(network.handshake_error().find("tls://127.0.0.1:"), 0U) << "of whom: " << network.handshake_error();
    }

    tls::server_options made_by(const certificates::pair& signer, const certificates::options& options) const {
        const auto written = files.write("server", must(certificates::make_server(signer, options)));
        return {.certificate = written.certificate, .key = written.key};
    }
    tls::client_options client_by(const certificates::pair& signer, const certificates::options& options) const {
        const auto written = files.write("client", must(certificates::make_client(signer, options)));
        return {.authority = certificates_of_tests().authority_file, .certificate = written.certificate, .key = written.key};
    }

    support::certificate_folder files{};
    const certificates::pair& authority = certificates_of_tests().authority;
    certificates::pair stranger = must(certificates::make_authority({.common_name = "a stranger"}));
    certificates::pair old_authority = must(certificates::make_authority({.valid_from = long_ago, .valid_for = std::chrono::days(10'000)}));
    std::string old_authority_file = files.write("old-authority.pem", old_authority.certificate);
};
INSTANTIATE_TEST_SUITE_P(In, TlsRefusal, testing::Values(tls::version::tls_1_2, tls::version::tls_1_3),
                         [](const auto& which) { return which.param == tls::version::tls_1_2 ? "Tls12" : "Tls13"; });

TEST_P(TlsRefusal, OfAnExpiredServerSaysSinceWhen) {
    const auto options = made_by(old_authority, {.names = {"127.0.0.1"}, .valid_from = long_ago, .valid_for = a_month});
    expect_refused(server_loaded(long_ago + 1min, options), tls_errc::certificate_expired,
                   "the certificate of 127.0.0.1 expired on 2020-02-01 00:00:00 UTC", {.authority = old_authority_file});
}

TEST_P(TlsRefusal, OfAServerOfTomorrowSaysFromWhenOn) {
    const auto options = made_by(authority, {.names = {"127.0.0.1"}, .valid_from = now() + 24h});
    expect_refused(server_loaded(now() + 25h, options), tls_errc::certificate_not_yet_valid,
                   "the certificate of 127.0.0.1 is valid from 2");
}

TEST_P(TlsRefusal, OfAServerThatSignedItsOwnCertificate) {
    expect_refused(must(tls::server({.certificate = files.write("own.pem", self_signed_pem)})), tls_errc::self_signed,
                   "the certificate of 127.0.0.1 is signed by itself");
}

TEST_P(TlsRefusal, OfAServerOfAnotherAuthorityNamesThat) {
    expect_refused(must(tls::server(made_by(stranger, {.names = {"127.0.0.1"}}))), tls_errc::unknown_authority,
                   "the certificate of 127.0.0.1 is signed by a stranger, which is not believed here");
}

TEST_P(TlsRefusal, OfAServerOfAnotherNameSaysBoth) {
    expect_refused(must(tls::server(made_by(authority, {.names = {"elsewhere.example", "10.0.0.1"}}))), tls_errc::wrong_name,
                   "asked for 127.0.0.1, the certificate is for elsewhere.example, 10.0.0.1");
}

TEST_P(TlsRefusal, OfAServerThatWasRevoked) {
    const auto made = must(certificates::make_server(authority, {.names = {"127.0.0.1"}}));
    const auto written = files.write("server", made);
    const auto list = files.write("list.pem", must(certificates::make_revocation_list(authority, {made.certificate}, a_month)));
    expect_refused(must(tls::server({.certificate = written.certificate, .key = written.key})), tls_errc::certificate_revoked,
                   "the certificate of 127.0.0.1 was revoked by its authority", {.revocation_list = list});
}

TEST_P(TlsRefusal, OfAServerWithAClientsCertificate) {
    const auto options = client_by(authority, {.names = {"127.0.0.1"}});
    expect_refused(must(tls::server({.certificate = options.certificate, .key = options.key})), tls_errc::certificate_unusable,
                   "the certificate of 127.0.0.1 is refused");
}

TEST_P(TlsRefusal, OfAnExpiredClientSaysSinceWhen) {
    const auto options = client_by(old_authority, {.names = {"bob.example"}, .valid_from = long_ago, .valid_for = a_month});
    expect_refused(client_loaded(long_ago + 1min, options), tls_errc::certificate_expired,
                   "the certificate of bob.example expired on 2020-02-01 00:00:00 UTC", tls_errc::peer_refuses_our_certificate,
                   {.client_authority = old_authority_file});
}

TEST_P(TlsRefusal, OfAClientOfTomorrowSaysFromWhenOn) {
    const auto options = client_by(authority, {.names = {"bob.example"}, .valid_from = now() + 24h});
    expect_refused(client_loaded(now() + 25h, options), tls_errc::certificate_not_yet_valid,
                   "the certificate of bob.example is valid from 2", tls_errc::peer_refuses_our_certificate);
}

TEST_P(TlsRefusal, OfAClientThatSignedItsOwnCertificate) {
    const auto own = files.write("own", must(certificates::make_authority({.names = {"bob.example"}})));
    const auto bob =
        must(tls::client({.authority = certificates_of_tests().authority_file, .certificate = own.certificate, .key = own.key}));
    expect_refused(bob, tls_errc::self_signed, "the certificate of bob.example is signed by itself",
                   tls_errc::peer_refuses_our_certificate);
}

TEST_P(TlsRefusal, OfAClientOfAnotherAuthorityNamesThat) {
    expect_refused(must(tls::client(client_by(stranger, {.names = {"bob.example"}}))), tls_errc::unknown_authority,
                   "the certificate of bob.example is signed by a stranger, which is not believed here",
                   tls_errc::peer_refuses_our_certificate);
}

TEST_P(TlsRefusal, OfAClientThatWasRevoked) {
    const auto made = must(certificates::make_client(authority, {.names = {"bob.example"}}));
    const auto written = files.write("client", made);
    const auto list = files.write("list.pem", must(certificates::make_revocation_list(authority, {made.certificate}, a_month)));
    const auto bob =
        must(tls::client({.authority = certificates_of_tests().authority_file, .certificate = written.certificate, .key = written.key}));
    expect_refused(bob, tls_errc::certificate_revoked, "the certificate of bob.example was revoked by its authority",
                   tls_errc::peer_refuses_our_certificate, {.revocation_list = list});
}

TEST_P(TlsRefusal, OfAClientWithAServersCertificate) {
    const auto& all = certificates_of_tests();
    const auto odd = must(tls::client({.authority = all.authority_file, .certificate = all.server.certificate, .key = all.server.key}));
    expect_refused(odd, tls_errc::certificate_unusable, "the certificate of localhost is refused", tls_errc::peer_refuses_our_certificate);
}

TEST_P(TlsRefusal, OfAClientWithoutACertificate) {
    // TLS 1.2 has no alert that says so: the client hears of a handshake that failed.
    const bool is_1_3 = GetParam() == tls::version::tls_1_3;
    expect_refused(client_of_tests(), tls_errc::certificate_required,
                   "OpenSSL: ", is_1_3 ? tls_errc::certificate_required : tls_errc::no_common_cipher);
}

// Without a certificate ------------------------------------------------------------------------------------------------------------------

class TlsPeers : public testing::Test {
protected:
    /// What a server says of a peer that sends these bytes first.
    void expect_server_says(std::string_view hexadecimal, tls_errc why) {
        auto network = echoing(server_of_tests());
        raw_peer peer(network.address().substr(std::string_view("tls://").size()));
        peer.send(hexadecimal);
        EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
        EXPECT_NE(network.handshake_error().find(make_error_code(why).message()), std::string::npos) << network.handshake_error();
    }

    /// What connecting to a server says that answers with these bytes.
    void expect_client_says(std::string_view hexadecimal, tls_errc why) {
        raw_listener listener;
        std::thread server([&] {
            raw_peer peer = listener.accept();
            (void)peer.receive(1);
            peer.send(hexadecimal);
            (void)peer.receive_to_end();
        });
        const auto outcome = mtcp::connect("tls://" + listener.address(), {.tls = &client_of_tests()});
        EXPECT_EQ(error_of(outcome), why) << error_of(outcome).message();
        server.join();
    }
};

constexpr std::string_view zeros = "0000000000000000000000000000000000000000000000000000000000000000";

TEST_F(TlsPeers, OfAnOldVersionAreToldSo) {
    // A ClientHello of TLS 1.0, and the alert protocol_version.
    expect_server_says("160301002d 01000029 0301 " + std::string(zeros) + " 00 0002 002f 0100", tls_errc::no_common_version);
    expect_client_says("1503010002 0246", tls_errc::no_common_version);
}

TEST_F(TlsPeers, OfWeakCiphersOnlyAreToldSo) {
    // A ClientHello of TLS 1.2 with TLS_RSA_WITH_AES_128_CBC_SHA, and the alert handshake_failure.
    expect_server_says("160301002d 01000029 0303 " + std::string(zeros) + " 00 0002 002f 0100", tls_errc::no_common_cipher);
    expect_client_says("1503010002 0228", tls_errc::no_common_cipher);
}

TEST_F(TlsPeers, ThatBreakTheProtocolAreToldSo) {
    // A record of a handshake message that there is not, and a ServerHello that is none.
    expect_server_says("1603010005 ff000001 00", tls_errc::protocol_violation);
    expect_client_says("1603030005 02000001 00", tls_errc::protocol_violation);
}

TEST_F(TlsPeers, ThatSendAnotherAlertAreToldSo) {
    expect_client_says("1503010002 0250", tls_errc::alert_received);  // internal_error
}

TEST_F(TlsPeers, ThatSpeakHttpAreToldSo) {
    expect_server_says("474554202f20485454502f312e310d0a", tls_errc::peer_speaks_plain_text);
    expect_client_says("485454502f312e3120343030", tls_errc::peer_speaks_plain_text);
}

TEST_F(TlsPeers, OfOtherVersionsMeetNowhere) {
    const auto& all = certificates_of_tests();
    auto network =
        echoing(must(tls::server({.certificate = all.server.certificate, .key = all.server.key, .newest_version = tls::version::tls_1_2})));
    const auto newer = must(tls::client({.authority = all.authority_file, .least_version = tls::version::tls_1_3}));
    EXPECT_EQ(error_of(mtcp::connect(network.address(), {.tls = &newer})), tls_errc::no_common_version);
    EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
    EXPECT_NE(network.handshake_error().find("no version of TLS in common"), std::string::npos) << network.handshake_error();
}

TEST_F(TlsPeers, OfOtherProtocolsMeetNowhere) {
    const auto& all = certificates_of_tests();
    auto network =
        echoing(must(tls::server({.certificate = all.server.certificate, .key = all.server.key, .application_protocols = {"mnet"}})));
    const auto other = must(tls::client({.authority = all.authority_file, .application_protocols = {"h2"}}));
    EXPECT_EQ(error_of(mtcp::connect(network.address(), {.tls = &other})), tls_errc::no_common_protocol);
    EXPECT_TRUE(eventually([&] { return network.statistics().handshakes_failed == 1; }));
    EXPECT_NE(network.handshake_error().find("no application protocol in common"), std::string::npos) << network.handshake_error();
}

TEST_F(TlsPeers, WithFilesOfSomethingElseDoNotBegin) {
    const support::certificate_folder files;
    const auto& all = certificates_of_tests();
    std::string words;
    const auto nothing = [](mnet::client&, mnet::message) noexcept {};
    const auto listening = [&](const tls::server_options& options) {
        return error_of(mtcp::listen({.address = std::string(anywhere), .tls = tls::server(options, &words)}, nothing));
    };
    EXPECT_EQ(listening({.certificate = files.write("a.pem", "nothing")}), tls_errc::unreadable_file);
    EXPECT_NE(words.find("a.pem"), std::string::npos) << words;
    EXPECT_EQ(listening({.certificate = all.server.certificate, .key = all.client.key}), tls_errc::key_mismatch);
    EXPECT_NE(words.find("is not the key of"), std::string::npos) << words;
}

}  // namespace
}  // namespace mtcp_test
