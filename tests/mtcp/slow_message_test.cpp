// A message that has begun to arrive has to end in time (`message_timeout`): for every kind of reader, and only while it waits for the rest.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <string>
#include <thread>

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;
using mnet::errc;

constexpr std::string_view begun = "0000000f 61626364";                          // 4 of 15 bytes
constexpr std::string_view whole_and_begun = "00000002 6869 0000000f 61626364";  // and a message before it

class SlowMessage : public EveryShape {
protected:
    /// A handler of that shape, whose clients' messages have to end soon.
    mnet::mtcp::network impatient() {
        auto opened = listen_echo(GetParam(), {.address = "127.0.0.1:0", .message_timeout = 50ms}, &ends);
        EXPECT_TRUE(opened.has_value());
        return *std::move(opened);
    }
    endings ends{};
};
FOR_EVERY_SHAPE(SlowMessage);

TEST_P(SlowMessage, EndsItsConnection) {
    auto network = impatient();
    raw_peer peer(network.address());
    peer.send(begun);
    EXPECT_TRUE(peer.receive_to_end().empty());
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_failed == 1; }));
    if (GetParam() != shape::message) {
        EXPECT_EQ(ends.take(), make_error_code(errc::message_too_slow));
    }
}

TEST_P(SlowMessage, EndsItsConnectionAfterOnesThatWereInTime) {
    auto network = impatient();
    raw_peer peer(network.address());
    peer.send(whole_and_begun);
    EXPECT_EQ(text_of(peer.receive_message()), "hi");
    EXPECT_TRUE(peer.receive_to_end().empty());
    EXPECT_EQ(network.statistics().messages_received, 1U);
}

TEST_P(SlowMessage, IsOneThatComesByteByByteForEver) {
    auto network = impatient();
    raw_peer peer(network.address());
    peer.send("00100000");
    const bytes drop(1);
    while (peer.send_what_fits(drop) == 1 && network.statistics().clients_failed == 0) std::this_thread::yield();
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_failed == 1; }));
}

TEST_P(SlowMessage, IsNoneBetweenMessages) {
    auto network = impatient();
    auto patient = impatient();
    raw_peer idle(network.address());
    raw_peer slow(patient.address());
    idle.send(frame("before"));
    EXPECT_EQ(text_of(idle.receive_message()), "before");
    slow.send(begun);
    EXPECT_TRUE(slow.receive_to_end().empty());  // so long the other one has been silent by now
    idle.send(frame("after"));
    EXPECT_EQ(text_of(idle.receive_message()), "after");
}

TEST(SlowMessageOfAServer, EndsTheClientThatReadsOrPolls) {
    raw_listener listener;
    for (const bool polls : {false, true}) {
        auto client = connect_to(listener.address(), {.message_timeout = 50ms});
        auto server = listener.accept();
        server.send(whole_and_begun);
        EXPECT_EQ(next_text(client), "hi");
        std::error_code end = make_error_code(errc::no_data_yet);
        while (polls && end == errc::no_data_yet) end = error_of(client.try_read());
        if (!polls) end = error_of(client.read({.deadline = mnet::within(patience)}));
        EXPECT_EQ(end, errc::message_too_slow) << end.message();
        EXPECT_FALSE(client.live());
        EXPECT_EQ(error_of(client.try_read()), errc::message_too_slow);
    }
}

TEST(SlowMessageOfAServer, IsTimedByDeadAfterWhereNothingElseIsSaid) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.dead_after = 1s});
    auto server = listener.accept();
    server.send(begun);
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), errc::message_too_slow);
    auto careless = connect_to(listener.address(), {.dead_after = 1s, .message_timeout = 0ms});
    auto another = listener.accept();
    another.send(begun);
    EXPECT_EQ(error_of(careless.read({.deadline = mnet::within(1500ms)})), std::errc::timed_out);
}

mnet::task<std::error_code> read_one(mnet::mtcp::loop& loop, std::string address) {
    auto client = co_await mnet::mtcp::async_connect(loop, address, {.message_timeout = 50ms});
    auto message = co_await client->async_read();
    co_return error_of(message);
}

TEST(SlowMessageOfAServer, EndsTheReadOfACoroutineOnALoop) {
    raw_listener listener;
    std::thread server([&listener] {
        auto peer = listener.accept();
        peer.send(begun);
        (void)peer.receive_to_end();
    });
    auto loop = mnet::mtcp::loop::make();
    EXPECT_EQ(loop->run(read_one(*loop, listener.address())), errc::message_too_slow);
    server.join();
}

}  // namespace
}  // namespace mtcp_test
