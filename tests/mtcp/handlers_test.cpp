// What a handler may do wrong, or suffer: it costs its own client and nothing else.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <csignal>
#include <sys/socket.h>

#include <atomic>
#include <stdexcept>

namespace mtcp_test {
namespace {

using mnet::errc;

mnet::task<mnet::result<>> throw_at_once(mnet::client&) {
    throw std::runtime_error("at once");
    co_return {};
}

mnet::task<mnet::result<>> throw_when_told(mnet::client& client) {
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        if (message->text() == "throw") throw std::runtime_error("when told");
        if (auto sent = client.send(message->bytes()); !sent) co_return sent;
    }
}

mnet::task<int> throw_below(mnet::client& client) {
    (void)co_await client.async_read();
    throw std::runtime_error("below");
}

mnet::task<mnet::result<>> throw_from_below(mnet::client& client) {
    (void)co_await throw_below(client);
    co_return {};
}

mnet::result<> throw_when_told_blocking(mnet::client& client) {
    for (;;) {
        auto message = client.read();
        if (!message) return mnet::failure(message.error());
        if (message->text() == "throw") throw std::runtime_error("when told");
        if (auto sent = client.send(message->bytes()); !sent) return sent;
    }
}

template <typename Handler>
void expect_a_throw_to_cost_one_client(Handler handler) {
    auto network = serve(handler);
    auto other = connect_to(network.address());
    expect_echo(other, "before");
    auto client = connect_to(network.address());
    expect_echo(client, "before");
    ASSERT_TRUE(client.send("throw").has_value());
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    expect_echo(other, "after");
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 1; }));
    EXPECT_EQ(network.statistics().handlers_threw, 1U);
    EXPECT_EQ(network.statistics().clients_failed, 1U);
}

TEST(HandlerThatThrows, CostsItsOwnClientOnlyAsACoroutine) { expect_a_throw_to_cost_one_client(throw_when_told); }

TEST(HandlerThatThrows, CostsItsOwnClientOnlyAsABlockingFunction) { expect_a_throw_to_cost_one_client(throw_when_told_blocking); }

TEST(HandlerThatThrows, BeforeItEverWaitsClosesItsClient) {
    auto network = serve(throw_at_once);
    auto client = connect_to(network.address());
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().handlers_threw, 1U);
}

TEST(HandlerThatThrows, BeforeItsCoroutineIsMadeClosesItsClient) {
    auto network = serve([](mnet::client&) -> mnet::task<mnet::result<>> { throw std::runtime_error("no coroutine"); });
    auto client = connect_to(network.address());
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().handlers_threw, 1U);
}

TEST(HandlerThatThrows, FromACoroutineBelowClosesItsClient) {
    auto network = serve(throw_from_below);
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("go").has_value());
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().handlers_threw, 1U);
}

TEST(HandlerThatThrows, StillSendsWhatItHadCommitted) {
    auto network = serve([](mnet::client& client) -> mnet::result<> {
        (void)client.send("last words");
        throw std::runtime_error("after");
    });
    auto client = connect_to(network.address());
    const auto last = client.read(soon_enough);
    ASSERT_TRUE(last.has_value()) << last.error().message();
    EXPECT_EQ(last->text(), "last words");
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
}

// Closing inside ------------------------------------------------------------------------------------------------------------------

mnet::task<mnet::result<>> close_inside(mnet::client& client) {
    (void)co_await client.async_read();
    (void)client.send("bye");
    (void)client.close();
    const auto after = co_await client.async_read();
    EXPECT_EQ(error_of(after), errc::already_closed);
    EXPECT_EQ(error_of(client.send("too late")), errc::already_closed);
    EXPECT_FALSE(client.live());
    co_return {};
}

mnet::task<mnet::result<>> async_close_inside(mnet::client& client) {
    (void)co_await client.async_read();
    (void)client.send("bye");
    const mnet::delivery delivery = co_await client.async_close();
    EXPECT_TRUE(delivery.complete());
    EXPECT_EQ(delivery.bytes_acknowledged, frame("bye").size());
    EXPECT_EQ(error_of(client.send("too late")), errc::already_closed);
    co_return {};
}

mnet::result<> close_inside_blocking(mnet::client& client) {
    (void)client.read();
    (void)client.send("bye");
    EXPECT_TRUE(client.close().complete());
    EXPECT_EQ(error_of(client.read()), errc::already_closed);
    EXPECT_EQ(error_of(client.send("too late")), errc::already_closed);
    EXPECT_FALSE(client.live());
    return {};
}

