// No file descriptors left: accepting pauses without spinning and resumes; clients that are there go on.
#include "certificates.hpp"
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <optional>
#include <vector>

namespace mtcp_test {
namespace {

/// Sockets that exist already, for a time when none can be made.
class spare_sockets {
public:
    explicit spare_sockets(std::size_t count) {
        for (std::size_t index = 0; index < count; ++index) sockets_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    }

    /// Connects to where `peer` is connected, without a new descriptor.
    raw_peer connect_beside(const raw_peer& peer) {
        sockaddr_storage where{};
        socklen_t length = sizeof where;
        EXPECT_EQ(::getpeername(peer.descriptor(), reinterpret_cast<sockaddr*>(&where), &length), 0);
        EXPECT_EQ(::connect(sockets_.back().get(), reinterpret_cast<const sockaddr*>(&where), length), 0);
        raw_peer connected(std::move(sockets_.back()));
        sockets_.pop_back();
        return connected;
    }

private:
    std::vector<mnet::base::unique_fd> sockets_{};
};

void expect_raw_echo(raw_peer& peer) {
    const bytes whole = frame("hello");
    peer.send(whole);
    EXPECT_EQ(peer.receive(whole.size()), whole);
}

class NoDescriptors : public EveryShape {
protected:
    const bool settled = descriptors_of_earlier_tests_are_closed();
    // Without polling for input, so that what is counted is what accepting costs.
    mnet::mtcp::network network = *listen_echo(GetParam(), {.address = fresh_address(), .spin = std::chrono::microseconds(0)});
    raw_peer first{network.address()};
};
FOR_EVERY_SHAPE(NoDescriptors);

TEST_P(NoDescriptors, PauseAcceptingAndTheClientsThatAreThereGoOn) {
    ASSERT_TRUE(settled);
    expect_raw_echo(first);
    spare_sockets spare(5);
    std::vector<raw_peer> waiting;
    {
        const no_descriptors short_of_them;
        for (int count = 0; count < 5; ++count) waiting.push_back(spare.connect_beside(first));
        ASSERT_TRUE(eventually([&] { return network.statistics().accept_pauses >= 1; }));
        expect_raw_echo(first);
        EXPECT_EQ(network.statistics().clients, 1U);
    }
    for (raw_peer& each : waiting) expect_raw_echo(each);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_accepted == 6; }));
}

TEST_P(NoDescriptors, DontMakeALoopSpin) {
    ASSERT_TRUE(settled);
    expect_raw_echo(first);
    spare_sockets spare(1);
    const no_descriptors short_of_them;
    raw_peer waiting = spare.connect_beside(first);
    ASSERT_TRUE(eventually([&] { return network.statistics().accept_pauses >= 1; }));
    // Three more pauses come by time alone. Each may cost a wait, a try and little else.
    const auto before = network.statistics();
    ASSERT_TRUE(eventually([&] { return network.statistics().accept_pauses >= before.accept_pauses + 3; }));
    const auto after = network.statistics();
    EXPECT_LE(after.system_calls - before.system_calls, 4 * (after.accept_pauses - before.accept_pauses));
}

TEST(NoDescriptorsUntilAClientLeaves, AcceptingResumesAtOnceWithTheNextClient) {
    ASSERT_TRUE(descriptors_of_earlier_tests_are_closed());
    auto network = echo_server(shape::message);
    raw_peer first(network.address());
    expect_raw_echo(first);
    spare_sockets spare(1);
    const no_descriptors short_of_them;
    raw_peer waiting = spare.connect_beside(first);
    ASSERT_TRUE(eventually([&] { return network.statistics().accept_pauses >= 1; }));
    first.finish();
    EXPECT_EQ(first.receive_to_end(), bytes{});
    expect_raw_echo(waiting);
}

TEST(NoDescriptorsBesideASilentTlsConnection, TakeThatOnesForTheNext) {
    ASSERT_TRUE(descriptors_of_earlier_tests_are_closed());
    for (const shape how : all_shapes) {
        const mnet::mtcp::listen_options options{
            .address = "tls://127.0.0.1:0", .tls = server_of_tests(), .handshake_timeout = std::chrono::hours(1)};
        auto network = *listen_echo(how, options);
        raw_peer silent(network.address().substr(std::string_view("tls://").size()));
        ASSERT_TRUE(eventually([&] { return network.statistics().clients_accepted == 1; }));
        spare_sockets spare(1);
        const no_descriptors short_of_them;
        const raw_peer waiting = spare.connect_beside(silent);
        EXPECT_TRUE(eventually([&] { return network.statistics().clients_accepted == 2; }));
        EXPECT_EQ(network.statistics().handshakes_failed, 1U);
        EXPECT_EQ(silent.receive_to_end(), bytes{});
    }
}

TEST(NoDescriptorsToConnect, IsTheKernelsError) {
    ASSERT_TRUE(descriptors_of_earlier_tests_are_closed());
    auto network = echo_server(shape::message);
    const no_descriptors short_of_them;
    const auto client = mnet::mtcp::connect(network.address());
    ASSERT_FALSE(client.has_value());
    EXPECT_EQ(error_of(client), std::errc::too_many_files_open);
}

TEST(NoDescriptorsToListen, IsTheKernelsError) {
    ASSERT_TRUE(descriptors_of_earlier_tests_are_closed());
    const no_descriptors short_of_them;
    const auto network = listen_echo(shape::message, {.address = "127.0.0.1:0"});
    ASSERT_FALSE(network.has_value());
    EXPECT_EQ(error_of(network), std::errc::too_many_files_open);
}

TEST(NoDescriptorsForALoop, IsTheKernelsError) {
    ASSERT_TRUE(descriptors_of_earlier_tests_are_closed());
    const no_descriptors short_of_them;
    const auto loop = mnet::mtcp::loop::make();
    ASSERT_FALSE(loop.has_value());
    EXPECT_EQ(error_of(loop), std::errc::too_many_files_open);
}

TEST(ClientsMax, TurnsAwayThoseBeyondItAndTakesTheNextOneLater) {
    for (const shape how : all_shapes) {
        auto network = *listen_echo(how, {.address = "127.0.0.1:0", .clients_max = 2});
        raw_peer first(network.address());
        raw_peer second(network.address());
        expect_raw_echo(first);
        expect_raw_echo(second);
        raw_peer beyond(network.address());
        EXPECT_EQ(beyond.receive_to_end(), bytes{});
        EXPECT_EQ(network.statistics().clients_refused, 1U);
        EXPECT_EQ(network.statistics().clients, 2U);
        second.finish();
        EXPECT_EQ(second.receive_to_end(), bytes{});
        ASSERT_TRUE(eventually([&] { return network.statistics().clients == 1; }));
        raw_peer third(network.address());
        expect_raw_echo(third);
        expect_raw_echo(first);
        EXPECT_TRUE(eventually([&] { return network.statistics().clients_accepted == 3; }));
    }
}

}  // namespace
}  // namespace mtcp_test
