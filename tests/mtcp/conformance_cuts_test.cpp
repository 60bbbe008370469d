// docs/wire.md: a receiver takes frames however TCP cuts them.
//
// Each piece is sent once the piece before it was read on the other side, so that no two arrive together by chance.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace mtcp_test {
namespace {

/// A network that echoes, and a bare socket that talks to it in pieces.
class WireCuts : public EveryShape {
protected:
    /// Sends `piece` and waits until the network has read it.
    void send_apart(std::span<const std::byte> piece) {
        peer.send(piece);
        sent_ += piece.size();
        ASSERT_TRUE(eventually([this] { return network.statistics().wire_bytes_received == sent_; }));
    }

    mnet::mtcp::network network = echo_server(GetParam());
    raw_peer peer{network.address()};

private:
    std::uint64_t sent_ = 0;
};
FOR_EVERY_SHAPE(WireCuts);

TEST_P(WireCuts, ALengthMayBeCutAnywhere) {
    const bytes whole = frame("pub help");
    for (const std::size_t cut : {1U, 2U, 3U, 4U}) {
        send_apart(std::span(whole).first(cut));
        send_apart(std::span(whole).subspan(cut));
        EXPECT_EQ(peer.receive(whole.size()), whole) << "cut behind byte " << cut;
    }
}

TEST_P(WireCuts, AFrameMayArriveOneByteAtATime) {
    const bytes whole = frame("pub help");
    for (const std::byte& each : whole) send_apart(std::span(&each, 1));
    EXPECT_EQ(peer.receive(whole.size()), whole);
}

TEST_P(WireCuts, AnEmptyMessageMayArriveOneByteAtATime) {
    const bytes whole = frame("");
    for (const std::byte& each : whole) send_apart(std::span(&each, 1));
    EXPECT_EQ(peer.receive(whole.size()), whole);
}

TEST_P(WireCuts, ManyFramesMayArriveInOneSegment) {
    bytes many;
    for (unsigned index = 0; index < 1000; ++index) {
        const bytes one = frame(pattern(index % 7, index));
        many.insert(many.end(), one.begin(), one.end());
    }
    peer.send(many);
    EXPECT_EQ(peer.receive(many.size()), many);
}

TEST_P(WireCuts, ASegmentMayEndAFrameAndBeginTheNext) {
    const bytes first = frame("first");
    const bytes second = frame("second");
    bytes both = first;
    both.insert(both.end(), second.begin(), second.end());
    send_apart(std::span(both).first(3));
    send_apart(std::span(both).subspan(3, first.size()));
    EXPECT_EQ(peer.receive(first.size()), first);
    send_apart(std::span(both).subspan(3 + first.size()));
    EXPECT_EQ(peer.receive(second.size()), second);
}

TEST_P(WireCuts, AFrameLargerThanAWindowMayArriveInPieces) {
    const bytes whole = frame(pattern(std::size_t{1} << 20));
    constexpr std::size_t piece_bytes = 100'003;
    for (std::size_t at = 0; at < whole.size(); at += piece_bytes) {
        send_apart(std::span(whole).subspan(at, std::min(piece_bytes, whole.size() - at)));
    }
    EXPECT_TRUE(peer.receive(whole.size()) == whole);
}

TEST_P(WireCuts, FramesThatDontDivideTheWindowAllArriveWhole) {
    constexpr std::size_t messages = 40;
    for (unsigned index = 0; index < messages; ++index) {
        const bytes whole = frame(pattern(99'991, index));
        peer.send(whole);
        ASSERT_TRUE(peer.receive(whole.size()) == whole) << "message " << index;
    }
    EXPECT_TRUE(eventually([this] { return network.statistics().messages_received == messages; }));
}

TEST(WireCutsOfAClient, ALengthMayBeCutAnywhereAndIsNoMessageUntilItIsWhole) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    const bytes whole = frame("pub help");
    std::uint64_t sent = 0;
    for (const std::size_t cut : {1U, 2U, 3U, 4U, 7U}) {
        peer.send(std::span(whole).first(cut));
        sent += cut;
        ASSERT_TRUE(eventually([&] {
            const auto early = client.try_read();
            EXPECT_FALSE(early.has_value());
            EXPECT_EQ(error_of(early), mnet::errc::no_data_yet);
            return client.statistics().wire_bytes_received == sent;
        }));
        peer.send(std::span(whole).subspan(cut));
        sent += whole.size() - cut;
        const auto message = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(message.has_value()) << message.error().message();
        EXPECT_EQ(message->text(), "pub help");
    }
}

TEST(WireCutsOfAClient, ManyFramesMayArriveInOneSegment) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    bytes many;
    for (unsigned index = 0; index < 1000; ++index) {
        const bytes one = frame(pattern(index % 7, index));
        many.insert(many.end(), one.begin(), one.end());
    }
    peer.send(many);
    for (unsigned index = 0; index < 1000; ++index) {
        const auto message = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(message.has_value()) << message.error().message();
        ASSERT_EQ(message->to_vector(), pattern(index % 7, index));
    }
    EXPECT_EQ(error_of(client.try_read()), mnet::errc::no_data_yet);
}

}  // namespace
}  // namespace mtcp_test