template <typename Handler>
void expect_closing_inside_to_work(Handler handler) {
    auto network = serve(handler);
    auto client = connect_to(network.address());
    for (int count = 0; count < 3; ++count) ASSERT_TRUE(client.send("three at once").has_value());
    const auto last = client.read(soon_enough);
    ASSERT_TRUE(last.has_value()) << last.error().message();
    EXPECT_EQ(last->text(), "bye");
    EXPECT_FALSE(client.read(soon_enough).has_value());
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().clients_failed, 0U);
    EXPECT_EQ(network.statistics().handlers_threw, 0U);
}

TEST(CloseInsideAHandler, WorksInACoroutine) { expect_closing_inside_to_work(close_inside); }

TEST(CloseInsideAHandler, WorksInACoroutineThatAwaitsIt) { expect_closing_inside_to_work(async_close_inside); }

TEST(CloseInsideAHandler, WorksInABlockingFunction) { expect_closing_inside_to_work(close_inside_blocking); }

TEST(CloseInsideAHandler, WorksInAMessageHandlerWhichIsNotCalledAgain) {
    std::atomic<int> calls = 0;
    expect_closing_inside_to_work([&calls](mnet::client& client, mnet::message message) noexcept {
        ++calls;
        EXPECT_EQ(message.text(), "three at once");
        (void)client.send("bye");
        (void)client.close();
        EXPECT_EQ(error_of(client.send("too late")), errc::already_closed);
        EXPECT_FALSE(client.live());
    });
    EXPECT_EQ(calls, 1);
}

// A writer kept past close ----------------------------------------------------------------------------------------------------------

TEST(WriterKeptPastClose, SaysAlreadyClosedInAMessageHandler) {
    channel<std::error_code> told;
    auto network = serve([&told](mnet::client& client, mnet::message) noexcept {
        auto writer = client.write(1000);
        writer->append("half");
        (void)client.close();
        told.put(error_of(writer->append(" and half").commit()));
    });
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("go").has_value());
    ASSERT_TRUE(client.flush().has_value());
    EXPECT_EQ(told.take(), make_error_code(errc::already_closed));
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
}

mnet::task<mnet::result<>> keep_a_writer(mnet::client& client, channel<std::error_code>& told) {
    auto writer = client.write(1000);
    writer->append("half");
    (void)co_await client.async_close();
    told.put(error_of(writer->append(" and half").commit()));
    co_return {};
}

TEST(WriterKeptPastClose, SaysAlreadyClosedInACoroutine) {
    channel<std::error_code> told;
    auto network = serve([&told](mnet::client& client) { return keep_a_writer(client, told); });
    auto client = connect_to(network.address());
    EXPECT_EQ(told.take(), make_error_code(errc::already_closed));
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
}

TEST(WriterKeptPastClose, SaysAlreadyClosedToAClientsOwner) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    auto writer = client.write(1000);
    ASSERT_TRUE(writer.has_value());
    writer->append("half");
    (void)client.close();
    EXPECT_EQ(error_of(writer->append(" and half").commit()), errc::already_closed);
}

TEST(WriterKeptPastClose, MayBeDiscardedToo) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    {
        auto writer = client.write(1000);
        ASSERT_TRUE(writer.has_value());
        (void)client.close();
    }
    EXPECT_EQ(client.statistics().messages_sent, 0U);
}

// Broken pipes ----------------------------------------------------------------------------------------------------------------------

TEST(BrokenPipe, IsAnErrorAndNeverASignal) {
    const auto before = std::signal(SIGPIPE, SIG_DFL);  // would end the program
    raw_listener listener;
    auto client = connect_to(listener.address());
    listener.accept().reset();
    mnet::result<> flushed;
    ASSERT_TRUE(eventually([&] {
        (void)client.send("into the void");
        flushed = client.flush();
        return !flushed;
    }));
    EXPECT_TRUE(flushed.error() == std::errc::broken_pipe || flushed.error() == std::errc::connection_reset) << flushed.error().message();
    EXPECT_EQ(error_of(client.flush()), flushed.error()) << "what ended a connection is said again";
    EXPECT_FALSE(client.live());
    (void)client.close();
    (void)std::signal(SIGPIPE, before);
}

TEST(BrokenPipe, CostsAServerOneClient) {
    const auto before = std::signal(SIGPIPE, SIG_DFL);
    for (const shape how : all_shapes) {
        auto network = echo_server(how);
        auto other = connect_to(network.address());
        for (int count = 0; count < 20; ++count) {
            raw_peer peer(network.address());
            for (int messages = 0; messages < 10; ++messages) peer.send(frame(pattern(10'000)));
            peer.reset();
        }
        expect_echo(other, "still there");
        EXPECT_TRUE(eventually([&] { return network.statistics().clients == 1; }));
    }
    (void)std::signal(SIGPIPE, before);
}

}  // namespace
}  // namespace mtcp_test
