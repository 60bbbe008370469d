// Two machines back to back: what one is given the other gives out, however the bytes between them are cut.
#include <mnet/error.hpp>

#include <gtest/gtest.h>

#include <array>
#include <string>

#include "support/random.hpp"
#include "tls/two_ends.hpp"

namespace mnet::tls::testing {
namespace {

TEST(Machine, ShakesHandsAndCarriesMessagesBothWays) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.client.to_send = of("question");
    pair.server.to_send = of("answer");
    pair.run();
    EXPECT_EQ(pair.client.tls.state(), phase::open);
    EXPECT_EQ(pair.server.tls.state(), phase::open);
    EXPECT_EQ(text(pair.server.received), "question");
    EXPECT_EQ(text(pair.client.received), "answer");
    EXPECT_EQ(pair.client.tls.version_name(), "TLSv1.3");
    EXPECT_EQ(pair.client.tls.cipher_name(), "TLS_AES_128_GCM_SHA256");
    EXPECT_EQ(pair.client.tls.peer_name(), "localhost");
    EXPECT_TRUE(pair.client.tls.peer_verified());
    EXPECT_FALSE(pair.server.tls.peer_verified());
    EXPECT_EQ(pair.server.tls.peer_name(), "");
}

TEST(Machine, WantsInputAndHasOutputWhereAHandshakeSaysSo) {
    const auto context = server_of(server_defaults());
    end server(context->snapshot());
    EXPECT_TRUE(server.tls.wants_input());
    EXPECT_FALSE(server.tls.has_output());
    end client(client_of(client_defaults()), "localhost", "localhost:1");
    EXPECT_TRUE(client.tls.has_output());
    EXPECT_FALSE(client.tls.has_plaintext());
}

TEST(Machine, OfAServerHasNothingOfOpenSslsBeforeTheFirstByte) {
    const auto context = server_of(server_defaults());
    end server(context->snapshot());
    EXPECT_EQ(server.tls.version_name(), "");
    EXPECT_EQ(server.take_in({}, 64), 0U);
    EXPECT_EQ(server.tls.version_name(), "");
    constexpr std::byte first{0x16};
    EXPECT_EQ(server.take_in(std::span(&first, 1), 64), 1U);
    EXPECT_NE(server.tls.version_name(), "");
}

TEST(Machine, OfAServerEndsWithoutAByteAsDuringTheHandshake) {
    const auto context = server_of(server_defaults());
    end left(context->snapshot());
    left.tls.end_of_stream();
    EXPECT_EQ(left.tls.error(), tls_errc::closed_during_handshake);
    end silent(context->snapshot());
    silent.tls.handshake_timed_out();
    EXPECT_EQ(silent.tls.error(), tls_errc::handshake_too_slow);
    silent.tls.finish();
    EXPECT_FALSE(silent.give_out(64));
}

TEST(Machine, GivesTheSameBytesWhenEachTravelsAlone) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.room = 1;
    pair.client.to_send = of("one byte at a time");
    pair.server.to_send = of("and back");
    pair.client.close = pair.server.close = true;
    pair.run([](std::size_t) { return std::size_t{1}; });
    EXPECT_EQ(text(pair.server.received), "one byte at a time");
    EXPECT_EQ(text(pair.client.received), "and back");
    EXPECT_EQ(pair.client.tls.state(), phase::peer_finished);
    EXPECT_EQ(pair.server.tls.state(), phase::peer_finished);
}

