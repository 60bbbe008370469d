// A loop that a program runs itself: turns that don't wait, what it tells of itself, and what writing outside of its turns leaves behind.
#include "servers.hpp"

#include <chrono>
#include <optional>

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;

mnet::task<> dial_one(mnet::mtcp::loop& loop, const std::string& address, std::optional<mnet::client>& target) {
    auto connected = co_await mnet::mtcp::async_connect(loop, address, {.shared_memory = mnet::mtcp::sharing::off});
    if (connected) target.emplace(*std::move(connected));
}

mnet::task<> read_one(mnet::client& client, std::string& answer) {
    auto message = co_await client.async_read();
    answer = message ? message->text() : "failed";
}

TEST(Loop, DoesNotWaitBeyondTheDeadlineOfATurn) {
    auto loop = *mnet::mtcp::loop::make();
    for (int count = 0; count < 100; ++count) loop.turn(mnet::within(0s));  // nothing ever happens on it
    loop.turn(mnet::within(1ms));
    loop.turn(mnet::deadline::at(std::chrono::steady_clock::now() - 1h));
    SUCCEED();
}

TEST(Loop, CanBePolledByAProgramWithALoopOfItsOwn) {
    auto network = echo_server(shape::message);
    auto loop = *mnet::mtcp::loop::make();
    std::optional<mnet::client> client;
    loop.run(dial_one(loop, network.address(), client));
    ASSERT_TRUE(client.has_value());
    ASSERT_TRUE(client->send("hello").has_value());
    std::string answer;
    auto reading = read_one(*client, answer);
    reading.start({});
    EXPECT_TRUE(eventually([&] {
        loop.turn(mnet::within(0s));
        return !answer.empty();
    }));
    EXPECT_EQ(answer, "hello");
}

TEST(Loop, TellsWhatItsClientsHaveDone) {
    auto network = echo_server(shape::message);
    auto loop = *mnet::mtcp::loop::make();
    std::optional<mnet::client> client;
    loop.run(dial_one(loop, network.address(), client));
    ASSERT_TRUE(client.has_value());
    ASSERT_TRUE(client->send("hello").has_value());
    std::string answer;
    loop.run(read_one(*client, answer));
    for (const auto& told : {loop.statistics(), client->loop_statistics()}) {
        EXPECT_EQ(told.messages_sent, 1U);
        EXPECT_EQ(told.messages_received, 1U);
        EXPECT_EQ(told.wire_bytes_received, 9U);
        EXPECT_GT(told.system_calls, 0U);
    }
}

TEST(Loop, LendsNoWindowToAClientThatHasFlushedOutsideOfATurn) {
    auto network = echo_server(shape::message);
    auto loop = *mnet::mtcp::loop::make(mnet::mtcp::engine::epoll);
    std::optional<mnet::client> client;
    loop.run(dial_one(loop, network.address(), client));
    ASSERT_TRUE(client.has_value());
    ASSERT_TRUE(client->send("hello").has_value());
    EXPECT_GT(loop.statistics().memory_in_use_bytes, 0U);
    ASSERT_TRUE(client->flush().has_value());
    EXPECT_EQ(loop.statistics().memory_in_use_bytes, 0U);
}

}  // namespace
}  // namespace mtcp_test
