// A reader that stops, and what its client does at the bound: refuse, block, drop, disconnect. On every transport: memory keeps to the bound,
// nothing is lost without being counted, what arrives is in order, and a marker stands where something is missing.
#include "numbered_messages.hpp"
#include "raw_peer.hpp"
#include "servers.hpp"

#include <mnet/overload.hpp>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::at_bound;
using mnet::errc;

struct report {
    std::uint64_t id = 0;
    mnet::client_statistics counted{};
    std::uint64_t most_unsent = 0;
    std::uint64_t dropped_by_errors = 0;
    std::error_code other_error{};
};

/// Sends its numbers as soon as it is asked to, whatever becomes of them; then a last word that is not dropped.
mnet::task<mnet::result<>> stream(mnet::client& client, channel<report>& told) {
    auto asked = co_await client.async_read();
    if (!asked) co_return mnet::failure(asked.error());
    report all{.id = client.id()};
    for (std::uint64_t number = 0; number < stream_messages; ++number) {
        const auto sent = client.send(numbered(number));
        if (error_of(sent) == errc::message_dropped) {
            ++all.dropped_by_errors;
        } else if (!sent) {
            all.other_error = sent.error();
        }
        all.most_unsent = std::max(all.most_unsent, client.unsent_bytes());
    }
    all.counted = client.statistics();
    told.put(all);
    if (auto room = co_await client.async_flush(); !room) co_return room;
    if (auto sent = client.send(last_word); !sent) co_return sent;
    co_return co_await client.async_flush();
}

using policy_and_carrier = std::tuple<at_bound, carrier>;

std::string name_of(at_bound policy) {
    static constexpr const char* names[] = {"Refuse", "Block", "DropOldest", "DropNewest", "Disconnect"};
    return names[static_cast<std::size_t>(policy)];
}

std::string policy_and_carrier_name(const testing::TestParamInfo<policy_and_carrier>& info) {
    return name_of(std::get<0>(info.param)) + "_" + name_of(std::get<1>(info.param));
}

class ReaderThatStops : public testing::TestWithParam<policy_and_carrier> {
protected:
    at_bound policy() const { return std::get<0>(GetParam()); }
    carrier what() const { return std::get<1>(GetParam()); }
};

using ReaderThatStopsAndGoesOn = ReaderThatStops;
INSTANTIATE_TEST_SUITE_P(With, ReaderThatStopsAndGoesOn,
                         testing::Combine(testing::Values(at_bound::drop_oldest, at_bound::drop_newest), testing::ValuesIn(all_carriers)),
                         policy_and_carrier_name);

TEST_P(ReaderThatStopsAndGoesOn, SeesItsMessagesInOrderWithAMarkerForEachGapAndAllAreAccountedFor) {
    channel<report> told;
    auto network = serve([&told](mnet::client& client) { return stream(client, told); },
                         {.address = fresh_address(what()), .unsent_bytes_max = bound, .overload = {.policy = policy(), .marker = marker}});
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("go"));
    ASSERT_TRUE(client.flush());
    const auto sender = told.take();
    ASSERT_TRUE(sender);
    EXPECT_EQ(sender->other_error, std::error_code{});
    EXPECT_GT(sender->counted.messages_dropped, 0U);
    EXPECT_EQ(sender->counted.payload_bytes_dropped % message_bytes % marker.size(), 0U);
    EXPECT_GE(sender->counted.gaps, 1U);
    EXPECT_EQ(sender->counted.writes_refused, 0U);
    EXPECT_EQ(sender->counted.messages_sent, stream_messages + sender->counted.gaps);
    // What lies in shared memory is unsent until it is shown, and no part of the queue.
    EXPECT_LE(sender->most_unsent, bound + frame_bytes + marker.size() + mnet::wire::header_bytes);
    if (policy() == at_bound::drop_newest) {
        EXPECT_EQ(sender->dropped_by_errors, sender->counted.messages_dropped);
    }
    const auto total = network.statistics();
    EXPECT_EQ(total.messages_dropped, sender->counted.messages_dropped);
    EXPECT_EQ(total.gaps, sender->counted.gaps);
    EXPECT_EQ(total.overloaded_client, sender->id) << "the slow one is named";

    reading seen;
    while (!seen.ended) {
        const auto message = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(message) << message.error().message();
        seen.take(message->text());
    }
    EXPECT_TRUE(seen.sound) << "out of order, twice, or without a marker";
    EXPECT_EQ(seen.messages, sender->counted.messages_sent + 1 - sender->counted.messages_dropped);
    EXPECT_EQ(seen.gaps, sender->counted.gaps);
}

