// Stopping a network whose handler never has to wait for long: its client sends on and on, or answers at once.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <chrono>
#include <cstdint>
#include <sys/socket.h>
#include <system_error>
#include <thread>

namespace mtcp_test {
namespace {

using mnet::within;
using namespace std::chrono_literals;

/// How a handler's reading ended.
using endings = channel<std::error_code>;

auto hear_out(endings& ended) {
    return [&ended](mnet::client& client) -> mnet::result<> {
        auto message = client.read();
        while (message) message = client.read();
        ended.put(message.error());
        return {};
    };
}

auto async_hear_out(endings& ended) {
    return [&ended](mnet::client& client) -> mnet::task<mnet::result<>> {
        auto message = co_await client.async_read();
        while (message) message = co_await client.async_read();
        ended.put(message.error());
        co_return mnet::result<>{};
    };
}

mnet::result<> keep_asking(mnet::client& client) {
    for (;;) {
        if (auto sent = client.send("tell me"); !sent) return sent;
        if (auto message = client.read(); !message) return mnet::failure(message.error());
    }
}

mnet::task<mnet::result<>> async_keep_asking(mnet::client& client) {
    for (;;) {
        if (auto sent = client.send("tell me"); !sent) co_return sent;
        if (auto message = co_await client.async_read(); !message) co_return mnet::failure(message.error());
    }
}

/// The handler ends at once. Over TCP the client is heard out until the deadline, as long as it sends on.
void expect_to_end_under_a_flood(mnet::mtcp::network& network, endings& ended) {
    EXPECT_TRUE(eventually([&] { return network.statistics().messages_received > 1000; })) << "it tells of them meanwhile";
    (void)network.stop(within(1s));
    EXPECT_EQ(ended.take(), std::errc::operation_canceled);
}

/// A flood of whole messages, in shared memory where that is used.
void expect_to_end_under_a_clients_flood(mnet::mtcp::network network, endings& ended) {
    auto client = connect_to(network.address());
    std::thread sender([&] {
        while (client.send("on and on") && client.flush({.deadline = within(5s)})) {
        }
    });
    expect_to_end_under_a_flood(network, ended);
    sender.join();
}

/// Sends on and on, until the other side has closed.
std::thread flooding(raw_peer& peer) {
    return std::thread([&peer, flood = frame(pattern(1000))] {
        while (::send(peer.descriptor(), flood.data(), flood.size(), MSG_NOSIGNAL) > 0) {
        }
    });
}

/// The same of a socket's, whose messages end anywhere in what is received.
void expect_to_end_under_a_sockets_flood(mnet::mtcp::network network, endings& ended) {
    raw_peer peer(network.address());
    std::thread sender = flooding(peer);
    expect_to_end_under_a_flood(network, ended);
    sender.join();
}

/// Takes the question and answers, on and on: each read of the handler waits, and none for long.
void expect_to_stop_beside_fast_answers(mnet::mtcp::network network) {
    auto client = connect_to(network.address(), {.spin = 1s});
    std::thread answering([&] {
        while (client.read() && client.send("something")) {
        }
    });
    EXPECT_TRUE(eventually([&] { return network.statistics().messages_received > 1000; })) << "it tells of them meanwhile";
    EXPECT_EQ(network.stop(within(5s)).handlers_left, 0U);
    answering.join();
}

TEST(StoppingBusyHandlers, EndsABlockingOneThatReadsWithoutEverHavingToWait) {
    endings ended;
    expect_to_end_under_a_clients_flood(serve(hear_out(ended)), ended);
    expect_to_end_under_a_sockets_flood(serve(hear_out(ended)), ended);
}

TEST(StoppingBusyHandlers, EndsACoroutineThatReadsWithoutEverHavingToWait) {
    endings ended;
    expect_to_end_under_a_clients_flood(serve(async_hear_out(ended)), ended);
    expect_to_end_under_a_sockets_flood(serve(async_hear_out(ended)), ended);
}

TEST(StoppingBusyHandlers, EndsABlockingOneThatTalksToAPeerThatAnswersAtOnce) { expect_to_stop_beside_fast_answers(serve(keep_asking)); }

TEST(StoppingBusyHandlers, EndsACoroutineThatTalksToAPeerThatAnswersAtOnce) {
    expect_to_stop_beside_fast_answers(serve(async_keep_asking));
}

/// How many handlers one stop left behind, whose handler is busy with the first message while it is asked to.
std::uint64_t left_of_a_late_one() {
    channel<int> began;
    auto network = serve([&began](mnet::client& client) -> mnet::result<> {
        auto message = client.read();
        began.put(1);
        const auto late = std::chrono::steady_clock::now() + 300ms;
        while (std::chrono::steady_clock::now() < late) std::this_thread::yield();
        while (message) message = client.read();
        return {};
    });
    raw_peer peer(network.address());
    std::thread sender = flooding(peer);
    EXPECT_TRUE(began.take().has_value());
    const auto left = network.stop(within(1s)).handlers_left;
    sender.join();
    return left;
}

TEST(StoppingBusyHandlers, CountsTheDeadlineFromTheCallNotFromWhenTheyHearOfIt) {
    std::uint64_t left = 1;
    for (int attempts = 0; attempts < 10 && left > 0; ++attempts)
        left = left_of_a_late_one();  // a busy machine may keep its thread from ending
    EXPECT_EQ(left, 0U);
}

}  // namespace
}  // namespace mtcp_test
