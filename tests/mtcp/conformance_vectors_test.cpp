// docs/wire.md, its vectors byte by byte, in both directions and on both sides; and that nothing else is ever written.
#include "raw_peer.hpp"
#include "servers.hpp"
#include "support/hex.hpp"

#include <ostream>
#include <string>
#include <vector>

namespace mtcp_test {
namespace {

struct vector {
    const char* name;
    std::vector<bytes> messages;
    bytes wire;
};

void PrintTo(const vector& what, std::ostream* out) { *out << what.name; }

std::vector<vector> vectors() {
    bytes all_values(256);
    for (std::size_t index = 0; index < all_values.size(); ++index) all_values[index] = static_cast<std::byte>(index);
    bytes all_values_framed = support::hex("00000100");
    all_values_framed.insert(all_values_framed.end(), all_values.begin(), all_values.end());
    return {
        {"Empty", {{}}, support::hex("00000000")},
        {"PubHelp", {support::to_bytes("pub help")}, support::hex("00000008 70756220 68656c70")},
        {"AllValues", {all_values}, all_values_framed},
        {"TwoMessages", {support::to_bytes("a"), {}}, support::hex("00000001 61 00000000")},
    };
}

class WireVectors : public testing::TestWithParam<vector> {};
INSTANTIATE_TEST_SUITE_P(Of, WireVectors, testing::ValuesIn(vectors()),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST_P(WireVectors, AreWhatAClientWrites) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    for (const bytes& message : GetParam().messages) ASSERT_TRUE(client.send(message).has_value());
    ASSERT_TRUE(client.flush().has_value());
    EXPECT_EQ(peer.receive(GetParam().wire.size()), GetParam().wire);
    EXPECT_TRUE(client.close().complete());
    EXPECT_EQ(peer.receive_to_end(), bytes{}) << "something was written outside of a frame";
}

TEST_P(WireVectors, AreWhatAServerWrites) {
    // Any message makes it send those of the vector; `finished` lets nothing but them be on the wire.
    auto network = serve([messages = GetParam().messages](mnet::client& client, mnet::message) noexcept {
        for (const bytes& message : messages) (void)client.send(message);
    });
    raw_peer peer(network.address());
    peer.send("00000000");
    peer.finish();
    EXPECT_EQ(peer.receive_to_end(), GetParam().wire);
}

TEST_P(WireVectors, AreWhatAClientReads) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    peer.send(GetParam().wire);
    peer.finish();
    for (const bytes& expected : GetParam().messages) {
        const auto message = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(message.has_value()) << message.error().message();
        EXPECT_EQ(message->to_vector(), expected);
    }
    EXPECT_EQ(error_of(client.read()), mnet::errc::end_of_stream);
}

TEST_P(WireVectors, AreWhatAServerReads) {
    channel<bytes> received;
    auto network = serve([&received](mnet::client&, mnet::message message) noexcept { received.put(message.to_vector()); });
    raw_peer peer(network.address());
    peer.send(GetParam().wire);
    for (const bytes& expected : GetParam().messages) EXPECT_EQ(received.take(), expected);
    peer.finish();
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_EQ(received.size(), 0U);
}

class WireSilence : public EveryShapeAndCarrier {};
FOR_EVERY_SHAPE_AND_SOCKET(WireSilence);

TEST_P(WireSilence, AServerWritesNoGreetingAndNoTrailer) {
    auto network = echo_server(how(), what());
    raw_peer peer(network.address());
    ASSERT_TRUE(eventually([&] { return network.statistics().clients_accepted == 1; }));
    peer.finish();
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_FALSE(peer.was_reset());
}

TEST(WireSilence, AClientWritesNoGreetingAndNoTrailer) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    EXPECT_TRUE(client.close().complete());
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_FALSE(peer.was_reset());
}

TEST(WireWrites, ALengthAndItsPayloadLeaveInOneSystemCall) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{30'000}}) {
        const auto before = client.system_calls();
        ASSERT_TRUE(client.send(pattern(size)).has_value());
        ASSERT_TRUE(client.flush().has_value());
        EXPECT_EQ(client.system_calls() - before, 1U) << size << " bytes";
        EXPECT_EQ(peer.receive_some(), frame(pattern(size)));
    }
}

TEST(WireWrites, MessagesCommittedTogetherLeaveInOneSystemCall) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    const auto before = client.system_calls();
    for (int count = 0; count < 100; ++count) ASSERT_TRUE(client.send("twelve bytes").has_value());
    ASSERT_TRUE(client.flush().has_value());
    EXPECT_EQ(client.system_calls() - before, 1U);
    EXPECT_EQ(peer.receive_some().size(), 100 * frame("twelve bytes").size());
}

TEST(WireWrites, TheAnswersToOneSegmentLeaveTogether) {
    auto network = echo_server(shape::message);
    raw_peer peer(network.address());
    bytes many;
    for (int count = 0; count < 100; ++count) {
        const bytes one = frame("twelve bytes");
        many.insert(many.end(), one.begin(), one.end());
    }
    peer.send(many);
    EXPECT_EQ(peer.receive_some(), many);
}

}  // namespace
}  // namespace mtcp_test
