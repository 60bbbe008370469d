// Writing in place: filling, committing, discarding; and the bounds on one message and on all that is unsent.
#include "raw_peer.hpp"
#include "servers.hpp"
#include "support/random.hpp"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::errc;

constexpr std::size_t sixteen_mebibytes = std::size_t{16} << 20;

/// A client, and the bare socket that gets what it writes.
class Writing : public testing::Test {
protected:
    std::string next_message() {
        EXPECT_TRUE(client.flush(soon_enough).has_value());
        return text_of(peer.receive_message());
    }

    raw_listener listener{};
    mnet::client client = connect_to(listener.address());
    raw_peer peer = listener.accept();
};

TEST_F(Writing, AppendsOnePieceAfterTheOther) {
    auto writer = client.write(8);
    ASSERT_TRUE(writer.has_value());
    EXPECT_TRUE(writer->append("pub").append(" ").append("help").commit().has_value());
    EXPECT_EQ(next_message(), "pub help");
}

TEST_F(Writing, FillsTheSpaceInPlace) {
    auto writer = client.write(5);
    ASSERT_TRUE(writer.has_value());
    ASSERT_EQ(writer->space().size(), 5U);
    std::ranges::copy(std::as_bytes(std::span("he", 2)), writer->space().begin());
    writer->advance(2);
    ASSERT_EQ(writer->space().size(), 3U);
    std::ranges::copy(std::as_bytes(std::span("llo", 3)), writer->space().begin());
    EXPECT_TRUE(writer->advance(3).commit().has_value());
    EXPECT_EQ(next_message(), "hello");
}

TEST_F(Writing, SendsAMessageThatIsShorterThanItsReservationAsShort) {
    EXPECT_TRUE(client.write(1000)->append("short").commit().has_value());
    EXPECT_TRUE(client.write(1000)->commit().has_value());
    EXPECT_EQ(next_message(), "short");
    EXPECT_EQ(next_message(), "");
}

TEST_F(Writing, DiscardsWhatWasNotCommitted) {
    {
        auto discarded = client.write(100);
        ASSERT_TRUE(discarded.has_value());
        discarded->append("never");
    }
    EXPECT_EQ(client.unsent_bytes(), 0U);
    ASSERT_TRUE(client.send("always").has_value());
    EXPECT_EQ(next_message(), "always");
    EXPECT_EQ(client.statistics().messages_sent, 1U);
}

TEST_F(Writing, DiscardsAMessageThatWasAppendedPastItsReservation) {
    auto writer = client.write(4);
    ASSERT_TRUE(writer.has_value());
    EXPECT_EQ(error_of(writer->append("four").append("!").commit()), errc::message_too_large);
    EXPECT_EQ(client.unsent_bytes(), 0U);
    ASSERT_TRUE(client.send("next").has_value());
    EXPECT_EQ(next_message(), "next");
}

TEST_F(Writing, DiscardsAMessageThatWasAdvancedPastItsReservation) {
    auto writer = client.write(4);
    ASSERT_TRUE(writer.has_value());
    EXPECT_EQ(error_of(writer->advance(5).commit()), errc::message_too_large);
    EXPECT_EQ(client.unsent_bytes(), 0U);
}

TEST_F(Writing, CommitsAWriterOnce) {
    auto writer = client.write(4);
    ASSERT_TRUE(writer->append("once").commit().has_value());
    EXPECT_EQ(error_of(writer->commit()), errc::already_closed);
    EXPECT_EQ(client.statistics().messages_sent, 1U);
}

TEST_F(Writing, LetsAWriterMove) {
    auto writer = client.write(10);
    writer->append("moved");
    mnet::writer other = *std::move(writer);
    EXPECT_TRUE(other.append(" on").commit().has_value());
    EXPECT_EQ(next_message(), "moved on");
}

TEST_F(Writing, SendsNothingBeforeItIsFlushed) {
    ASSERT_TRUE(client.send("waits").has_value());
    EXPECT_EQ(client.unsent_bytes(), frame("waits").size());
    EXPECT_EQ(client.statistics().wire_bytes_sent, 0U);
    EXPECT_EQ(next_message(), "waits");
    EXPECT_EQ(client.unsent_bytes(), 0U);
}

TEST_F(Writing, RefusesAMessageAboveTheBoundAndLivesOn) {
    EXPECT_EQ(error_of(client.write(sixteen_mebibytes + 1)), errc::message_too_large);
    EXPECT_EQ(error_of(client.send(bytes(sixteen_mebibytes + 1))), errc::message_too_large);
    EXPECT_TRUE(client.live());
    ASSERT_TRUE(client.send("fits").has_value());
    EXPECT_EQ(next_message(), "fits");
}

