// docs/wire.md: the end of a stream between two frames is end_of_stream, inside a frame truncated; so is a reset inside a frame. Whole
// messages that came before can be read.
#include "raw_peer.hpp"
#include "servers.hpp"
#include "support/hex.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <string>
#include <vector>

namespace mtcp_test {
namespace {

/// A reset throws away what the other kernel doesn't have yet: waits until it has it all.
void wait_for_acknowledgement(const raw_peer& peer) {
    ASSERT_TRUE(eventually([&] {
        int bytes = 0;
        return ::ioctl(peer.descriptor(), SIOCOUTQ, &bytes) == 0 && bytes == 0;
    }));
}

/// What a client reads up to the end, and then why it ended.
struct story {
    std::vector<std::string> messages;
    std::error_code end;
};

story read_all(mnet::client& client) {
    story told;
    for (;;) {
        auto message = client.read({.deadline = mnet::within(patience)});
        if (!message) {
            told.end = message.error();
            return told;
        }
        told.messages.emplace_back(message->text());
    }
}

mnet::task<mnet::result<>> read_all_into(mnet::client& client, channel<story>& stories) {
    story told;
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) {
            told.end = message.error();
            stories.put(told);
            co_return {};
        }
        told.messages.emplace_back(message->text());
    }
}

enum class reader : std::uint8_t { client, coroutine, blocking };

/// A bare socket on one side; on the other each kind of reader.
class WireEnds : public testing::TestWithParam<reader> {
protected:
    WireEnds() {
        if (GetParam() == reader::client) {
            client_.emplace(connect_to(listener_.address()));
            peer.emplace(listener_.accept());
            return;
        }
        network_.emplace(GetParam() == reader::coroutine ? serve([this](mnet::client& client) { return read_all_into(client, stories_); })
                                                         : serve([this](mnet::client& client) -> mnet::result<> {
                                                               stories_.put(read_all(client));
                                                               return {};
                                                           }));
        peer.emplace(network_->address());
    }

    /// What was read, to the end.
    story told() {
        if (client_) return read_all(*client_);
        const auto told = stories_.take();
        EXPECT_TRUE(told.has_value());
        return told.value_or(story{});
    }

    std::optional<raw_peer> peer{};

private:
    raw_listener listener_{};
    channel<story> stories_{};
    std::optional<mnet::client> client_{};
    std::optional<mnet::mtcp::network> network_{};
};
INSTANTIATE_TEST_SUITE_P(ReadBy, WireEnds, testing::Values(reader::client, reader::coroutine, reader::blocking), [](const auto& instance) {
    return std::string(instance.param == reader::client ? "Client" : instance.param == reader::coroutine ? "Coroutine" : "Blocking");
});

TEST_P(WireEnds, AnEndBeforeAnythingIsAnEndOfStream) {
    peer->finish();
    const story told = this->told();
    EXPECT_EQ(told.end, mnet::errc::end_of_stream);
    EXPECT_TRUE(told.messages.empty());
}

TEST_P(WireEnds, AnEndBetweenTwoFramesIsAnEndOfStream) {
    peer->send(frame("one"));
    peer->send(frame(""));
    peer->finish();
    const story told = this->told();
    EXPECT_EQ(told.end, mnet::errc::end_of_stream);
    EXPECT_EQ(told.messages, (std::vector<std::string>{"one", ""}));
}

TEST_P(WireEnds, AnEndInsideALengthIsTruncated) {
    peer->send(frame("one"));
    peer->send("0000");
    peer->finish();
    const story told = this->told();
    EXPECT_EQ(told.end, mnet::errc::truncated);
    EXPECT_EQ(told.messages, std::vector<std::string>{"one"});
}

TEST_P(WireEnds, AnEndBehindALengthIsTruncated) {
    peer->send("00000001");
    peer->finish();
    EXPECT_EQ(told().end, mnet::errc::truncated);
}

TEST_P(WireEnds, AnEndInsideAPayloadIsTruncated) {
    peer->send(frame("one"));
    peer->send("00000003 7477");
    peer->finish();
    const story told = this->told();
    EXPECT_EQ(told.end, mnet::errc::truncated);
    EXPECT_EQ(told.messages, std::vector<std::string>{"one"});
}

TEST_P(WireEnds, AnEndInsideALargePayloadIsTruncated) {
    peer->send("00100000");
    peer->send(pattern(1'000'000));
    peer->finish();
    EXPECT_EQ(told().end, mnet::errc::truncated);
}

TEST_P(WireEnds, AResetInsideAFrameIsTruncatedAndTheMessagesBeforeItAreRead) {
    peer->send(frame("one"));
    peer->send(frame("two"));
    peer->send("00000005 7468");
    wait_for_acknowledgement(*peer);
    peer->reset();
    const story told = this->told();
    EXPECT_EQ(told.end, mnet::errc::truncated);
    EXPECT_EQ(told.messages, (std::vector<std::string>{"one", "two"}));
}

TEST_P(WireEnds, AResetBetweenFramesIsTheKernelsError) {
    peer->send(frame("one"));
    wait_for_acknowledgement(*peer);
    peer->reset();
    const story told = this->told();
    EXPECT_EQ(told.end, std::errc::connection_reset);
    EXPECT_EQ(told.messages, std::vector<std::string>{"one"});
}

TEST(WireEndsOfAMessageHandler, AResetInsideAFrameDeliversTheMessagesBeforeItAndCountsAsFailed) {
    channel<std::string> received;
    auto network = serve([&](mnet::client&, mnet::message message) noexcept { received.put(std::string(message.text())); });
    raw_peer peer(network.address());
    peer.send(frame("one"));
    peer.send("00000005 7468");
    wait_for_acknowledgement(peer);
    peer.reset();
    EXPECT_EQ(received.take(), "one");
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().clients_failed, 1U);
}

TEST(WireEndsOfAMessageHandler, AnEndBetweenFramesIsNoFailure) {
    auto network = echo_server(shape::message);
    raw_peer peer(network.address());
    peer.send(frame("one"));
    peer.finish();
    EXPECT_EQ(peer.receive_to_end(), frame("one"));
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().clients_failed, 0U);
}

}  // namespace
}  // namespace mtcp_test
