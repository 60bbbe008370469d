// Clients that return by themselves (connect_options::reconnect), over every transport and on real sockets; what they are held to under every
// misfortune is in tests/simulation/reconnecting_test.cpp.
#include "resources.hpp"
#include "servers.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;
using mnet::errc;
using mnet::mtcp::reconnect_policy;

constexpr mnet::mtcp::reconnect_options soon(reconnect_policy policy) { return {.policy = policy, .delay_first = 1ms, .delay_max = 20ms}; }

/// A server that goes, and comes back at the same address.
class Returning : public EveryShapeAndCarrier {
protected:
    void open() {
        mnet::mtcp::listen_options options{.address = address_};
        secure_if_asked(options);
        auto opened = listen_echo(how(), options);
        ASSERT_TRUE(opened.has_value()) << opened.error().message();
        network_.emplace(*std::move(opened));
    }
    void go() { network_.reset(); }

    std::optional<mnet::mtcp::network> network_{echo_server(how(), what())};
    const std::string address_ = network_->address();
};
FOR_EVERY_SHAPE_AND_CARRIER(Returning);

TEST_P(Returning, ABlockingClientFailsFastAndReads) {
    auto client = connect_to(address_, {.reconnect = soon(reconnect_policy::fail_fast)});
    expect_echo(client, "before");
    go();
    while (client.send("lost") && client.flush({.deadline = mnet::within(patience)})) {
    }
    open();
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), errc::reconnected);
    expect_echo(client, "after");
    EXPECT_EQ(client.transport(), transport_of(what()));
    EXPECT_EQ(client.statistics().reconnects, 1U);
    EXPECT_TRUE(client.close().complete());
}

TEST_P(Returning, ABlockingClientThatOnlyWritesIsToldBeforeItsMessageIsTaken) {
    auto client = connect_to(address_, {.reconnect = soon(reconnect_policy::fail_fast)});
    expect_echo(client, "before");
    go();
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(20ms)})), std::errc::timed_out);
    open();
    mnet::result<> sent;
    EXPECT_TRUE(eventually([&] { return (sent = client.send("refused")) || sent.error() != errc::reconnecting; }));
    EXPECT_EQ(error_of(sent), errc::reconnected);
    expect_echo(client, "after");
}

TEST_P(Returning, ABlockingClientKeepsWhatItWritesAndSendsIt) {
    auto client = connect_to(address_, {.reconnect = soon(reconnect_policy::buffer)});
    expect_echo(client, "before");
    go();
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(20ms)})), std::errc::timed_out);
    for (int number = 0; number < 100; ++number) ASSERT_TRUE(client.send(std::to_string(number)));
    EXPECT_GT(client.unsent_bytes(), 0U);
    open();
    ASSERT_TRUE(client.flush({.deadline = mnet::within(patience)}));
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), errc::reconnected);
    for (int number = 0; number < 100; ++number) EXPECT_EQ(next_text(client), std::to_string(number));
}

TEST_P(Returning, APollingClientIsThereAgain) {
    auto client = connect_to(address_, {.reconnect = soon(reconnect_policy::fail_fast)});
    expect_echo(client, "before");
    go();
    EXPECT_EQ(error_of(client.try_read()), errc::no_data_yet);
    open();
    EXPECT_TRUE(eventually([&] { return error_of(client.try_read()) == errc::reconnected; }));
    expect_echo(client, "after");
}

/// What it is told, on the one thread of a blocking client.
struct log_of_events final : mnet::observer {
    void connected(const mnet::observed&) noexcept override { told.emplace_back(); }
    void closed(const mnet::observed&, std::error_code why, const mnet::delivery&) noexcept override { told.push_back(why); }

    std::vector<std::error_code> told{};  // nothing for `connected`
};

TEST_P(Returning, AnObserverIsToldOfTheLossAndWhyAndOfTheReturn) {
    log_of_events events;
    auto client = connect_to(address_, {.reconnect = soon(reconnect_policy::fail_fast), .observer = &events});
    expect_echo(client, "before");
    go();
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(20ms)})), std::errc::timed_out);
    open();
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), errc::reconnected);
    EXPECT_TRUE(client.close().complete());
    const std::vector<std::error_code> expected{{}, errc::end_of_stream, {}, errc::already_closed};
    EXPECT_EQ(events.told, expected);
}

