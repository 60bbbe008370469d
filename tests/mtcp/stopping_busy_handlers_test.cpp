// Stopping a network whose handler never has to wait for long: its client sends on and on, or answers at once.
#include "channel.hpp"
#include "servers.hpp"

#include <chrono>
#include <thread>

namespace mtcp_test {
namespace {

using mnet::within;
using namespace std::chrono_literals;

mnet::result<> hear_out(mnet::client& client) {
    for (;;) {
        if (auto message = client.read(); !message) return mnet::failure(message.error());
    }
}

mnet::task<mnet::result<>> async_hear_out(mnet::client& client) {
    for (;;) {
        if (auto message = co_await client.async_read(); !message) co_return mnet::failure(message.error());
    }
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

/// Sends on and on, in shared memory where that is used.
void expect_to_stop_under_a_flood(mnet::mtcp::network network) {
    auto client = connect_to(network.address());
    std::thread sender([&] {
        while (client.send("on and on") && client.flush({.deadline = within(5s)})) {
        }
    });
    EXPECT_TRUE(eventually([&] { return network.statistics().messages_received > 1000; }));
    EXPECT_EQ(network.stop(within(5s)).handlers_left, 0U);
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

TEST(StoppingBusyHandlers, EndsABlockingOneThatReadsWithoutEverHavingToWait) { expect_to_stop_under_a_flood(serve(hear_out)); }

TEST(StoppingBusyHandlers, EndsACoroutineThatReadsWithoutEverHavingToWait) { expect_to_stop_under_a_flood(serve(async_hear_out)); }

TEST(StoppingBusyHandlers, EndsABlockingOneThatTalksToAPeerThatAnswersAtOnce) { expect_to_stop_beside_fast_answers(serve(keep_asking)); }

TEST(StoppingBusyHandlers, EndsACoroutineThatTalksToAPeerThatAnswersAtOnce) {
    expect_to_stop_beside_fast_answers(serve(async_keep_asking));
}

}  // namespace
}  // namespace mtcp_test
