// Certificates as functions: what is in them, what is refused, and files that nobody else may read and nothing overwrites.
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "tls/two_ends.hpp"

namespace mnet::tls::testing {
namespace {

using certificates::description;

description only(const certificates::pair& made) {
    const auto all = must(certificates::describe(made.certificate));
    EXPECT_EQ(all.size(), 1U);
    return all.front();
}

TEST(Certificates, OfAServerHaveItsNamesAndAddressesAndOnePurpose) {
    const auto& all = parties::all();
    const description made =
        only(must(certificates::make_server(all.authority, {.names = {"localhost", "*.example.org", "127.0.0.1", "2001:db8::1"}})));
    EXPECT_EQ(made.names, (std::vector<std::string>{"localhost", "*.example.org", "127.0.0.1", "2001:db8::1"}));
    EXPECT_EQ(made.subject, "localhost");
    EXPECT_EQ(made.issuer, "mnet authority");
    EXPECT_EQ(made.key, "EC P-256");
    EXPECT_EQ(made.fingerprint.size(), 64U);
    EXPECT_TRUE(made.for_servers);
    EXPECT_FALSE(made.for_clients);
    EXPECT_FALSE(made.is_authority);
    EXPECT_EQ(made.valid_until - made.valid_from, std::chrono::days(825));
    EXPECT_LT(made.valid_from, now());
}

TEST(Certificates, OfAClientHaveOnePurpose) {
    const description made = only(must(certificates::make_client(parties::all().authority, {.common_name = "Alice"})));
    EXPECT_EQ(made.subject, "Alice");
    EXPECT_TRUE(made.names.empty());
    EXPECT_TRUE(made.for_clients);
    EXPECT_FALSE(made.for_servers);
}

TEST(Certificates, OfAnAuthorityMaySignAndNothingElse) {
    const description made = only(must(certificates::make_authority({.common_name = "ours", .key = certificates::key_type::p384})));
    EXPECT_EQ(made.subject, "ours");
    EXPECT_EQ(made.issuer, "ours");
    EXPECT_EQ(made.key, "EC P-384");
    EXPECT_TRUE(made.is_authority);
    EXPECT_FALSE(made.for_servers);
}

TEST(Certificates, HaveRsaKeysWhereThatIsAskedFor) {
    const auto made =
        must(certificates::make_server(parties::all().authority, {.names = {"localhost"}, .key = certificates::key_type::rsa_3072}));
    EXPECT_EQ(only(made).key, "RSA 3072");
    const support::certificate_folder files;
    const auto saved = files.write("rsa", made);
    two_ends pair(server_of({.certificate = saved.certificate, .key = saved.key}), client_of(client_defaults()));
    pair.run();
    EXPECT_EQ(pair.client.tls.state(), phase::open) << pair.client.tls.words();
}

TEST(Certificates, DoNotOutliveTheirAuthority) {
    const auto authority = must(certificates::make_authority({.valid_for = std::chrono::days(2)}));
    const auto made = must(certificates::make_server(authority, {.names = {"localhost"}}));
    EXPECT_EQ(only(made).valid_until, only(authority).valid_until);
}

TEST(Certificates, AreNotMadeForWhatIsNoName) {
    std::string words;
    const auto refused = [&words](const std::string& name) {
        const auto made = certificates::make_server(parties::all().authority, {.names = {name}}, &words);
        return !made && made.error() == std::errc::invalid_argument;
    };
    for (const char* const name : {"", ".", "a..b", "two words", "a,DNS:b", "*", "a.*.b", "1.2.3.4/24", "name:5050"})
        EXPECT_TRUE(refused(name)) << name;
    EXPECT_EQ(words, "\"name:5050\" is no DNS name and no IP address");
    EXPECT_EQ(certificates::make_server(parties::all().authority, {}, &words).error(), std::errc::invalid_argument);
    EXPECT_EQ(words, "a server's certificate needs the names and addresses that clients connect to");
    EXPECT_EQ(certificates::make_client(parties::all().authority, {}, &words).error(), std::errc::invalid_argument);
    EXPECT_EQ(certificates::make_authority({.valid_for = std::chrono::days(0)}).error(), std::errc::invalid_argument);
    EXPECT_EQ(certificates::make_authority({.common_name = std::string(65, 'x')}).error(), std::errc::invalid_argument);
}

TEST(Certificates, AreSignedByAuthoritiesOnly) {
    const auto& all = parties::all();
    const auto server = must(certificates::load(all.server));
    std::string words;
    EXPECT_EQ(certificates::make_server(server, {.names = {"localhost"}}, &words).error(), tls_errc::certificate_unusable);
    EXPECT_EQ(words, "the certificate of localhost is no authority's: it may not sign others");
    const certificates::pair mixed{.certificate = all.authority.certificate, .key = all.stranger.key};
    EXPECT_EQ(certificates::make_server(mixed, {.names = {"localhost"}}).error(), tls_errc::key_mismatch);
}

TEST(Certificates, AreSavedForTheOwnerAloneAndNeverOverAnything) {
    const support::certificate_folder files;
    const auto& made = parties::all().authority;
    const certificate_files both{.certificate = files / "ca.pem", .key = files / "ca.key"};
    ASSERT_TRUE(certificates::save(made, both));
    struct stat found{};
    ASSERT_EQ(::stat(both.key.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777U, 0600U);
    const auto again = must(certificates::load(both));
    EXPECT_EQ(again.certificate, made.certificate);
    EXPECT_EQ(again.key, made.key);

    std::string words;
    EXPECT_EQ(certificates::save(made, both, &words).error(), std::errc::file_exists);
    EXPECT_EQ(words, both.key + ": File exists; nothing is overwritten: move it away, or choose another name");
    const certificate_files half{.certificate = both.certificate, .key = files / "new.key"};
    EXPECT_EQ(certificates::save(made, half).error(), std::errc::file_exists);
    EXPECT_FALSE(std::filesystem::exists(half.key)) << "on an error there is no new file";
}

TEST(Certificates, AreDescribedInTheirOrder) {
    const auto& all = parties::all();
    const auto both = must(certificates::describe(all.authority.certificate + all.stranger.certificate));
    ASSERT_EQ(both.size(), 2U);
    EXPECT_EQ(both[0].subject, "mnet authority");
    EXPECT_EQ(both[1].subject, "a stranger");
    EXPECT_EQ(certificates::describe("nothing").error(), tls_errc::unreadable_file);
}

}  // namespace
}  // namespace mnet::tls::testing
