// Closing drains until its deadline, and gives an exact account; half-closed peers still get their answers.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <optional>
#include <semaphore>
#include <thread>

namespace mtcp_test {
namespace {

using mnet::errc;
using mnet::within;
using namespace std::chrono_literals;

class Closing : public EveryCarrier {
protected:
    raw_listener listener{fresh_address(GetParam())};
    std::optional<mnet::client> client{connect_to(listener.address())};
    raw_peer peer = listener.accept();
};
FOR_EVERY_CARRIER(Closing);

TEST_P(Closing, SendsWhatIsCommittedAndSaysThatItArrived) {
    ASSERT_TRUE(client->send("last").has_value());
    ASSERT_TRUE(client->send("words").has_value());
    const mnet::delivery delivery = client->close();
    EXPECT_TRUE(delivery.complete());
    EXPECT_EQ(delivery.bytes_acknowledged, frame("last").size() + frame("words").size());
    EXPECT_EQ(delivery.bytes_unacknowledged, 0U);
    EXPECT_EQ(delivery.bytes_unsent, 0U);
    EXPECT_EQ(delivery.messages_unsent, 0U);
    EXPECT_EQ(text_of(peer.receive_message()), "last");
    EXPECT_EQ(text_of(peer.receive_message()), "words");
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_FALSE(peer.was_reset());
}

TEST_P(Closing, TwiceTellsTheSameAgain) {
    ASSERT_TRUE(client->send("hello").has_value());
    const mnet::delivery first = client->close();
    const mnet::delivery second = client->close();
    EXPECT_TRUE(first.complete());
    EXPECT_TRUE(second.complete());
    EXPECT_EQ(second.bytes_acknowledged, first.bytes_acknowledged);
}

TEST_P(Closing, MakesEveryFurtherCallSayAlreadyClosed) {
    peer.send(frame("unread"));
    (void)client->close();
    EXPECT_FALSE(client->live());
    EXPECT_EQ(error_of(client->try_read()), errc::already_closed);
    EXPECT_EQ(error_of(client->read()), errc::already_closed);
    EXPECT_EQ(error_of(client->write(1)), errc::already_closed);
    EXPECT_EQ(error_of(client->send("x")), errc::already_closed);
    EXPECT_EQ(error_of(client->flush()), errc::already_closed);
    EXPECT_FALSE(client->explain().empty());
}

TEST_P(Closing, GivesUpAtItsDeadlineWithAnExactAccountWhenThePeerNeverReads) {
    constexpr std::size_t message_bytes = 50'000;
    constexpr std::size_t frame_bytes = message_bytes + mnet::wire::header_bytes;
    std::uint64_t committed = 0;
    while (client->send(pattern(message_bytes))) ++committed;
    const mnet::delivery delivery = client->close({.deadline = within(5ms)});
    EXPECT_FALSE(delivery.complete());
    EXPECT_FALSE(delivery.pending);
    const std::uint64_t taken = client->statistics().wire_bytes_sent;
    EXPECT_EQ(delivery.bytes_unsent, committed * frame_bytes - taken);
    EXPECT_EQ(delivery.messages_unsent, committed - taken / frame_bytes);
    EXPECT_EQ(delivery.bytes_acknowledged + delivery.bytes_unacknowledged, taken);
    const mnet::delivery again = client->close();
    EXPECT_EQ(again.bytes_unsent, delivery.bytes_unsent);
    EXPECT_EQ(again.messages_unsent, delivery.messages_unsent);
}

TEST_P(Closing, GivesUpByItsStopToken) {
    while (client->send(pattern(50'000))) {
    }
    std::stop_source source;
    const std::stop_token token = source.get_token();
    std::thread other([&source] { source.request_stop(); });
    EXPECT_FALSE(client->close({.stop = &token}).complete());
    other.join();
}

TEST_P(Closing, WaitsForAPeerThatReadsLate) {
    std::uint64_t committed = 0;
    while (client->send(pattern(50'000))) ++committed;
    std::thread late([this, committed] {
        for (std::uint64_t count = 0; count < committed; ++count) ASSERT_TRUE(peer.receive_message() == pattern(50'000));
        EXPECT_EQ(peer.receive_to_end(), bytes{});
    });
    EXPECT_TRUE(client->close(soon_enough).complete());
    late.join();
}

TEST_P(Closing, OfAConnectionThatWasResetSaysWhatNeverLeft) {
    std::uint64_t committed = 0;
    while (client->send(pattern(50'000))) ++committed;
    peer.reset();
    const mnet::delivery delivery = client->close(soon_enough);
    EXPECT_FALSE(delivery.complete());
    EXPECT_EQ(delivery.bytes_unsent, committed * 50'004 - client->statistics().wire_bytes_sent);
    EXPECT_GT(delivery.messages_unsent, 0U);
}

TEST_P(Closing, HappensWhenTheClientGoes) {
    ASSERT_TRUE(client->send("last words").has_value());
    client.reset();
    EXPECT_EQ(text_of(peer.receive_message()), "last words");
    EXPECT_EQ(peer.receive_to_end(), bytes{});
}

TEST_P(Closing, TakesNoLastWordsAwayFromAPeerThatIsSending) {
    (void)peer.send_what_fits(bytes(100'000));
    ASSERT_TRUE(client->send("last words").has_value());
    EXPECT_TRUE(client->close(soon_enough).complete());
    EXPECT_EQ(text_of(peer.receive_message()), "last words");
}

TEST_P(Closing, OfAServedClientByItsHandlersEndDrainsForASlowReader) {
    std::binary_semaphore refused{0};
    auto network = serve(
        [&refused](mnet::client& served) -> mnet::result<> {
            while (served.send(pattern(50'000))) {
            }
            refused.release();
            return {};
        },
        {.address = fresh_address(GetParam()), .unsent_bytes_max = std::size_t{1} << 20});
    raw_peer reader(network.address());
    ASSERT_TRUE(refused.try_acquire_for(patience));  // who reads meanwhile is never so far behind
    std::uint64_t messages = 0;
    for (;; ++messages) {
        const bytes message = reader.receive_message();
        if (message.empty()) break;
        ASSERT_TRUE(message == pattern(50'000));
    }
    EXPECT_GE(messages * 50'004, std::uint64_t{1} << 20);
    EXPECT_FALSE(reader.was_reset());
    EXPECT_TRUE(eventually([&] { return network.statistics().messages_sent == messages; }));
}

// Half-close -------------------------------------------------------------------------------------------------------------------------

class HalfClose : public EveryShapeAndCarrier {
protected:
    endings ends{};
    mnet::mtcp::network network = echo_server(how(), what(), &ends);
    raw_peer peer{network.address()};
};
FOR_EVERY_SHAPE_AND_SOCKET(HalfClose);

TEST_P(HalfClose, APeerThatFinishedSendingStillGetsItsAnswers) {
    for (const char* const text : {"one", "two", "three"}) peer.send(frame(text));
    peer.finish();
    for (const char* const text : {"one", "two", "three"}) EXPECT_EQ(text_of(peer.receive_message()), text);
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    EXPECT_FALSE(peer.was_reset());
    if (how() != shape::message) {
        EXPECT_EQ(ends.take(), make_error_code(errc::end_of_stream));
    }
}

TEST_P(HalfClose, APeerThatFinishedSendingGetsAnswersThatFillItsSocketsToo) {
    constexpr int messages = 30;
    std::thread sender([this] {
        for (int count = 0; count < messages; ++count) peer.send(frame(pattern(200'000)));
        peer.finish();
    });
    for (int count = 0; count < messages; ++count) ASSERT_TRUE(peer.receive_message() == pattern(200'000)) << count;
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    sender.join();
}

TEST_P(HalfClose, LeavesAClientLiveThatCanStillBeWrittenTo) {
    raw_listener listener(fresh_address(what()));
    auto client = connect_to(listener.address());
    raw_peer accepted = listener.accept();
    accepted.finish();
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::end_of_stream);
    EXPECT_TRUE(client.live());
    ASSERT_TRUE(client.send("still").has_value());
    ASSERT_TRUE(client.flush().has_value());
    EXPECT_EQ(text_of(accepted.receive_message()), "still");
}

}  // namespace
}  // namespace mtcp_test
