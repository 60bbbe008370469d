// A peer that never reads: memory stays under the bound, nothing is lost, and the other clients don't notice.
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <algorithm>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

constexpr std::size_t bound = std::size_t{1} << 20;
constexpr std::size_t slow_message_bytes = 10'000;
constexpr std::size_t slow_frame_bytes = slow_message_bytes + mnet::wire::header_bytes;

/// What a network holds for its clients: committed, and not with the kernel.
std::uint64_t unsent_bytes(const mnet::network_statistics& told) {
    return told.payload_bytes_sent + told.messages_sent * mnet::wire::header_bytes - told.wire_bytes_sent;
}

bytes ten_frames() {
    bytes batch;
    for (int count = 0; count < 10; ++count) {
        const bytes one = frame(pattern(slow_message_bytes));
        batch.insert(batch.end(), one.begin(), one.end());
    }
    return batch;
}

/// Sends frames to an echo server and reads nothing back, until the sockets and the server take no more.
std::size_t stuff(raw_peer& peer, mnet::mtcp::network& network) {
    const bytes batch = ten_frames();
    // Full when the sockets took nothing in many tries, while the server took nothing in. A server that was not let run looks the same: then
    // less is unsent than could be, so who needs more has to go on from here.
    constexpr int tries = 2000;
    std::size_t sent = 0;
    std::uint64_t taken_in = 0;
    for (int quiet = 0; quiet < tries; ++quiet) {
        const std::size_t more = peer.send_what_fits(std::span(batch).subspan(sent % batch.size()));
        sent += more;
        const auto now = network.statistics();
        if (more > 0 || now.wire_bytes_received != taken_in || now.messages_sent == 0) quiet = 0;
        taken_in = now.wire_bytes_received;
        std::this_thread::yield();
    }
    return sent;
}

class PeerThatNeverReads : public EveryShapeAndCarrier {
protected:
    mnet::mtcp::network network = *listen_echo(how(), {.address = fresh_address(what()), .unsent_bytes_max = bound});
};
FOR_EVERY_SHAPE_AND_SOCKET(PeerThatNeverReads);

TEST_P(PeerThatNeverReads, KeepsAnEchoServersMemoryUnderTheBoundAndGetsEverythingOnceItReads) {
    raw_peer peer(network.address());
    const std::size_t sent = stuff(peer, network);
    EXPECT_LE(unsent_bytes(network.statistics()), bound + slow_frame_bytes);

    // The rest of a frame that was cut; then all that was sent comes back.
    std::size_t whole = sent;
    bytes back;
    bytes expected;
    const bytes one = frame(pattern(slow_message_bytes));
    const std::size_t rest = (slow_frame_bytes - sent % slow_frame_bytes) % slow_frame_bytes;
    std::size_t rest_sent = 0;
    while (back.size() < sent / slow_frame_bytes * slow_frame_bytes + (rest > 0 ? slow_frame_bytes : 0)) {
        if (rest_sent < rest) rest_sent += peer.send_what_fits(std::span(one).subspan(slow_frame_bytes - rest + rest_sent));
        const bytes some = peer.receive_some();
        ASSERT_FALSE(some.empty());
        back.insert(back.end(), some.begin(), some.end());
    }
    whole += rest_sent;
    ASSERT_EQ(back.size(), whole);
    for (std::size_t at = 0; at < back.size(); at += slow_frame_bytes) {
        ASSERT_TRUE(std::equal(one.begin(), one.end(), back.begin() + static_cast<std::ptrdiff_t>(at))) << "at byte " << at;
    }
}

TEST_P(PeerThatNeverReads, LeavesTheOtherClientsAlone) {
    raw_peer peer(network.address());
    (void)stuff(peer, network);
    auto other = connect_to(network.address());
    for (int count = 0; count < 100; ++count) expect_echo(other, "still there");
    peer.reset();
    expect_echo(other, "and afterwards");
}

