// New files in the place of old ones: who is connected stays, who comes later sees the new one, and a file that is no good changes nothing.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tls/two_ends.hpp"

namespace mnet::tls::testing {
namespace {

using namespace std::chrono_literals;

class Reload : public ::testing::Test {
protected:
    /// Puts a new certificate where the server's is.
    void renew(const certificates::options& options) {
        files.write("server", must(certificates::make_server(parties::all().authority, options)));
    }

    std::string name_seen() const {
        two_ends pair(server, client, "localhost", "new");
        pair.run();
        EXPECT_EQ(pair.client.tls.state(), phase::open) << pair.client.tls.words();
        return pair.client.tls.peer_name();
    }

    support::certificate_folder files;
    certificate_files own =
        files.write("server", must(certificates::make_server(parties::all().authority, {.names = {"first", "localhost"}})));
    std::shared_ptr<server_context> server = server_of({.certificate = own.certificate, .key = own.key});
    std::shared_ptr<client_context> client = client_of(client_defaults());
};

TEST_F(Reload, ShowsTheNewCertificateToNewConnectionsAndKeepsTheOldOnes) {
    two_ends old(server, client);
    old.run();
    EXPECT_EQ(name_seen(), "first");
    renew({.names = {"second", "localhost"}});
    EXPECT_EQ(name_seen(), "first") << "nothing happens by itself";
    must(server->reload(now()));
    EXPECT_EQ(name_seen(), "second");
    old.client.to_send = of("still here");
    old.run();
    EXPECT_EQ(text(old.server.received), "still here");
}

TEST_F(Reload, LetsAHandshakeEndThatBeganBefore) {
    two_ends pair(server, client);
    pair.client.give_out(4096);
    renew({.names = {"second", "localhost"}});
    must(server->reload(now()));
    pair.run();
    EXPECT_EQ(pair.client.tls.peer_name(), "first");
}

TEST_F(Reload, HappensOnceForEachChangeOfAFile) {
    EXPECT_FALSE(must(server->reload_if_changed(now())));
    renew({.names = {"second", "localhost"}});
    EXPECT_TRUE(must(server->reload_if_changed(now())));
    EXPECT_FALSE(must(server->reload_if_changed(now())));
    EXPECT_EQ(name_seen(), "second");
}

TEST_F(Reload, KeepsTheOldCertificateWhenTheNewOneIsNoCertificate) {
    files.write("server.pem", "-----BEGIN CERTIFICATE-----\nno base64\n-----END CERTIFICATE-----\n");
    const auto failed = server->reload_if_changed(now());
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, tls_errc::unreadable_file);
    EXPECT_TRUE(failed.error().words.starts_with(own.certificate + ": holds a broken certificate; OpenSSL: ")) << failed.error().words;
    EXPECT_EQ(name_seen(), "first");
    EXPECT_FALSE(must(server->reload_if_changed(now()))) << "an error is told once";
}

TEST_F(Reload, KeepsTheOldCertificateWhenTheFilesAreHalfReplaced) {
    const auto next = must(certificates::make_server(parties::all().authority, {.names = {"second", "localhost"}}));
    files.write("server.pem", next.certificate);
    const auto failed = server->reload(now());
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, tls_errc::key_mismatch);
    EXPECT_EQ(failed.error().words, own.key + ": is not the key of " + own.certificate);
    EXPECT_EQ(name_seen(), "first");
    files.write("server.key", next.key);
    EXPECT_TRUE(must(server->reload_if_changed(now()))) << "the other half came";
    EXPECT_EQ(name_seen(), "second");
}

TEST_F(Reload, KeepsTheOldCertificateWhenTheNewOneIsOutOfDate) {
    renew({.names = {"second", "localhost"}, .valid_from = now() - 24h * 10, .valid_for = std::chrono::days(1)});
    const auto expired = server->reload(now());
    ASSERT_FALSE(expired);
    EXPECT_EQ(expired.error().code, tls_errc::certificate_expired);
    EXPECT_TRUE(expired.error().words.starts_with(own.certificate + ": the certificate of second expired on 2")) << expired.error().words;
    renew({.names = {"second", "localhost"}, .valid_from = now() + 1h});
    EXPECT_EQ(server->reload(now()).error().code, tls_errc::certificate_not_yet_valid);
    EXPECT_EQ(name_seen(), "first");
}