INSTANTIATE_TEST_SUITE_P(With, ReaderThatStops,
                         testing::Combine(testing::Values(at_bound::refuse, at_bound::block, at_bound::drop_oldest, at_bound::drop_newest,
                                                          at_bound::disconnect),
                                          testing::ValuesIn(socket_carriers)),
                         policy_and_carrier_name);

/// A handler that answers each message with as many bytes, and keeps to the rules of its client.
void echo_all(mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); }

TEST_P(ReaderThatStops, LetsTheServersMemoryGrowByItsBoundOnlyAndAHundredOthersGoOn) {
    constexpr std::size_t large_bound = 16 * bound;
    auto network = serve(echo_all, {.address = fresh_address(what()), .unsent_bytes_max = large_bound, .overload = {.policy = policy()}});
    std::vector<mnet::client> others;
    for (int count = 0; count < 100; ++count) others.push_back(connect_to(network.address(), {.spin = std::chrono::microseconds(0)}));
    for (auto& each : others) expect_echo(each, "before");
    const auto idle = network.statistics().memory_in_use_bytes;

    raw_peer stopped(network.address());
    const bytes batch = [] {
        bytes all;
        for (int count = 0; count < 100; ++count) {
            const bytes one = frame(pattern(message_bytes));
            all.insert(all.end(), one.begin(), one.end());
        }
        return all;
    }();
    // It asks and asks; the server takes in what its policy lets it.
    const auto is_overloaded = [&] {
        const auto now = network.statistics();
        return now.pauses + now.messages_dropped + now.clients_too_slow > 0;
    };
    std::size_t sent = 0;
    ASSERT_TRUE(eventually([&] {
        sent += stopped.send_what_fits(std::span(batch).subspan(sent % batch.size()));
        return is_overloaded();
    }));
    constexpr std::uint64_t window_bytes = std::uint64_t{256} << 10;
    for (int round = 0; round < 5; ++round) {
        sent += stopped.send_what_fits(std::span(batch).subspan(sent % batch.size()));
        for (auto& each : others) expect_echo(each, "meanwhile");
        // One window each way is lent for a moment; what a queue begins and ends with fills its blocks in part.
        EXPECT_LE(network.statistics().memory_in_use_bytes, idle + large_bound + 4 * window_bytes);
    }
    EXPECT_EQ(network.statistics().overloaded_client, 101U) << "the slow one is named";
    if (policy() != at_bound::disconnect) {
        EXPECT_EQ(network.statistics().clients, 101U);
    }
}

// Waiting for room --------------------------------------------------------------------------------------------------------------------

TEST(WriteThatBlocks, GivesUpAfterItsPatienceAndLosesNothing) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.unsent_bytes_max = bound,
                                                  .overload = {.policy = at_bound::block, .patience = std::chrono::milliseconds(20)}});
    raw_peer peer = listener.accept();
    std::size_t committed = 0;
    mnet::result<> sent;
    while ((sent = client.send(pattern(message_bytes, static_cast<unsigned>(committed))))) ++committed;
    EXPECT_EQ(error_of(sent), std::errc::timed_out);
    EXPECT_EQ(client.statistics().writes_refused, 1U);
    EXPECT_LE(client.unsent_bytes(), bound + frame_bytes);

    EXPECT_TRUE(client.set_overload({.policy = at_bound::block, .patience = patience}));
    std::thread reader([&] {
        for (std::size_t index = 0; index <= committed; ++index) {
            ASSERT_TRUE(peer.receive_message() == pattern(message_bytes, static_cast<unsigned>(index))) << "message " << index;
        }
    });
    EXPECT_TRUE(client.send(pattern(message_bytes, static_cast<unsigned>(committed)))) << "once the peer reads, it waits and goes on";
    EXPECT_TRUE(client.flush({.deadline = mnet::within(patience)}));
    reader.join();
}

TEST(WriteThatBlocks, GoesOnWithTheBufferOfAClientThatReturnsWhenThePeerIsLost) {
    raw_listener listener;
    auto client =
        connect_to(listener.address(), {.reconnect = {.policy = mnet::mtcp::reconnect_policy::buffer}, .unsent_bytes_max = bound});
    raw_peer peer = listener.accept();
    while (client.send(numbered(0))) {
    }
    EXPECT_TRUE(client.set_overload({.policy = at_bound::block, .patience = patience}));
    peer.reset();
    EXPECT_TRUE(client.send(last_word)) << "kept for the return";
    EXPECT_EQ(client.statistics().messages_dropped, 0U);
}