TEST(PeerThatNeverReadsFromAMessageHandler, PausesItsReadingAndNotItsLoop) {
    auto network = *listen_echo(shape::message, {.address = "127.0.0.1:0", .unsent_bytes_max = bound});
    raw_peer peer(network.address());
    const bytes batch = ten_frames();
    std::size_t sent = 0;
    std::uint64_t taken_in = 0;
    int quiet = 0;
    ASSERT_TRUE(eventually([&] {  // until it is not read, and goes on not to be
        const std::size_t more = peer.send_what_fits(std::span(batch).subspan(sent % batch.size()));
        sent += more;
        const auto told = network.statistics();
        const bool still = more == 0 && told.pauses >= 1 && unsent_bytes(told) >= bound && told.wire_bytes_received == taken_in;
        taken_in = told.wire_bytes_received;
        quiet = still ? quiet + 1 : 0;
        return quiet > 2000;
    }));
    EXPECT_EQ(network.statistics().writes_refused, 0U) << "a handler that answers each message once is never refused";
    const auto paused_at = network.statistics().wire_bytes_received;
    auto other = connect_to(network.address());
    expect_echo(other, "hello");
    EXPECT_TRUE(eventually([&] { return network.statistics().wire_bytes_received == paused_at + frame("hello").size(); }))
        << "more was read of it";
    EXPECT_GE(unsent_bytes(network.statistics()), bound);
}

TEST(PeerThatNeverReadsFromAClient, MakesItsWriteSayWouldBlockUntilItReads) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.unsent_bytes_max = bound});
    raw_peer peer = listener.accept();
    std::size_t committed = 0;
    mnet::result<> sent;
    while ((sent = client.send(pattern(slow_message_bytes, static_cast<unsigned>(committed))))) ++committed;
    EXPECT_EQ(error_of(sent), mnet::errc::would_block);
    EXPECT_TRUE(client.live());
    EXPECT_EQ(client.statistics().writes_refused, 1U);
    EXPECT_GT(client.unsent_bytes(), bound);
    EXPECT_LE(client.unsent_bytes(), bound + slow_frame_bytes);
    EXPECT_EQ(error_of(client.flush({.deadline = mnet::within(std::chrono::milliseconds(1))})), std::errc::timed_out);

    std::thread reader([&] {
        for (std::size_t index = 0; index < committed; ++index) {
            ASSERT_TRUE(peer.receive_message() == pattern(slow_message_bytes, static_cast<unsigned>(index))) << "message " << index;
        }
    });
    EXPECT_TRUE(client.flush({.deadline = mnet::within(patience)}).has_value());
    EXPECT_EQ(client.unsent_bytes(), 0U);
    EXPECT_TRUE(client.send("again").has_value());
    reader.join();
}

mnet::task<mnet::result<>> fill_up(mnet::client& client, channel<std::error_code>& told) {
    mnet::result<> sent;
    while ((sent = client.send(pattern(slow_message_bytes)))) {
    }
    told.put(error_of(sent));
    const auto flushed = co_await client.async_flush({.deadline = mnet::within(std::chrono::milliseconds(1))});
    told.put(error_of(flushed));
    const auto finally = co_await client.async_flush();
    told.put(error_of(finally));
    co_return finally;
}

TEST(PeerThatNeverReadsFromACoroutine, MakesItsWriteSayWouldBlockAndItsFlushWait) {
    channel<std::error_code> told;
    auto network =
        serve([&told](mnet::client& client) { return fill_up(client, told); }, {.address = "127.0.0.1:0", .unsent_bytes_max = bound});
    raw_peer peer(network.address());
    EXPECT_EQ(told.take(), make_error_code(mnet::errc::would_block));
    EXPECT_EQ(told.take(), std::make_error_code(std::errc::timed_out));
    EXPECT_EQ(network.statistics().writes_refused, 1U);
    const std::uint64_t committed = network.statistics().messages_sent;
    for (std::uint64_t index = 0; index < committed; ++index) ASSERT_TRUE(peer.receive_message() == pattern(slow_message_bytes));
    EXPECT_EQ(told.take(), std::error_code{});
    EXPECT_EQ(peer.receive_to_end(), bytes{});
}

TEST(PeerThatNeverReadsResidentMemory, StaysNearTheBoundForEachOfThem) {
    if (!memory_is_measurable) GTEST_SKIP() << "resident memory is the sanitizer's here";
    auto network = *listen_echo(shape::message, {.address = "127.0.0.1:0", .unsent_bytes_max = bound});
    raw_peer first(network.address());
    (void)stuff(first, network);
    const std::size_t before = resident_bytes();
    constexpr std::size_t peers = 8;
    std::vector<raw_peer> all;
    for (std::size_t count = 0; count < peers; ++count) {
        all.emplace_back(network.address());
        (void)stuff(all.back(), network);
    }
    // A block may be as large again as what lies in it, and a window each way is shared by all.
    constexpr std::size_t each = 2 * (bound + slow_frame_bytes);
    EXPECT_LE(resident_bytes(), before + peers * each + (std::size_t{4} << 20));
}

}  // namespace
}  // namespace mtcp_test