TEST(Machine, GivesTheSameBytesHoweverTheyAreCut) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    support::random_source random;
    const char* const given = std::getenv("MNET_SEEDS");
    const std::uint64_t rounds = given != nullptr ? std::strtoull(given, nullptr, 0) : 1000;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        two_ends pair(server, client);
        pair.room = 1 + random.magnitude_below(40'000);
        const bytes up = random.bytes(random.magnitude_below(50'000));
        const bytes down = random.bytes(random.magnitude_below(50'000));
        pair.client.to_send = up;
        pair.server.to_send = down;
        pair.client.close = pair.server.close = true;
        pair.run([&random](std::size_t waiting) { return 1 + static_cast<std::size_t>(random.magnitude_below(waiting)); });
        ASSERT_EQ(pair.server.received, up) << "round " << round;
        ASSERT_EQ(pair.client.received, down) << "round " << round;
        ASSERT_EQ(pair.client.tls.state(), phase::peer_finished) << "round " << round;
        ASSERT_EQ(pair.server.tls.state(), phase::peer_finished) << "round " << round;
    }
}

TEST(Machine, CarriesLargeTransfers) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    support::random_source random;
    const bytes large = random.bytes(std::size_t{8} << 20);
    pair.room = 256 * 1024;
    pair.client.to_send = large;
    pair.run();
    EXPECT_EQ(pair.server.received, large);
}

TEST(Machine, FillsRecordsFromManySmallPieces) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.run();
    const bytes message = of("a small message of thirty bytes");
    const std::vector<std::span<const std::byte>> pieces(2000, message);
    const std::size_t plain = pieces.size() * message.size();
    bytes lent(2 * plain);
    const auto moved = pair.client.tls.encrypt(pieces, lent);
    EXPECT_EQ(moved.consumed, plain);
    const std::size_t records = (plain + record_bytes_max - 1) / record_bytes_max;
    EXPECT_LE(moved.produced, plain + records * record_overhead_max);
    EXPECT_EQ(pair.server.take_in(std::span(lent).first(moved.produced), 1000), moved.produced);
    ASSERT_EQ(pair.server.received.size(), plain);
    for (std::size_t offset = 0; offset < plain; offset += message.size())
        ASSERT_TRUE(std::equal(message.begin(), message.end(), pair.server.received.begin() + static_cast<std::ptrdiff_t>(offset)));
}

TEST(Machine, SendsALoneSmallMessageAtOnce) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.run();
    bytes lent(1024);
    const bytes message = of("x");
    const auto moved = pair.client.tls.encrypt(message, lent);
    EXPECT_EQ(moved.consumed, 1U);
    EXPECT_GT(moved.produced, 1U);
    EXPECT_LE(moved.produced, 1 + record_overhead_max);
    EXPECT_FALSE(pair.client.tls.has_output());
    pair.server.take_in(std::span(lent).first(moved.produced), 16);
    EXPECT_EQ(text(pair.server.received), "x");
}

TEST(Machine, WritesRecordsOfWhateverSizeTheRoomHasWithoutKeepingARest) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.run();
    const bytes message(100'000, std::byte{7});
    bytes lent(4096);
    const auto moved = pair.client.tls.encrypt(message, lent);
    EXPECT_EQ(moved.consumed, lent.size() - record_overhead_max);
    EXPECT_FALSE(pair.client.tls.has_output());
}

TEST(Machine, TakesNoPlaintextBeforeItIsOpen) {
    end client(client_of(client_defaults()), "localhost", "localhost:1");
    bytes lent(64 * 1024);
    const bytes message = of("early");
    const auto moved = client.tls.encrypt(message, lent);
    EXPECT_EQ(moved.consumed, 0U);
    EXPECT_GT(moved.produced, 0U);
}

TEST(Machine, HalfClosesAndGoesOnReading) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.client.to_send = of("that was all");
    pair.client.close = true;
    pair.run();
    EXPECT_EQ(pair.server.tls.state(), phase::peer_finished);
    EXPECT_EQ(pair.client.tls.state(), phase::open);
    pair.server.to_send = of("still here");
    pair.server.close = true;
    pair.run();
    EXPECT_EQ(text(pair.client.received), "still here");
    EXPECT_EQ(pair.client.tls.state(), phase::peer_finished);
    pair.client.tls.end_of_stream();
    EXPECT_EQ(pair.client.tls.state(), phase::peer_finished) << "an end after close_notify is a clean one";
}

TEST(Machine, FinishesAfterTheHandshakeWhatWasFinishedDuringIt) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.client.tls.finish();
    pair.run();
    EXPECT_EQ(pair.server.tls.state(), phase::peer_finished);
}

TEST(Machine, TakesNothingAfterFinish) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.run();
    pair.client.tls.finish();
    bytes lent(1024);
    const bytes message = of("too late");
    EXPECT_EQ(pair.client.tls.encrypt(message, lent).consumed, 0U);
}

TEST(Machine, RestsBetweenAnyTwoBytes) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.run();
    const bytes message = of("a message that is cut, with a rest after each byte");
    for (const bool large : {false, true}) {
        bytes lent(1024);
        const auto moved = pair.client.tls.encrypt(message, lent);
        pair.server.received.clear();
        for (std::size_t index = 0; index < moved.produced; ++index) {
            pair.server.take_in(std::span(lent).subspan(index, 1), large ? 4096 : 3);
            pair.server.tls.rest();
            pair.client.tls.rest();
        }
        EXPECT_EQ(pair.server.received, message);
    }
}