class WaitForRoom : public testing::TestWithParam<carrier> {};
INSTANTIATE_TEST_SUITE_P(On, WaitForRoom, testing::ValuesIn(all_carriers), carrier_name);

mnet::task<mnet::result<>> stream_and_wait(mnet::client& client, channel<std::error_code>& told) {
    mnet::result<> room;
    while (room) {  // until the sockets are full, too
        while (client.send(numbered(0))) {
        }
        room = co_await client.async_wait_for_room({.deadline = mnet::within(std::chrono::milliseconds(20))});
    }
    told.put(room.error());
    room = co_await client.async_wait_for_room({.deadline = mnet::within(patience)});
    if (!room) co_return room;
    const auto sent = client.send(numbered(1));
    told.put(error_of(sent));
    co_return co_await client.async_flush();
}

TEST_P(WaitForRoom, OfACoroutineEndsByItsDeadlineOrWhenThePeerReads) {
    channel<std::error_code> told;
    auto network = serve([&told](mnet::client& client) { return stream_and_wait(client, told); },
                         {.address = fresh_address(GetParam()), .unsent_bytes_max = bound, .overload = {.policy = at_bound::block}});
    auto client = connect_to(network.address());
    EXPECT_EQ(told.take(), std::make_error_code(std::errc::timed_out));
    std::uint64_t read = 0;
    for (auto message = client.read(); message; message = client.read()) ++read;
    EXPECT_EQ(told.take(), std::error_code{});
    EXPECT_TRUE(eventually([&] { return network.statistics().messages_sent == read; }));  // told at the turn's end
    EXPECT_EQ(network.statistics().messages_dropped, 0U);
}

// Too slow ----------------------------------------------------------------------------------------------------------------------------

class ReaderThatIsTooSlow : public EveryShapeAndCarrier {};
FOR_EVERY_SHAPE_AND_CARRIER(ReaderThatIsTooSlow);

mnet::result<> flood(mnet::client& client, channel<std::error_code>& told) {
    mnet::result<> sent;
    while (sent || sent.error() == errc::would_block) {
        if (!sent) (void)client.wait_for_room({.deadline = mnet::within(std::chrono::milliseconds(1))});
        sent = client.send(numbered(0));
    }
    told.put(sent.error());
    return sent;
}

mnet::task<mnet::result<>> flood_on_loop(mnet::client& client, channel<std::error_code>& told) {
    mnet::result<> room;
    while (room) {
        while (client.send(numbered(0))) {
        }
        room = co_await client.async_wait_for_room({.deadline = mnet::within(std::chrono::milliseconds(20))});
    }
    for (;;) {
        const auto asked = co_await client.async_read();
        if (asked) continue;
        told.put(asked.error());
        co_return mnet::failure(asked.error());
    }
}

TEST_P(ReaderThatIsTooSlow, IsCutOffAndToldToItsHandler) {
    const mnet::mtcp::listen_options options{.address = fresh_address(what()),
                                             .unsent_bytes_max = bound,
                                             .overload = {.policy = at_bound::disconnect, .patience = std::chrono::milliseconds(50)}};
    channel<std::error_code> told;
    const auto flood_by_message = [](mnet::client& client, mnet::message) noexcept {
        while (client.send(numbered(0))) {
        }
    };
    auto network = [&] {
        if (how() == shape::message) return serve(flood_by_message, options);
        if (how() == shape::blocking) return serve([&told](mnet::client& client) { return flood(client, told); }, options);
        return serve([&told](mnet::client& client) { return flood_on_loop(client, told); }, options);
    }();
    auto client = connect_to(network.address());
    if (how() == shape::message) {
        for (int count = 0; count < 1000; ++count) ASSERT_TRUE(client.send("go"));  // sockets take more with time
        ASSERT_TRUE(client.flush());
    } else {  // these flood as soon as they accept, and may have cut the client by now
        (void)client.send("go");
        (void)client.flush();
        EXPECT_EQ(told.take(), make_error_code(errc::too_slow));
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_too_slow == 1; }));
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    const auto total = network.statistics();
    EXPECT_EQ(total.clients_too_slow, 1U);
    EXPECT_EQ(total.clients_failed, 1U);
    EXPECT_EQ(total.overloaded_client, 1U);
}

}  // namespace
}  // namespace mtcp_test
