// Messages that are sent by pointer: whole, in order with those written in place, and within the same bounds.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <mnet/diagnostics.hpp>

#include <algorithm>
#include <thread>

namespace mtcp_test {
namespace {

constexpr std::size_t large = std::size_t{1} << 20;

mnet::buffer filled(mnet::result<mnet::buffer> made, unsigned salt) {
    EXPECT_TRUE(made.has_value());
    std::ranges::copy(pattern(made->size(), salt), made->bytes().begin());
    return *std::move(made);
}

TEST(Buffer, ArrivesAsItIs) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, std::size_t{70'000}, large, 3 * large + 1}) {
        ASSERT_TRUE(client.send(filled(client.make_buffer(size), 1)).has_value()) << size;
        const auto back = client.read();
        ASSERT_TRUE(back.has_value()) << size;
        EXPECT_TRUE(same(back->bytes(), pattern(size, 1))) << size;
    }
    EXPECT_EQ(client.statistics().messages_sent, 6U);
    EXPECT_EQ(client.statistics().payload_bytes_sent, 0U + 1 + 1000 + 70'000 + large + 3 * large + 1);
}

TEST(Buffer, KeepsItsPlaceAmongMessagesWrittenInPlace) {
    raw_listener listener;
    auto client = connect_to(listener.address());
    raw_peer peer = listener.accept();
    ASSERT_TRUE(client.send("before").has_value());
    ASSERT_TRUE(client.send(filled(mnet::buffer::make(100'000), 2)).has_value());
    ASSERT_TRUE(client.send("between").has_value());
    ASSERT_TRUE(client.send(filled(mnet::buffer::make(10), 3)).has_value());
    ASSERT_TRUE(client.send("after").has_value());
    ASSERT_TRUE(client.flush().has_value());
    EXPECT_EQ(text_of(peer.receive_message()), "before");
    EXPECT_EQ(peer.receive_message(), pattern(100'000, 2));
    EXPECT_EQ(text_of(peer.receive_message()), "between");
    EXPECT_EQ(peer.receive_message(), pattern(10, 3));
    EXPECT_EQ(text_of(peer.receive_message()), "after");
}

TEST(Buffer, MadeAndFilledByAnotherThreadIsSentByTheClients) {
    auto network = echo_server(shape::coroutine);
    auto client = connect_to(network.address());
    mnet::result<mnet::buffer> made = mnet::failure(mnet::errc::no_data_yet);
    std::thread([&made] { made = filled(mnet::buffer::make(large), 4); }).join();
    ASSERT_TRUE(client.send(*std::move(made)).has_value());
    const auto back = client.read();
    ASSERT_TRUE(back.has_value());
    EXPECT_TRUE(same(back->bytes(), pattern(large, 4)));
}

TEST(Buffer, ThatIsShrunkIsSentShorter) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    auto shorter = filled(client.make_buffer(1000), 5);
    shorter.shrink(2000);
    EXPECT_EQ(shorter.size(), 1000U);
    shorter.shrink(10);
    ASSERT_TRUE(client.send(std::move(shorter)).has_value());
    const auto back = client.read();
    ASSERT_TRUE(back.has_value());
    const bytes whole = pattern(1000, 5);
    EXPECT_TRUE(same(back->bytes(), std::span(whole).first(10)));
}

TEST(Buffer, StaysTheCallersWhenItIsRefused) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.message_bytes_max = 1000, .unsent_bytes_max = 100'000});
    raw_peer peer = listener.accept();
    auto too_large = filled(client.make_buffer(1001), 6);
    EXPECT_EQ(error_of(client.send(std::move(too_large))), mnet::errc::message_too_large);
    EXPECT_EQ(too_large.size(), 1001U);  // NOLINT(bugprone-use-after-move)

    std::error_code refused;
    auto last = filled(client.make_buffer(1000), 7);
    while (!refused) {
        refused = error_of(client.send(std::move(last)));
        if (!refused) last = filled(client.make_buffer(1000), 7);
    }
    EXPECT_EQ(refused, mnet::errc::would_block);
    EXPECT_EQ(last.size(), 1000U);
    EXPECT_EQ(client.statistics().writes_refused, 1U);
    (void)peer.reset();
}

TEST(Buffer, ThatWasSentHasNothingLeftToSend) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    auto once = filled(client.make_buffer(100), 8);
    ASSERT_TRUE(client.send(std::move(once)).has_value());
    EXPECT_EQ(once.size(), 0U);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(error_of(client.send(std::move(once))), std::errc::invalid_argument);
}

TEST(Buffer, ComesBackWarmFromThePool) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    const auto send_one = [&client] {
        ASSERT_TRUE(client.send(filled(client.make_buffer(large), 9)).has_value());
        ASSERT_TRUE(client.read().has_value());
    };
    for (int warm = 0; warm < 3; ++warm) send_one();
    const auto before = mnet::diagnostics::now(client);
    for (int count = 0; count < 20; ++count) send_one();
    EXPECT_EQ((mnet::diagnostics::now(client) - before).memory_requests, 0U);
}

}  // namespace
}  // namespace mtcp_test
