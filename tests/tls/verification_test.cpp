// Who is believed, and who is not: every refusal with a real certificate, its code and its words.
#include <gtest/gtest.h>

#include "tls/two_ends.hpp"

namespace mnet::tls::testing {
namespace {

using namespace std::chrono_literals;

struct refusal {
    std::error_code client;
    std::string client_words;
    std::error_code server;
};

/// What becomes of a handshake that has to fail.
refusal refused(two_ends& pair) {
    pair.run();
    EXPECT_EQ(pair.client.tls.peer_name(), pair.client.tls.state() == phase::open ? pair.client.tls.peer_name() : "");
    return {.client = pair.client.tls.error(), .client_words = pair.client.tls.words(), .server = pair.server.tls.error()};
}

/// A server with a certificate made as `options` say, that is loaded at a time when that was good.
std::shared_ptr<server_context> server_with(const support::certificate_folder& files, const certificates::pair& authority,
                                            const certificates::options& options) {
    const auto made = files.write("made", must(certificates::make_server(authority, options)));
    const auto then = options.valid_from.value_or(now());
    return server_of({.certificate = made.certificate, .key = made.key}, then + 1min);
}

TEST(Verification, RefusesAWrongNameAndSaysWhichOnesThereAre) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()), "example.org");
    const refusal found = refused(pair);
    EXPECT_EQ(found.client, tls_errc::wrong_name);
    EXPECT_EQ(found.client_words, "asked for example.org, the certificate is for localhost, 127.0.0.1, ::1");
    EXPECT_EQ(found.server, tls_errc::peer_refuses_our_certificate);
}

TEST(Verification, TakesAnAddressThatTheCertificateIsFor) {
    for (const std::string_view address : {"127.0.0.1", "::1"}) {
        two_ends pair(server_of(server_defaults()), client_of(client_defaults()), address);
        pair.run();
        EXPECT_EQ(pair.client.tls.state(), phase::open) << address << ": " << pair.client.tls.words();
    }
}

TEST(Verification, RefusesAnAddressThatTheCertificateIsNotFor) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()), "127.0.0.2");
    const refusal found = refused(pair);
    EXPECT_EQ(found.client, tls_errc::wrong_name);
    EXPECT_EQ(found.client_words, "asked for 127.0.0.2, the certificate is for localhost, 127.0.0.1, ::1");
}

TEST(Verification, DoesNotTakeTheCommonNameForAName) {
    const support::certificate_folder files;
    const auto server = server_with(files, parties::all().authority, {.names = {"localhost"}, .common_name = "example.org"});
    two_ends pair(server, client_of(client_defaults()), "example.org");
    EXPECT_EQ(refused(pair).client, tls_errc::wrong_name);
}

TEST(Verification, AsksForTheNameOfTheOptionsBeforeThatOfTheAddress) {
    auto options = client_defaults();
    options.server_name = "localhost";
    two_ends pair(server_of(server_defaults()), client_of(options), "10.0.0.1");
    pair.run();
    EXPECT_EQ(pair.client.tls.state(), phase::open);
}

TEST(Verification, RefusesToBeginWithoutAName) {
    end client(client_of(client_defaults()), "", "unix");
    EXPECT_EQ(client.tls.state(), phase::failed);
    EXPECT_EQ(client.tls.error(), tls_errc::wrong_name);
    EXPECT_FALSE(client.tls.has_output());
}

