// Many TLS connections at once: those that are silent keep nobody out and leave nothing behind, and those that speak begin as often as they may.
#include "certificates.hpp"
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace mtcp_test {
namespace {

namespace mtcp = mnet::mtcp;

constexpr std::size_t silent_crowd_size = 1000;
constexpr std::size_t handshakes_max = 256;
constexpr std::size_t descriptors_needed = 2 * silent_crowd_size + 100;

class TlsCrowd : public EveryShape {
protected:
    mtcp::network serve_with(mtcp::listen_options options) {
        options.address = "tls://127.0.0.1:0";
        options.tls = server_of_tests();
        return *listen_echo(GetParam(), options);
    }

    /// So many connections that say nothing.
    static std::vector<raw_peer> silent_peers(const mtcp::network& network, std::size_t count) {
        const std::string address = network.address().substr(std::string_view("tls://").size());
        std::vector<raw_peer> peers;
        for (std::size_t index = 0; index < count; ++index) peers.emplace_back(address);
        return peers;
    }

    static void come_and_go(mtcp::network& network) {
        auto silent = silent_peers(network, silent_crowd_size);
        auto client = connect_to(network.address());
        expect_echo(client, "over their heads");
        silent.clear();
        (void)client.close();
        EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    }
};
FOR_EVERY_SHAPE(TlsCrowd);

TEST_P(TlsCrowd, OfSilentConnectionsKeepsNobodyOut) {
    if (raise_descriptor_limit() < descriptors_needed) GTEST_SKIP() << "the system allows too few descriptors";
    // A loop has four silent ones for each handshake.
    constexpr std::size_t silent_max = handshakes_max;
    auto network = serve_with({.handshakes_max = silent_max / 4});
    const auto silent = silent_peers(network, silent_crowd_size);
    auto first = connect_to(network.address());
    expect_echo(first, "who was there before");
    // By now all of them were accepted, in the order of their coming; no more are left than may be silent at the same time, and who was connected.
    EXPECT_TRUE(eventually([&] { return network.statistics().clients <= silent_max + 1; }));
    EXPECT_GE(network.statistics().handshakes_failed, silent_crowd_size - silent_max);
    for (int count = 0; count < 10; ++count) {
        auto client = connect_to(network.address());
        expect_echo(client, "who came later");
    }
    expect_echo(first, "still there");
    EXPECT_EQ(network.statistics().handshakes, 11U);
    EXPECT_EQ(network.statistics().clients_refused, 0U);
    (void)network.stop();
}

TEST_P(TlsCrowd, OfSilentConnectionsTakesNoHandshakesPlace) {
    auto network = serve_with({.handshakes_max = 8, .handshakes_per_second_max = 1});
    const auto silent = silent_peers(network, 30);
    auto client = connect_to(network.address());
    expect_echo(client, "as if nobody else were there");
    const auto told = network.statistics();
    EXPECT_EQ(told.clients, 31U) << "nobody was cut";
    EXPECT_EQ(told.handshakes, 1U);
    EXPECT_EQ(told.handshakes_failed, 0U);
    EXPECT_EQ(told.handshake_pauses, 0U) << "and nobody waited";
}

TEST_P(TlsCrowd, OfSilentConnectionsCostsNoHandshakesMemory) {
    if (!memory_is_measurable) GTEST_SKIP() << "the sanitizer has its own way with memory";
    if (raise_descriptor_limit() < descriptors_needed) GTEST_SKIP() << "the system allows too few descriptors";
    auto network = serve_with({.handshakes_max = silent_crowd_size, .handshakes_per_second_max = 1'000'000});
    {
        auto client = connect_to(network.address());
        expect_echo(client, "so that what one costs is there");
    }
    const std::size_t before = resident_bytes();
    const auto silent = silent_peers(network, silent_crowd_size);
    ASSERT_TRUE(eventually([&] { return network.statistics().clients >= silent_crowd_size; }));
    constexpr std::size_t far_below_openssls_bytes = 4096;
    EXPECT_LE(resident_bytes(), before + silent_crowd_size * far_below_openssls_bytes);
}

TEST_P(TlsCrowd, LeavesNoDescriptorAndNoMemoryBehind) {
    if (raise_descriptor_limit() < descriptors_needed) GTEST_SKIP() << "the system allows too few descriptors";
    auto network = serve_with({.handshakes_max = handshakes_max});
    come_and_go(network);
    const std::size_t descriptors = open_descriptors();
    const std::size_t resident = resident_bytes();
    for (int round = 0; round < 3; ++round) come_and_go(network);
    EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors; })) << open_descriptors() << ", before: " << descriptors;
    EXPECT_TRUE(eventually([&] { return network.statistics().memory_in_use_bytes == 0; }));
    if (!memory_is_measurable) return;
    constexpr std::size_t noise_of_the_allocator = std::size_t{2} << 20;
    EXPECT_LE(resident_bytes(), resident + noise_of_the_allocator);
}

TEST_P(TlsCrowd, ThatComesTooOftenWaitsAndIsNotRefused) {
    auto network = serve_with({.handshakes_per_second_max = 2});
    const auto begin = std::chrono::steady_clock::now();
    for (int count = 0; count < 4; ++count) {
        auto client = connect_to(network.address());
        expect_echo(client, "in its turn");
    }
    // A machine that stalls makes this longer, never shorter; how often accepting paused depends on it.
    EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(1500))
        << "each but the first half a second after the last";
    const auto told = network.statistics();
    EXPECT_EQ(told.handshakes, 4U);
    EXPECT_EQ(told.handshakes_failed, 0U);
    EXPECT_EQ(told.clients_refused, 0U);
    EXPECT_EQ(told.accept_pauses, 0U);
}

TEST_P(TlsCrowd, ThatNeverSaidAByteDoesNotCount) {
    auto network = serve_with({.handshakes_per_second_max = 1});
    {
        const auto silent = silent_peers(network, 20);
    }
    auto client = connect_to(network.address());
    expect_echo(client, "sooner than in twenty seconds, or the connect ends as timed out");
    EXPECT_EQ(network.statistics().handshakes, 1U);
}

TEST_P(TlsCrowd, ThatWaitsEndsWithTheNetwork) {
    auto network = serve_with({.handshakes_max = 1});
    auto peers = silent_peers(network, 3);
    for (raw_peer& each : peers) each.send("16030100");
    EXPECT_TRUE(eventually([&] { return network.statistics().handshake_pauses >= 1; }));
    const std::vector<raw_peer> silent = silent_peers(network, 3);
    EXPECT_EQ(network.stop().handlers_left, 0U);
    EXPECT_EQ(network.statistics().clients, 0U);
    EXPECT_EQ(network.statistics().handshakes, 0U);
}

}  // namespace
}  // namespace mtcp_test
