// A client resumes the session that it had with a peer before, and no other.
#include <gtest/gtest.h>

#include "tls/two_ends.hpp"

namespace mnet::tls::testing {
namespace {

TEST(Resumption, IsQuietAndComesByItself) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    for (int round = 0; round < 3; ++round) {
        two_ends pair(server, client);
        pair.run();
        EXPECT_EQ(pair.client.tls.resumed(), round > 0);
        EXPECT_EQ(pair.server.tls.resumed(), round > 0);
        EXPECT_EQ(pair.client.tls.peer_name(), "localhost") << "a resumed peer is who it was";
        EXPECT_TRUE(pair.client.tls.peer_verified());
    }
}

TEST(Resumption, IsPerPeer) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    two_ends first(server, client, "localhost", "localhost:1");
    first.run();
    two_ends other(server, client, "localhost", "localhost:2");
    other.run();
    EXPECT_FALSE(other.client.tls.resumed());
}

TEST(Resumption, IsNoWayAroundTheCheckOfAName) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    two_ends first(server, client, "localhost", "localhost:1");
    first.run();
    two_ends other(server, client, "example.org", "localhost:1");
    other.run();
    EXPECT_EQ(other.client.tls.error(), tls_errc::wrong_name);
}

TEST(Resumption, OutlivesAConnectionThatWasCut) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    {
        two_ends cut(server, client);
        cut.run();
        cut.client.tls.end_of_stream();
        ASSERT_EQ(cut.client.tls.error(), errc::truncated);
    }
    two_ends second(server, client);
    second.run();
    EXPECT_TRUE(second.client.tls.resumed());
}

TEST(Resumption, IsOfOneClientsSettings) {
    const auto server = server_of(server_defaults());
    two_ends first(server, client_of(client_defaults()));
    first.run();
    two_ends other(server, client_of(client_defaults()));
    other.run();
    EXPECT_FALSE(other.client.tls.resumed());
}

TEST(Resumption, GivesWayToAWholeHandshakeAfterAReload) {
    const auto server = server_of(server_defaults());
    const auto client = client_of(client_defaults());
    two_ends first(server, client);
    first.run();
    must(server->reload(now()));
    two_ends second(server, client);
    second.run();
    EXPECT_EQ(second.client.tls.state(), phase::open);
    EXPECT_FALSE(second.client.tls.resumed());
}

TEST(Resumption, KeepsTheNameOfAClientInMutualTls) {
    auto options = server_defaults();
    options.client_authority = parties::all().authority_file;
    const auto server = server_of(options);
    auto own = client_defaults();
    own.certificate = parties::all().client.certificate;
    own.key = parties::all().client.key;
    const auto client = client_of(own);
    for (int round = 0; round < 2; ++round) {
        two_ends pair(server, client);
        pair.run();
        EXPECT_EQ(pair.server.tls.resumed(), round > 0);
        EXPECT_EQ(pair.server.tls.peer_name(), "alice.example");
        EXPECT_TRUE(pair.server.tls.peer_verified());
    }
}

}  // namespace
}  // namespace mnet::tls::testing