TEST(Verification, RefusesAnExpiredCertificateAndSaysSinceWhen) {
    const support::certificate_folder files;
    const auto before = std::chrono::sys_days(std::chrono::year(2020) / 1 / 1);
    const auto authority = must(certificates::make_authority({.valid_from = before, .valid_for = std::chrono::days(10'000)}));
    const auto server = server_with(files, authority, {.names = {"localhost"}, .valid_from = before, .valid_for = std::chrono::days(31)});
    two_ends pair(server, client_of({.authority = files.write("old.pem", authority.certificate)}));
    const refusal found = refused(pair);
    EXPECT_EQ(found.client, tls_errc::certificate_expired);
    EXPECT_EQ(found.client_words, "the certificate of localhost expired on 2020-02-01 00:00:00 UTC");
    EXPECT_EQ(found.server, tls_errc::peer_refuses_our_certificate);
    EXPECT_NE(pair.server.tls.words().find("expired"), std::string::npos) << pair.server.tls.words();
}

TEST(Verification, RefusesACertificateOfTomorrow) {
    const support::certificate_folder files;
    const auto tomorrow = now() + 24h;
    const auto server = server_with(files, parties::all().authority, {.names = {"localhost"}, .valid_from = tomorrow});
    two_ends pair(server, client_of(client_defaults()));
    const refusal found = refused(pair);
    EXPECT_EQ(found.client, tls_errc::certificate_not_yet_valid);
    EXPECT_TRUE(found.client_words.starts_with("the certificate of localhost is valid from 2")) << found.client_words;
}

TEST(Verification, RefusesASelfSignedCertificate) {
    const support::certificate_folder files;
    const auto own = files.write("own", must(certificates::make_authority({.names = {"localhost"}})));
    two_ends pair(server_of({.certificate = own.certificate, .key = own.key}), client_of(client_defaults()));
    const refusal found = refused(pair);
    EXPECT_EQ(found.client, tls_errc::self_signed);
    EXPECT_EQ(found.client_words, "the certificate of localhost is signed by itself");
}

TEST(Verification, RefusesAnAuthorityThatItDoesNotKnowAndNamesIt) {
    const support::certificate_folder files;
    const auto server = server_with(files, parties::all().stranger, {.names = {"localhost"}});
    two_ends pair(server, client_of(client_defaults()));
    const refusal found = refused(pair);
    EXPECT_EQ(found.client, tls_errc::unknown_authority);
    EXPECT_EQ(found.client_words, "the certificate of localhost is signed by a stranger, which is not believed here");
}

TEST(Verification, BelievesTheSystemsAuthoritiesWhenItIsToldNoOthers) {
    two_ends pair(server_of(server_defaults()), client_of({}));
    EXPECT_EQ(refused(pair).client, tls_errc::unknown_authority);
}

TEST(Verification, RefusesACertificateThatWasMadeForAClient) {
    const auto& all = parties::all();
    two_ends pair(server_of({.certificate = all.client.certificate, .key = all.client.key}), client_of(client_defaults()), "alice.example");
    const refusal found = refused(pair);
    EXPECT_EQ(found.client, tls_errc::certificate_unusable);
    EXPECT_NE(found.client_words.find("purpose"), std::string::npos) << found.client_words;
}

TEST(Verification, IsLeftOutByNameOnly) {
    const support::certificate_folder files;
    const auto server = server_with(files, parties::all().stranger, {.names = {"elsewhere"}});
    two_ends pair(server, client_of({.insecure_accept_any_certificate = true}));
    pair.run();
    EXPECT_EQ(pair.client.tls.state(), phase::open);
    EXPECT_FALSE(pair.client.tls.peer_verified());
    EXPECT_EQ(pair.client.tls.peer_name(), "") << "an unverified name is nobody's";
}

server_options mutual() {
    auto options = server_defaults();
    options.client_authority = parties::all().authority_file;
    return options;
}

client_options as(const certificate_files& files) {
    auto options = client_defaults();
    options.certificate = files.certificate;
    options.key = files.key;
    return options;
}

TEST(MutualVerification, KnowsTheClientByName) {
    two_ends pair(server_of(mutual()), client_of(as(parties::all().client)));
    pair.run();
    EXPECT_EQ(pair.server.tls.state(), phase::open) << pair.server.tls.words();
    EXPECT_EQ(pair.server.tls.peer_name(), "alice.example");
    EXPECT_TRUE(pair.server.tls.peer_verified());
}

TEST(MutualVerification, RefusesAClientWithoutACertificate) {
    two_ends pair(server_of(mutual()), client_of(client_defaults()));
    const refusal found = refused(pair);
    EXPECT_EQ(found.server, tls_errc::certificate_required);
    EXPECT_EQ(found.client, tls_errc::certificate_required) << found.client_words;
}

TEST(MutualVerification, RefusesAClientOfAnotherAuthority) {
    const support::certificate_folder files;
    const auto other = files.write("other", must(certificates::make_client(parties::all().stranger, {.names = {"mallory.example"}})));
    two_ends pair(server_of(mutual()), client_of(as(other)));
    const refusal found = refused(pair);
    EXPECT_EQ(found.server, tls_errc::unknown_authority);
    EXPECT_EQ(pair.server.tls.words(), "the certificate of mallory.example is signed by a stranger, which is not believed here");
    EXPECT_EQ(found.client, tls_errc::peer_refuses_our_certificate);
}

TEST(MutualVerification, RefusesAServersCertificateAsAClients) {
    two_ends pair(server_of(mutual()), client_of(as(parties::all().server)));
    EXPECT_EQ(refused(pair).server, tls_errc::certificate_unusable);
}

TEST(MutualVerification, RefusesAnExpiredClient) {
    const support::certificate_folder files;
    const auto before = std::chrono::sys_days(std::chrono::year(2020) / 1 / 1);
    const auto authority = must(certificates::make_authority({.valid_from = before, .valid_for = std::chrono::days(10'000)}));
    const auto old = files.write(
        "old",
        must(certificates::make_client(authority, {.names = {"alice.example"}, .valid_from = before, .valid_for = std::chrono::days(31)})));
    auto options = server_defaults();
    options.client_authority = files.write("old-authority.pem", authority.certificate);
    two_ends pair(server_of(options), client_of(as(old), before + 1min));
    const refusal found = refused(pair);
    EXPECT_EQ(found.server, tls_errc::certificate_expired);
    EXPECT_EQ(found.client, tls_errc::peer_refuses_our_certificate);
}

TEST(MutualVerification, RefusesAClientThatWasRevokedAndNoOther) {
    const auto& all = parties::all();
    const support::certificate_folder files;
    const auto taken_back = must(certificates::make_client(all.authority, {.names = {"bob.example"}}));
    const auto bob = files.write("bob", taken_back);
    auto options = mutual();
    options.revocation_list = files.write(
        "revoked.pem", must(certificates::make_revocation_list(all.authority, {taken_back.certificate}, std::chrono::days(30))));
    const auto server = server_of(options);
    two_ends revoked(server, client_of(as(bob)));
    const refusal found = refused(revoked);
    EXPECT_EQ(found.server, tls_errc::certificate_revoked);
    EXPECT_EQ(revoked.server.tls.words(), "the certificate of bob.example was revoked by its authority");
    EXPECT_EQ(found.client, tls_errc::peer_refuses_our_certificate);
    two_ends other(server, client_of(as(all.client)));
    other.run();
    EXPECT_EQ(other.server.tls.state(), phase::open) << other.server.tls.words();
}

TEST(Verification, RefusesAServerThatWasRevoked) {
    const auto& all = parties::all();
    const support::certificate_folder files;
    auto options = client_defaults();
    options.revocation_list = files.write(
        "revoked.pem",
        must(certificates::make_revocation_list(all.authority, {must(certificates::load(all.server)).certificate}, std::chrono::days(1))));
    two_ends pair(server_of(server_defaults()), client_of(options));
    EXPECT_EQ(refused(pair).client, tls_errc::certificate_revoked);
    std::string words;
    options.revocation_list = all.authority_file;
    EXPECT_EQ(tls::client(options, &words).error(), tls_errc::unreadable_file);
    EXPECT_EQ(words, all.authority_file + ": holds no revocation list (-----BEGIN X509 CRL-----)");
}

}  // namespace
}  // namespace mnet::tls::testing
