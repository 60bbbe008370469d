// Every form in which our API is meant to stand in a co_await expression, with all that it takes made in place: under the address sanitizer
// a temporary that is destroyed twice (docs/adr/0003, tests/compiler/co_await_temporaries.cpp) shows here.
#include "servers.hpp"

#include <mnet/mnet.hpp>

#include <gtest/gtest.h>

#include <stop_token>
#include <string>
#include <type_traits>

namespace mtcp_test {
namespace {

namespace mtcp = mnet::mtcp;
using mnet::within;
using namespace std::chrono_literals;

static_assert(std::is_trivially_destructible_v<mnet::operation>);
static_assert(std::is_trivially_destructible_v<mnet::deadline>);
static_assert(std::is_trivially_destructible_v<mtcp::connect_options>);
static_assert(std::is_trivially_destructible_v<mnet::message>);

const std::string long_enough_to_be_allocated(100, 'x');

mnet::task<std::string> ask(mnet::client& client, std::string question, std::stop_token token) {
    if (!client.send(question)) co_return "not sent";
    if (!co_await client.async_flush({.deadline = within(patience), .stop = &token})) co_return "not flushed";
    const auto answer = co_await client.async_read({.deadline = within(patience), .stop = &token});
    co_return answer ? std::string(answer->text()) : answer.error().message();
}

mnet::task<int> use_every_form(mtcp::loop& loop, std::string address) {
    int rounds = 0;
    for (; rounds < 10; ++rounds) {
        auto client = co_await mtcp::async_connect(loop, std::string(address), {.dial_timeout = patience, .dead_after = 10s});
        if (!client) co_return -1;
        const auto answer = co_await ask(*client, std::string(long_enough_to_be_allocated), std::stop_source().get_token());
        if (answer != long_enough_to_be_allocated) co_return -2;
        if ((co_await client->async_read({.deadline = within(1ms)})).error() != std::errc::timed_out) co_return -3;
        if (!(co_await client->async_close({.deadline = within(patience)})).complete()) co_return -4;
        if ((co_await mtcp::async_connect(loop, "nonsense " + address, {.dead_after = 10s})).has_value()) co_return -5;
    }
    co_return rounds;
}

mnet::task<mnet::result<>> relay_once(mnet::client& client, std::string upstream) {
    auto beyond = co_await mtcp::async_connect(client, std::string(upstream), {.dead_after = 10s});
    if (!beyond) co_return mnet::failure(beyond.error());
    auto question = co_await client.async_read({.deadline = within(patience)});
    if (!question) co_return mnet::failure(question.error());
    co_return client.send(co_await ask(*beyond, std::string(question->text()), std::stop_token()));
}

TEST(CoAwaitForms, OfAClientOnALoopDestroyTheirTemporariesOnce) {
    auto network = echo_server(shape::coroutine);
    auto loop = mtcp::loop::make();
    ASSERT_TRUE(loop.has_value());
    EXPECT_EQ(loop->run(use_every_form(*loop, network.address())), 10);
}

TEST(CoAwaitForms, OfAHandlerDestroyTheirTemporariesOnce) {
    auto upstream = echo_server(shape::message);
    auto proxy = serve([address = upstream.address()](mnet::client& client) { return relay_once(client, address); });
    auto client = connect_to(proxy.address());
    expect_echo(client, long_enough_to_be_allocated);
}

}  // namespace
}  // namespace mtcp_test
