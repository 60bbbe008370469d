// Reading with and without waiting: what is there, deadlines, stop tokens, and that whatever waits flushes first.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <stop_token>
#include <thread>

namespace mtcp_test {
namespace {

using mnet::errc;
using mnet::within;
using namespace std::chrono_literals;

/// A client, and the bare socket that it is connected to.
class Reading : public EveryCarrier {
protected:
    raw_listener listener{fresh_address(GetParam())};
    mnet::client client = connect_to(listener.address());
    raw_peer peer = listener.accept();
};
FOR_EVERY_CARRIER(Reading);

TEST_P(Reading, TryReadSaysNoDataYetUntilAWholeMessageIsThere) {
    EXPECT_EQ(error_of(client.try_read()), errc::no_data_yet);
    peer.send(frame("hello"));
    ASSERT_TRUE(client.wait(soon_enough).has_value());
    const auto message = client.try_read();
    ASSERT_TRUE(message.has_value());
    EXPECT_EQ(message->text(), "hello");
    EXPECT_EQ(error_of(client.try_read()), errc::no_data_yet);
}

TEST_P(Reading, EndsAtItsDeadlineAndGoesOnAfterwards) {
    EXPECT_EQ(error_of(client.read({.deadline = within(1ms)})), std::errc::timed_out);
    EXPECT_EQ(error_of(client.read({.deadline = mnet::deadline::at(std::chrono::steady_clock::now() + 1ms)})), std::errc::timed_out);
    EXPECT_TRUE(client.live());
    peer.send(frame("late"));
    EXPECT_EQ(next_text(client), "late");
}

TEST_P(Reading, DoesNotWaitWhenItsDeadlineIsNowOrOver) {
    EXPECT_EQ(error_of(client.read({.deadline = within(0s)})), std::errc::timed_out);
    EXPECT_EQ(error_of(client.read({.deadline = within(-1s)})), std::errc::timed_out);
    peer.send(frame("there"));
    ASSERT_TRUE(client.wait(soon_enough).has_value());
    EXPECT_EQ(client.read({.deadline = within(-1s)})->text(), "there");
}

TEST_P(Reading, IsCanceledFromAnotherThreadAndGoesOnAfterwards) {
    std::stop_source source;
    const std::stop_token token = source.get_token();
    std::thread other([&source] { source.request_stop(); });
    EXPECT_EQ(error_of(client.read({.stop = &token})), std::errc::operation_canceled);
    other.join();
    EXPECT_TRUE(client.live());
    peer.send(frame("late"));
    EXPECT_EQ(next_text(client), "late");
}

TEST_P(Reading, DoesNotWaitWhenItsTokenWasStoppedBefore) {
    std::stop_source source;
    source.request_stop();
    const std::stop_token token = source.get_token();
    EXPECT_EQ(error_of(client.read({.stop = &token})), std::errc::operation_canceled);
}

/// Of a peer that polls, each answer comes before the reader would sleep.
TEST(ReadingAnswers, IsCanceledThoughEachComesAtOnce) {
    auto network = serve([](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); },
                         {.address = "127.0.0.1:0", .spin = 1s});
    auto asking = connect_to(network.address(), {.spin = 1s});
    std::stop_source source;
    const std::stop_token token = source.get_token();
    std::error_code why{};
    std::uint64_t answers = 0;
    while (!why) {
        ASSERT_TRUE(asking.send("again").has_value());
        const auto answer = asking.read({.stop = &token});
        if (!answer) why = answer.error();
        if (answer && ++answers == 1000) source.request_stop();
    }
    EXPECT_EQ(why, std::errc::operation_canceled);
}

TEST_P(Reading, ATimedOutReadLosesNothingOfAFrameInPieces) {
    const bytes whole = frame("in three pieces");
    peer.send(std::span(whole).first(2));
    EXPECT_EQ(error_of(client.read({.deadline = within(1ms)})), std::errc::timed_out);
    peer.send(std::span(whole).subspan(2, 7));
    EXPECT_EQ(error_of(client.read({.deadline = within(1ms)})), std::errc::timed_out);
    peer.send(std::span(whole).subspan(9));
    EXPECT_EQ(next_text(client), "in three pieces");
}

TEST_P(Reading, WaitTakesNothingAway) {
    peer.send(frame("once"));
    ASSERT_TRUE(client.wait(soon_enough).has_value());
    ASSERT_TRUE(client.wait(soon_enough).has_value());
    EXPECT_EQ(client.try_read()->text(), "once");
}

TEST_P(Reading, WaitEndsAtItsDeadlineAndByItsToken) {
    EXPECT_EQ(error_of(client.wait({.deadline = within(1ms)})), std::errc::timed_out);
    std::stop_source source;
    const std::stop_token token = source.get_token();
    std::thread other([&source] { source.request_stop(); });
    EXPECT_EQ(error_of(client.wait({.stop = &token})), std::errc::operation_canceled);
    other.join();
}

TEST_P(Reading, WaitSaysWhyNothingComesAnyMore) {
    peer.send(frame("last"));
    peer.finish();
    EXPECT_TRUE(client.wait(soon_enough).has_value());
    EXPECT_EQ(next_text(client), "last");
    EXPECT_EQ(error_of(client.wait(soon_enough)), errc::end_of_stream);
    EXPECT_EQ(error_of(client.try_read()), errc::end_of_stream);
}

TEST_P(Reading, FlushesFirst) {
    ASSERT_TRUE(client.send("by read").has_value());
    EXPECT_EQ(error_of(client.read({.deadline = within(1ms)})), std::errc::timed_out);
    EXPECT_EQ(text_of(peer.receive_message()), "by read");
    ASSERT_TRUE(client.send("by wait").has_value());
    EXPECT_EQ(error_of(client.wait({.deadline = within(1ms)})), std::errc::timed_out);
    EXPECT_EQ(text_of(peer.receive_message()), "by wait");
}

TEST_P(Reading, SpinsFirstWhereItWasTold) {
    auto spinning = connect_to(listener.address(), {.spin = 100us});
    raw_peer other = listener.accept();
    EXPECT_EQ(error_of(spinning.read({.deadline = within(2ms)})), std::errc::timed_out);
    other.send(frame("hello"));
    EXPECT_EQ(next_text(spinning), "hello");
}

// As coroutines -----------------------------------------------------------------------------------------------------------------------

mnet::task<mnet::result<>> read_with(mnet::client& client, endings& ends, const std::stop_token& token) {
    for (;;) {
        const mnet::operation op{.deadline = within(patience), .stop = &token};
        auto message = co_await client.async_read(op);
        ends.put(error_of(message));
        if (!message) co_return {};
    }
}

TEST(AsyncReading, EndsAtItsDeadlineAndGoesOnAfterwards) {
    endings ends;
    auto network = serve([&ends](mnet::client& served) {
        return [](mnet::client& mine, endings& told) -> mnet::task<mnet::result<>> {
            for (;;) {
                auto message = co_await mine.async_read({.deadline = within(1ms)});
                if (!message && message.error() == std::errc::timed_out) {
                    if (told.size() == 0) told.put(error_of(message));
                    continue;
                }
                if (!message) co_return mnet::failure(message.error());
                (void)mine.send(message->bytes());
            }
        }(served, ends);
    });
    auto client = connect_to(network.address());
    EXPECT_EQ(ends.take(), std::make_error_code(std::errc::timed_out));
    expect_echo(client, "late");
}

TEST(AsyncReading, IsCanceledFromAnotherThread) {
    for (int round = 0; round < 20; ++round) {
        endings ends;
        std::stop_source source;
        const std::stop_token token = source.get_token();
        auto network = serve([&](mnet::client& served) { return read_with(served, ends, token); });
        auto client = connect_to(network.address());
        ASSERT_TRUE(client.send("first").has_value());
        ASSERT_TRUE(client.flush().has_value());
        EXPECT_EQ(ends.take(), std::error_code{});
        source.request_stop();
        EXPECT_EQ(ends.take(), std::make_error_code(std::errc::operation_canceled));
        EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    }
}

TEST(AsyncReading, WithATokenThatWasStoppedBeforeIsCanceled) {
    endings ends;
    std::stop_source source;
    source.request_stop();
    const std::stop_token token = source.get_token();
    auto network = serve([&](mnet::client& served) { return read_with(served, ends, token); });
    auto client = connect_to(network.address());
    EXPECT_EQ(ends.take(), std::make_error_code(std::errc::operation_canceled));
}

TEST(WaitingOnALoop, IsRefusedBecauseItWouldStopAllOfItsClients) {
    endings ends;
    auto network = serve([&ends](mnet::client& served, mnet::message) noexcept {
        ends.put(error_of(served.read()));
        ends.put(error_of(served.wait()));
    });
    auto client = connect_to(network.address());
    ASSERT_TRUE(client.send("go").has_value());
    ASSERT_TRUE(client.flush().has_value());
    EXPECT_EQ(ends.take(), make_error_code(errc::blocks_the_loop));
    EXPECT_EQ(ends.take(), make_error_code(errc::blocks_the_loop));
}

TEST(AsyncCallsOfABlockingClient, WaitInPlace) {
    auto network = serve([](mnet::client& served) -> mnet::result<> {
        auto round_trip = [](mnet::client& mine) -> mnet::task<bool> {
            auto message = co_await mine.async_read();
            if (!message || !mine.send(message->bytes())) co_return false;
            auto flushed = co_await mine.async_flush();
            auto delivery = co_await mine.async_close();
            co_return flushed.has_value() && delivery.complete();
        }(served);
        bool ended = false;
        round_trip.start({[](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &ended});
        EXPECT_TRUE(ended);
        EXPECT_TRUE(round_trip.take());
        return {};
    });
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
}

}  // namespace
}  // namespace mtcp_test