TEST(WritingBounds, AMessageBoundHoldsInBothDirections) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.message_bytes_max = 10});
    raw_peer peer = listener.accept();
    EXPECT_TRUE(client.send("ten bytes!").has_value());
    EXPECT_EQ(error_of(client.send("eleven byte")), errc::message_too_large);
    peer.send(frame("ten bytes!"));
    EXPECT_EQ(next_text(client), "ten bytes!");
    peer.send(frame("eleven byte"));
    EXPECT_EQ(error_of(client.read(soon_enough)), errc::message_too_large);
}

TEST(WritingBounds, ABoundOfZeroLetsEmptyMessagesThrough) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.message_bytes_max = 0});
    raw_peer peer = listener.accept();
    EXPECT_TRUE(client.send("").has_value());
    EXPECT_EQ(error_of(client.send("x")), errc::message_too_large);
    peer.send("00000000");
    EXPECT_TRUE(next_text(client).empty());
}

TEST(WritingBounds, OneMessageOfAnySizeFitsAnEmptyQueue) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address(), {.unsent_bytes_max = 10});
    for (const std::size_t size : {std::size_t{11}, std::size_t{100'000}, std::size_t{1'000'000}, sixteen_mebibytes}) {
        ASSERT_TRUE(client.send(pattern(size)).has_value()) << size;
        const auto answer = client.read(soon_enough);
        ASSERT_TRUE(answer.has_value()) << answer.error().message();
        EXPECT_TRUE(same(answer->bytes(), pattern(size)));
    }
    EXPECT_EQ(client.statistics().writes_refused, 0U);
}

TEST(WritingBounds, BehindAMessageThatExceedsThemNothingIsTakenUntilItHasLeft) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.unsent_bytes_max = 10});
    raw_peer peer = listener.accept();
    ASSERT_TRUE(client.send(pattern(sixteen_mebibytes)).has_value());
    EXPECT_EQ(error_of(client.send("one more")), errc::would_block);
    EXPECT_EQ(error_of(client.write(0)), errc::would_block);
    EXPECT_EQ(client.statistics().writes_refused, 2U);
    std::thread reader([&peer] {
        EXPECT_TRUE(peer.receive_message() == pattern(sixteen_mebibytes));
        EXPECT_EQ(text_of(peer.receive_message()), "one more");
    });
    ASSERT_TRUE(client.flush(soon_enough).has_value());
    EXPECT_TRUE(client.send("one more").has_value());
    EXPECT_TRUE(client.flush(soon_enough).has_value());
    reader.join();
}

TEST(WritingBounds, AWriteThatTheSocketHasRoomForIsNeverRefused) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.unsent_bytes_max = 100});
    raw_peer peer = listener.accept();
    for (int count = 0; count < 100; ++count) ASSERT_TRUE(client.send(pattern(60)).has_value()) << "after " << count;
    ASSERT_TRUE(client.flush().has_value());
    for (int count = 0; count < 100; ++count) EXPECT_EQ(peer.receive_message(), pattern(60));
}

// Everywhere -----------------------------------------------------------------------------------------------------------------------------

class Echo : public EveryShapeAndCarrier {
protected:
    mnet::mtcp::network network = echo_server(how(), what());
    mnet::client client = connect_to(network.address());
};
FOR_EVERY_SHAPE_AND_CARRIER(Echo);

TEST_P(Echo, AnswersMessageByMessage) {
    for (int count = 0; count < 100; ++count) expect_echo(client, "message " + std::to_string(count));
}

TEST_P(Echo, KeepsEmptyMessages) {
    expect_echo(client, "");
    ASSERT_TRUE(client.send("").has_value());
    ASSERT_TRUE(client.send("between").has_value());
    ASSERT_TRUE(client.send("").has_value());
    EXPECT_EQ(next_text(client), "");
    EXPECT_EQ(next_text(client), "between");
    EXPECT_EQ(next_text(client), "");
}

TEST_P(Echo, CarriesSixteenMebibytes) {
    const bytes large = pattern(sixteen_mebibytes);
    ASSERT_TRUE(client.send(large).has_value());
    const auto answer = client.read(soon_enough);
    ASSERT_TRUE(answer.has_value()) << answer.error().message();
    EXPECT_TRUE(same(answer->bytes(), large));
    expect_echo(client, "small again");
}

TEST_P(Echo, KeepsTheOrderOfManyMessagesOfMixedSizes) {
    support::random_source random;
    std::vector<bytes> sent;
    for (int round = 0; round < 20; ++round) {
        sent.clear();
        for (std::uint64_t count = random.between(1, 40); count > 0; --count) {
            sent.push_back(random.bytes(random.magnitude_below(60'000)));
            ASSERT_TRUE(client.send(sent.back()).has_value());
        }
        for (const bytes& expected : sent) {
            const auto answer = client.read(soon_enough);
            ASSERT_TRUE(answer.has_value()) << answer.error().message();
            ASSERT_TRUE(same(answer->bytes(), expected));
        }
    }
}

}  // namespace
}  // namespace mtcp_test
