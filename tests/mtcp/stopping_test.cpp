// Stopping a network: it drains, cancels, returns by its deadline, always, and gives an account.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <atomic>
#include <coroutine>
#include <memory>
#include <optional>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::errc;
using mnet::within;
using namespace std::chrono_literals;

class Stopping : public EveryShape {
protected:
    endings ends{};
    mnet::mtcp::network network = echo_server(GetParam(), carrier::tcp_v4, &ends);
};
FOR_EVERY_SHAPE(Stopping);

TEST_P(Stopping, WithoutClientsIsComplete) {
    const mnet::farewell farewell = network.stop();
    EXPECT_TRUE(farewell.complete());
    EXPECT_EQ(farewell.clients_drained, 0U);
    EXPECT_EQ(farewell.clients_cut, 0U);
    EXPECT_EQ(farewell.bytes_cut, 0U);
    EXPECT_EQ(farewell.handlers_left, 0U);
}

TEST_P(Stopping, EndsIdleClientsAndTheirHandlers) {
    std::vector<mnet::client> clients;
    for (int count = 0; count < 5; ++count) {
        clients.push_back(connect_to(network.address()));
        expect_echo(clients.back(), "hello");
    }
    const mnet::farewell farewell = network.stop();
    EXPECT_TRUE(farewell.complete());
    EXPECT_EQ(farewell.clients_drained, 5U);
    for (auto& each : clients) EXPECT_EQ(error_of(each.read(soon_enough)), errc::end_of_stream);
    if (GetParam() != shape::message) {
        for (int count = 0; count < 5; ++count) EXPECT_EQ(ends.take(), std::make_error_code(std::errc::operation_canceled));
    }
    EXPECT_EQ(network.statistics().clients, 0U);
    EXPECT_EQ(network.statistics().clients_failed, 0U);
}

TEST_P(Stopping, EndsAccepting) {
    const std::string address = network.address();
    (void)network.stop();
    const auto late = mnet::mtcp::connect(address);
    ASSERT_FALSE(late.has_value());
    EXPECT_EQ(error_of(late), std::errc::connection_refused);
}

TEST_P(Stopping, TwiceAndFromTwoThreadsGivesTheSameAccount) {
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    mnet::farewell other{};
    std::thread thread([&] { other = network.stop(); });
    const mnet::farewell mine = network.stop();
    thread.join();
    EXPECT_EQ(mine.clients_drained, 1U);
    EXPECT_EQ(other.clients_drained, 1U);
    EXPECT_EQ(network.stop().clients_drained, 1U);
}

TEST_P(Stopping, RaceWithClientsThatComeAndGo) {
    const std::string address = network.address();
    std::atomic<bool> over = false;
    std::vector<std::thread> visitors;
    for (int visitor = 0; visitor < 3; ++visitor) {
        visitors.emplace_back([&] {
            while (!over) {
                auto client = mnet::mtcp::connect(address);
                if (!client || !client->send("hello")) continue;
                (void)client->read(soon_enough);
            }
        });
    }
    ASSERT_TRUE(eventually([&] { return network.statistics().messages_received > 20; }));
    EXPECT_TRUE(network.stop().complete());
    over = true;
    for (auto& each : visitors) each.join();
    EXPECT_EQ(network.statistics().clients, 0U);
}