mnet::task<bool> return_on_a_loop(mnet::mtcp::loop& loop, std::string address, channel<int>& steps, channel<int>& orders) {
    const mnet::mtcp::connect_options options = {.reconnect = soon(reconnect_policy::buffer), .tls = tls_for(address)};
    auto client = co_await mnet::mtcp::async_connect(loop, address, options);
    if (!client || !client->send("before")) co_return false;
    const auto before = co_await client->async_read();
    if (!before) co_return false;
    steps.put(0);
    (void)orders.take();  // the server is gone
    const auto nothing = co_await client->async_read({.deadline = mnet::within(20ms)});
    if (error_of(nothing) != std::errc::timed_out) co_return false;
    if (!client->send("kept")) co_return false;
    steps.put(1);
    const auto flushed = co_await client->async_flush();
    if (!flushed) co_return false;
    const auto told = co_await client->async_read();
    if (error_of(told) != errc::reconnected) co_return false;
    const auto kept = co_await client->async_read();
    co_return kept && kept->text() == "kept" && client->statistics().reconnects == 1;
}

TEST_P(Returning, ACoroutineIsThereAgainWithWhatItWrote) {
    channel<int> steps;
    channel<int> orders;
    bool returned = false;
    std::thread other([&] {
        auto loop = mnet::mtcp::loop::make();
        returned = loop->run(return_on_a_loop(*loop, address_, steps, orders));
        steps.put(2);
    });
    (void)steps.take();
    go();
    orders.put(0);
    if (steps.take() == 1) open();
    other.join();
    EXPECT_TRUE(returned);
}

// A thousand ----------------------------------------------------------------------------------------------------------------------

struct account {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    std::uint64_t reported = 0;  // unanswered at a return, or by the end
    std::atomic<int> returns = 0;
};

/// Asks one question after the other, until it is told to stop: each is answered, or a return is told.
mnet::task<void> ask_until(mnet::mtcp::loop& loop, std::string address, const std::atomic<bool>& enough, account& all,
                           std::atomic<std::size_t>& there) {
    const mnet::mtcp::connect_options options = {
        .reconnect = {.policy = reconnect_policy::fail_fast, .delay_first = 50ms, .delay_max = 500ms},
        .shared_memory = mnet::mtcp::sharing::off};
    auto client = co_await mnet::mtcp::async_connect(loop, address, options);
    if (!client) co_return;
    std::uint64_t number = 0;
    bool is_there = false;
    while (!enough || !is_there) {
        const std::string question = std::to_string(++number);
        const auto sent = client->send(question);
        if (!sent) {
            if (std::exchange(is_there, false)) --there;
            std::error_code told = sent.error();
            if (told == errc::reconnecting) {
                const auto nothing = co_await client->async_read();
                told = error_of(nothing);
            }
            if (told == errc::reconnected) ++all.returns;
            continue;
        }
        ++all.asked;
        const auto answer = co_await client->async_read();
        if (answer && answer->text() == question) {
            ++all.answered;
            if (!std::exchange(is_there, true)) ++there;
        } else if (error_of(answer) == errc::reconnected) {
            ++all.reported;
            ++all.returns;
            if (std::exchange(is_there, false)) --there;
        } else {
            co_return;  // neither: the test says so
        }
    }
}

TEST(ReturningThousand, ComeBackToAServerThatRestartsAndLoseNothingSilently) {
    const std::size_t clients = std::min<std::size_t>(1000, raise_descriptor_limit() / 4);
    constexpr int restarts = 3;
    std::optional<mnet::mtcp::network> network(echo_server(shape::message));
    const std::string address = network->address();
    std::vector<account> accounts(clients);
    std::atomic<bool> enough = false;
    std::atomic<std::size_t> there = 0;
    std::size_t left = clients;
    std::thread crowd([&] {
        auto loop = mnet::mtcp::loop::make();
        std::vector<mnet::task<void>> all;
        for (account& each : accounts) all.push_back(ask_until(*loop, address, enough, each, there));
        for (auto& each : all) each.start({[](void* count) noexcept { --*static_cast<std::size_t*>(count); }, &left});
        while (left > 0) loop->turn();
    });
    const auto all_are_there = [&] { return there == clients; };
    for (int restart = 0; restart < restarts; ++restart) {
        EXPECT_TRUE(eventually(all_are_there)) << there << " of " << clients << " are there";
        network.reset();
        auto again = listen_echo(shape::message, {.address = address, .shared_memory = mnet::mtcp::sharing::off});
        ASSERT_TRUE(again.has_value()) << again.error().message();
        network.emplace(*std::move(again));
        EXPECT_TRUE(eventually([&] { return std::ranges::all_of(accounts, [&](const account& each) { return each.returns > restart; }); }));
    }
    EXPECT_TRUE(eventually(all_are_there)) << there << " of " << clients << " are there";
    enough = true;
    crowd.join();
    account sum;
    for (const account& each : accounts) {
        sum.asked += each.asked;
        sum.answered += each.answered;
        sum.reported += each.reported;
    }
    EXPECT_EQ(sum.answered + sum.reported, sum.asked);
    EXPECT_GT(sum.answered, clients * restarts);
}

}  // namespace
}  // namespace mtcp_test