TEST(Machine, RenewsItsKeysAndGoesOn) {
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.run();
    for (int round = 0; round < 3; ++round) {
        pair.client.tls.renew_keys();
        pair.server.tls.renew_keys();
        pair.client.to_send = of("with new keys ");
        pair.server.to_send = of("both ways ");
        pair.run();
    }
    EXPECT_EQ(text(pair.server.received), "with new keys with new keys with new keys ");
    EXPECT_EQ(text(pair.client.received), "both ways both ways both ways ");
}

TEST(Machine, SpeaksTls12WithAPeerThatKnowsNoBetter) {
    auto old = client_defaults();
    old.newest_version = version::tls_1_2;
    const auto server = server_of(server_defaults());
    const auto client = client_of(old);
    for (int round = 0; round < 2; ++round) {
        two_ends pair(server, client);
        pair.client.to_send = of("question");
        pair.server.to_send = of("answer");
        pair.client.close = pair.server.close = true;
        pair.run([](std::size_t) { return std::size_t{7}; });
        EXPECT_EQ(pair.client.tls.version_name(), "TLSv1.2");
        EXPECT_EQ(pair.client.tls.cipher_name(), "ECDHE-ECDSA-AES128-GCM-SHA256");
        EXPECT_EQ(text(pair.server.received), "question");
        EXPECT_EQ(text(pair.client.received), "answer");
        EXPECT_EQ(pair.client.tls.state(), phase::peer_finished);
        EXPECT_EQ(pair.client.tls.resumed(), round > 0);
        EXPECT_EQ(pair.client.tls.peer_name(), "localhost");
    }
}

TEST(Machine, WritesTheSecretsWhereItIsAskedToAndAllowedTo) {
    const support::certificate_folder files;
    const std::string log = files / "keys.log";
    ASSERT_EQ(::setenv("SSLKEYLOGFILE", log.c_str(), 1), 0);
    two_ends silent(server_of(server_defaults()), client_of(client_defaults()));
    silent.run();
    EXPECT_FALSE(std::filesystem::exists(log)) << "the variable alone is not enough";
    auto options = client_defaults();
    options.allow_key_log = true;
    two_ends logged(server_of(server_defaults()), client_of(options));
    logged.run();
    ::unsetenv("SSLKEYLOGFILE");
    std::ifstream stream(log);
    const std::string found{std::istreambuf_iterator<char>(stream), {}};
    EXPECT_NE(found.find("CLIENT_TRAFFIC_SECRET_0 "), std::string::npos);
    EXPECT_EQ(std::filesystem::status(log).permissions(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(Machine, ChoosesTheServersDearestProtocol) {
    auto server = server_defaults();
    server.application_protocols = {"mnet/2", "mnet"};
    auto client = client_defaults();
    client.application_protocols = {"other", "mnet", "mnet/2"};
    two_ends pair(server_of(server), client_of(client));
    pair.run();
    EXPECT_EQ(pair.client.tls.application_protocol(), "mnet/2");
    EXPECT_EQ(pair.server.tls.application_protocol(), "mnet/2");
}

TEST(Machine, AgreesOnNoProtocolWithAClientThatOffersNone) {
    auto server = server_defaults();
    server.application_protocols = {"mnet"};
    two_ends pair(server_of(server), client_of(client_defaults()));
    pair.run();
    EXPECT_EQ(pair.client.tls.state(), phase::open);
    EXPECT_EQ(pair.client.tls.application_protocol(), "");
}

TEST(Machine, ShowsTheCertificateOfTheNameThatIsAskedFor) {
    const auto& all = parties::all();
    const support::certificate_folder files;
    const auto other = files.write("other", must(certificates::make_server(all.authority, {.names = {"*.example.org", "example.org"}})));
    auto options = server_defaults();
    options.more_certificates = {other};
    const auto server = server_of(options);
    const auto client = client_of(client_defaults());
    for (const std::string_view name : {"example.org", "a.example.org", "localhost"}) {
        two_ends pair(server, client, name);
        pair.run();
        EXPECT_EQ(pair.client.tls.state(), phase::open) << name << ": " << pair.client.tls.words();
        EXPECT_EQ(pair.client.tls.peer_name(), name == "localhost" ? "localhost" : "*.example.org");
    }
    two_ends pair(server, client, "a.b.example.org");
    pair.run();
    EXPECT_EQ(pair.client.tls.error(), tls_errc::wrong_name) << "a wildcard is for one label";
}

}  // namespace
}  // namespace mnet::tls::testing