TEST_F(Reload, KeepsTheOldCertificateWhenAFileIsGone) {
    std::filesystem::remove(own.key);
    const auto failed = server->reload_if_changed(now());
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, std::errc::no_such_file_or_directory);
    EXPECT_EQ(failed.error().words, own.key + ": No such file or directory");
    EXPECT_EQ(name_seen(), "first");
}

TEST_F(Reload, DropsNobodyWhoShakesHandsMeanwhile) {
    constexpr int threads_count = 4;
    std::atomic<int> running = threads_count;
    std::atomic<int> failed = 0;
    std::vector<std::thread> threads;
    for (int index = 0; index < threads_count; ++index) {
        threads.emplace_back([this, index, &running, &failed] {
            for (int round = 0; round < 25; ++round) {
                two_ends pair(server, client, "localhost", "thread " + std::to_string(index));
                pair.client.to_send = of("echo");
                pair.run();
                if (text(pair.server.received) != "echo") ++failed;
            }
            --running;
        });
    }
    const std::string good = files.write("good.key", must(certificates::load(own)).key);
    for (int round = 0; running > 0; ++round) {
        const bool broken = round % 2 == 1;
        if (broken) files.write("server.key", "broken");
        EXPECT_EQ(server->reload(now()).has_value(), !broken);
        if (broken) std::filesystem::copy_file(good, own.key, std::filesystem::copy_options::overwrite_existing);
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failed, 0);
}

TEST_F(Reload, MovesTheDayOfExpiry) {
    const auto before = server->expires();
    renew({.names = {"localhost"}, .valid_for = std::chrono::days(10)});
    must(server->reload(now()));
    EXPECT_LT(server->expires(), before);
    EXPECT_NEAR(static_cast<double>((server->expires() - now()).count()), 10 * 86'400.0, 7'200.0);
}

TEST_F(Reload, WorksByThePublicHandleAndItsCopies) {
    const server_settings settings = must(tls::server({.certificate = own.certificate, .key = own.key}));
    const server_settings copy = settings;
    renew({.names = {"second", "localhost"}});
    EXPECT_TRUE(must(copy.reload_if_changed()));
    EXPECT_FALSE(must(settings.reload_if_changed()));
    std::filesystem::remove(own.certificate);
    std::string words;
    EXPECT_EQ(settings.reload(&words).error(), std::errc::no_such_file_or_directory);
    EXPECT_EQ(words, own.certificate + ": No such file or directory");
    EXPECT_GT(settings.expires(), now());
}

TEST(Settings, AreRefusedWithTheFileAndTheReason) {
    const auto& all = parties::all();
    const support::certificate_folder files;
    std::string words;
    EXPECT_EQ(tls::server({}, &words).error(), std::errc::invalid_argument);
    EXPECT_EQ(words, "certificate: name the file of this end's certificate");

    EXPECT_EQ(tls::server({.certificate = all.server.certificate}, &words).error(), tls_errc::unreadable_file);
    EXPECT_EQ(words, all.server.certificate + ": holds no private key (-----BEGIN PRIVATE KEY-----)");

    EXPECT_EQ(tls::server({.certificate = all.server.key, .key = all.server.key}, &words).error(), tls_errc::unreadable_file);
    EXPECT_EQ(words, all.server.key + ": holds no certificate (-----BEGIN CERTIFICATE-----)");

    const auto empty = files.write("empty.pem", "");
    EXPECT_EQ(tls::client({.authority = empty}, &words).error(), tls_errc::unreadable_file);
    EXPECT_EQ(words, empty + ": holds no certificate (-----BEGIN CERTIFICATE-----)");

    const auto locked = files.write("locked.key",
                                    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiGlKzWTYvVHQICCAAw\n"
                                    "-----END ENCRYPTED PRIVATE KEY-----\n");
    EXPECT_EQ(tls::server({.certificate = all.server.certificate, .key = locked}, &words).error(), tls_errc::unreadable_file);

    auto options = server_defaults();
    options.application_protocols = {""};
    EXPECT_EQ(tls::server(options, &words).error(), std::errc::invalid_argument);
}

TEST(Settings, TakeCertificateAndKeyFromOneFile) {
    const support::certificate_folder files;
    const auto made = must(certificates::make_server(parties::all().authority, {.names = {"localhost"}}));
    const auto both = files.write("both.pem", made.key + made.certificate);
    two_ends pair(server_of({.certificate = both}), client_of(client_defaults()));
    pair.run();
    EXPECT_EQ(pair.client.tls.state(), phase::open);
}

}  // namespace
}  // namespace mnet::tls::testing