TEST_P(Stopping, CutsAPeerThatNeverReadsAtItsDeadline) {
    raw_peer peer(network.address());
    const bytes question = frame(pattern(200'000));
    std::size_t sent = 0;
    int quiet = 0;
    ASSERT_TRUE(eventually([&] {  // until an answer fits nowhere, and goes on not to fit
        const std::size_t more = peer.send_what_fits(std::span(question).subspan(sent % question.size()));
        sent += more;
        const auto told = network.statistics();
        quiet = more == 0 && told.payload_bytes_sent + 4 * told.messages_sent > told.wire_bytes_sent ? quiet + 1 : 0;
        return quiet > 2000;
    }));
    const mnet::farewell farewell = network.stop(within(200ms));
    EXPECT_FALSE(farewell.complete());
    EXPECT_EQ(farewell.clients_drained, 0U);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    if (farewell.handlers_left > 0) return;  // a busy machine gave its loop no time before the deadline, and that was told
    EXPECT_EQ(farewell.clients_cut, 1U);
    const auto told = network.statistics();
    const std::uint64_t unsent = told.payload_bytes_sent + 4 * told.messages_sent - told.wire_bytes_sent;
    EXPECT_LE(farewell.bytes_cut, unsent);
    EXPECT_GT(farewell.messages_cut + farewell.messages_unacknowledged, 0U);
    EXPECT_GT(farewell.bytes_cut + question.size(), unsent)
        << "the rest of one frame may be with io_uring, unanswered: unacknowledged, not cut";
}

TEST_P(Stopping, WithADeadlineThatIsOverStillReturns) {
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    (void)network.stop(within(0s));
    EXPECT_FALSE(client.read(soon_enough).has_value());
    if (GetParam() != shape::message) {
        EXPECT_TRUE(ends.take().has_value()) << "its handler goes on behind, and ends";
    }
}

TEST(StoppingDrains, WhatWasCommittedForASlowReader) {
    for (const shape how : all_shapes) {
        auto network = echo_server(how);
        raw_peer peer(network.address());
        constexpr int messages = 20;
        std::thread sender([&peer] {
            for (int count = 0; count < messages; ++count) peer.send(frame(pattern(200'000)));
        });
        std::thread stopper([&network] {
            ASSERT_TRUE(eventually([&] { return network.statistics().messages_received == messages; }));
            EXPECT_TRUE(network.stop(within(patience)).complete());
        });
        for (int count = 0; count < messages; ++count) ASSERT_TRUE(peer.receive_message() == pattern(200'000)) << count;
        EXPECT_EQ(peer.receive_to_end(), bytes{});
        sender.join();
        stopper.join();
    }
}

// What handlers may do meanwhile ------------------------------------------------------------------------------------------------------

/// Counts the handlers whose local variables are alive.
class presence {
public:
    explicit presence(std::atomic<int>& count) : count_(count) { ++count_; }
    presence(const presence&) = delete;
    presence& operator=(const presence&) = delete;
    ~presence() { --count_; }

private:
    std::atomic<int>& count_;
};

mnet::task<mnet::result<>> never_ends(mnet::client& client, std::atomic<int>& alive) {
    const presence here(alive);
    (void)co_await client.async_read();
    co_await std::suspend_always();
    co_return {};
}

TEST(StoppingCoroutines, DestroysThoseThatWaitForSomethingElseByTheDeadline) {
    std::atomic<int> alive = 0;
    auto network = serve([&alive](mnet::client& client) { return never_ends(client, alive); });
    auto client = connect_to(network.address());
    ASSERT_TRUE(eventually([&] { return alive == 1; }));
    (void)network.stop(within(100ms));
    EXPECT_TRUE(eventually([&] { return alive == 0; }));
    EXPECT_FALSE(client.read(soon_enough).has_value());
}

mnet::task<mnet::result<>> read_nested(mnet::client& client, std::atomic<int>& alive, int depth) {
    const presence here(alive);
    if (depth > 0) co_return co_await read_nested(client, alive, depth - 1);
    auto message = co_await client.async_read();
    co_return mnet::failure(message ? std::error_code{} : message.error());
}

TEST(StoppingCoroutines, CancelsAReadThatIsManyCallsDeep) {
    std::atomic<int> alive = 0;
    auto network = serve([&alive](mnet::client& client) { return read_nested(client, alive, 100); });
    auto client = connect_to(network.address());
    ASSERT_TRUE(eventually([&] { return alive == 101; }));
    EXPECT_TRUE(network.stop().complete());
    EXPECT_EQ(alive, 0);
}

mnet::task<mnet::result<>> say_goodbye(mnet::client& client) {
    for (;;) {
        auto message = co_await client.async_read();
        if (message) continue;
        if (message.error() == std::errc::operation_canceled) (void)client.send("goodbye");
        co_return mnet::failure(message.error());
    }
}

TEST(StoppingCoroutines, LetsThemSendLastWords) {
    auto network = serve(say_goodbye);
    auto client = connect_to(network.address());
    ASSERT_TRUE(eventually([&] { return network.statistics().clients == 1; }));
    EXPECT_TRUE(network.stop().complete());
    EXPECT_EQ(next_text(client), "goodbye");
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
}

TEST(StoppingBlockingHandlers, LetsThemSendLastWords) {
    channel<int> began;
    auto network = serve([&began](mnet::client& client) -> mnet::result<> {
        began.put(1);
        auto message = client.read();
        if (!message && message.error() == std::errc::operation_canceled) (void)client.send("goodbye");
        return {};
    });
    auto client = connect_to(network.address());
    ASSERT_TRUE(began.take().has_value());
    EXPECT_TRUE(network.stop().complete());
    EXPECT_EQ(next_text(client), "goodbye");
}

TEST(StoppingBlockingHandlers, EndsOneThatSendsWithoutEverHavingToWait) {
    auto network = serve([](mnet::client& client) -> mnet::result<> {
        for (;;) {
            if (auto sent = client.send("on and on"); !sent) return sent;
            if (auto flushed = client.flush(); !flushed) return flushed;
        }
    });
    raw_peer peer(network.address());
    std::thread reader([&peer] {
        while (!peer.receive_some().empty()) {
        }
    });
    ASSERT_TRUE(eventually([&] { return network.statistics().clients == 1; }));
    (void)network.stop(within(200ms));
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; })) << "its flush went on working";
    reader.join();
}

TEST(StoppingBlockingHandlers, ReturnsByTheDeadlineWithoutOneThatDoesNotEnd) {
    // Shared, because its thread outlives the network.
    struct shared {
        channel<int> began{};
        channel<int> release{};
        channel<int> ended{};
    };
    const auto all = std::make_shared<shared>();
    {
        auto network = serve([all](mnet::client& client) -> mnet::result<> {
            all->began.put(1);
            (void)all->release.take();
            EXPECT_FALSE(client.read().has_value());
            all->ended.put(1);
            return {};
        });
        auto client = connect_to(network.address());
        ASSERT_TRUE(all->began.take().has_value());
        const mnet::farewell farewell = network.stop(within(20ms));
        EXPECT_FALSE(farewell.complete());
        EXPECT_EQ(farewell.handlers_left, 1U);
    }
    all->release.put(1);
    EXPECT_TRUE(all->ended.take().has_value());
}

// Waiting for the end -----------------------------------------------------------------------------------------------------------------

TEST(WaitingForANetwork, EndsWhenAnotherThreadStopsIt) {
    auto network = echo_server(shape::message);
    std::thread stopper([&network] { (void)network.stop(); });
    EXPECT_TRUE(network.wait().has_value());
    stopper.join();
    EXPECT_TRUE(network.wait().has_value()) << "and again at once";
}

TEST(WaitingForANetwork, EndsAtItsDeadlineAndByItsToken) {
    auto network = echo_server(shape::message);
    EXPECT_EQ(error_of(network.wait({.deadline = within(1ms)})), std::errc::timed_out);
    std::stop_source source;
    const std::stop_token token = source.get_token();
    std::thread other([&source] { source.request_stop(); });
    EXPECT_EQ(error_of(network.wait({.stop = &token})), std::errc::operation_canceled);
    other.join();
    auto client = connect_to(network.address());
    expect_echo(client, "still serving");
}

TEST(Networks, StopWhenTheyGo) {
    std::optional<mnet::client> client;
    {
        auto network = echo_server(shape::message);
        client.emplace(connect_to(network.address()));
        expect_echo(*client, "hello");
    }
    EXPECT_EQ(error_of(client->read(soon_enough)), errc::end_of_stream);
}

TEST(Networks, StopTheOneTheyReplace) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    network = echo_server(shape::coroutine);
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    auto other = connect_to(network.address());
    expect_echo(other, "hello");
}

TEST(Networks, RemoveTheSocketFileThatTheyMade) {
    const std::string address = fresh_address(carrier::unix_path);
    const std::string path = address.substr(std::string("unix://").size());
    {
        auto network = *listen_echo(shape::message, {.address = address});
        EXPECT_EQ(::access(path.c_str(), F_OK), 0);
    }
    EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

TEST(Networks, OfSeveralLoopsServeAndStopOnEveryCarrier) {
    for (const carrier what : all_carriers) {
        for (const shape how : all_shapes) {
            auto network = *listen_echo(how, {.address = fresh_address(what), .loops = 3});
            std::vector<mnet::client> clients;
            for (int count = 0; count < 12; ++count) clients.push_back(connect_to(network.address()));
            for (auto& each : clients) expect_echo(each, "hello");
            const mnet::farewell farewell = network.stop();
            EXPECT_TRUE(farewell.complete());
            EXPECT_EQ(farewell.clients_drained, 12U);
        }
    }
}

}  // namespace
}  // namespace mtcp_test
