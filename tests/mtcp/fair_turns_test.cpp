// One client floods; the others have their turn all the same, because a turn of a client ends after so many messages.
#include "mtcp/worker.hpp"
#include "raw_peer.hpp"
#include "servers.hpp"

#include <algorithm>
#include <atomic>
#include <linux/sockios.h>
#include <map>
#include <semaphore>
#include <string_view>
#include <sys/ioctl.h>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

/// Empty ones: many turns' worth, in fewer bytes than a receiver's first window has (64 KiB), so that the kernel holds all of them for a loop that
/// does not read.
constexpr std::size_t flood_messages = 10'000;

/// A client's turn may end one round of the loop and begin the next.
constexpr std::size_t row_max = 2 * mnet::mtcp::detail::messages_a_turn_max;

/// A loop that polls lets the same client go on for a few turns, before it asks the kernel for all.
constexpr std::size_t polled_row_max = 8 * row_max;

/// Two clients' messages in the order in which a handler gets them. The first one waits until both floods are on their way.
class two_floods {
public:
    void saw(const mnet::client& client) noexcept {
        if (order_.empty()) sent_.acquire();
        order_.push_back(client.id());
        if (order_.size() == 2 * flood_messages) all_seen_.release();
    }

    void run(const mnet::mtcp::network& network) {
        raw_peer first(network.address());
        raw_peer second(network.address());
        ASSERT_TRUE(eventually([&] { return network.statistics().clients == 2; }));
        for (raw_peer* const each : {&first, &second}) ASSERT_EQ(each->send_what_fits(flood), flood.size());
        for (raw_peer* const each : {&first, &second}) ASSERT_TRUE(eventually([&] { return has_arrived(*each); }));
        sent_.release();
        ASSERT_TRUE(all_seen_.try_acquire_for(patience));
    }

    /// All that was sent is with the other side's kernel.
    static bool has_arrived(const raw_peer& sender) {
        int left = -1;
        EXPECT_EQ(::ioctl(sender.descriptor(), SIOCOUTQ, &left), 0);
        return left == 0;
    }

    /// The longest row of one client's messages while the other still has some.
    std::size_t longest_row() const {
        std::map<std::uint64_t, std::size_t> left;
        for (const std::uint64_t id : order_) ++left[id];
        std::size_t longest = 0;
        std::size_t row = 0;
        std::uint64_t before = 0;
        for (const std::uint64_t id : order_) {
            row = id == before ? row + 1 : 1;
            before = id;
            longest = std::max(longest, row);
            if (--left[id] == 0) break;
        }
        return longest;
    }

private:
    const bytes flood = bytes(flood_messages * mnet::wire::header_bytes);
    std::vector<std::uint64_t> order_ = [] {
        std::vector<std::uint64_t> empty;
        empty.reserve(2 * flood_messages);
        return empty;
    }();
    std::binary_semaphore sent_{0};
    std::binary_semaphore all_seen_{0};
};

mnet::task<mnet::result<>> read_all(mnet::client& client, two_floods& floods) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        floods.saw(client);
    }
}

TEST(FairTurns, OfAMessageHandlerHaveABoundedNumberOfMessages) {
    two_floods floods;
    auto network = serve([&floods](mnet::client& client, mnet::message) noexcept { floods.saw(client); });
    ASSERT_NO_FATAL_FAILURE(floods.run(network));
    EXPECT_LE(floods.longest_row(), row_max);
}

TEST(FairTurns, OfACoroutineHaveABoundedNumberOfMessages) {
    two_floods floods;
    auto network = serve([&floods](mnet::client& client) { return read_all(client, floods); });
    ASSERT_NO_FATAL_FAILURE(floods.run(network));
    EXPECT_LE(floods.longest_row(), row_max);
}

/// One client is always a message ahead of its handler, each sent by itself; what another has sent before lies there all the time.
class one_ahead {
public:
    /// The first's handler begins when messages are there: it does not wait for one.
    void began() noexcept {
        if (++handlers_ < 2) return;
        for (int tries = 100'000; tries > 0 && sent_ < 8; --tries) std::this_thread::yield();
    }

    void saw(std::string_view text) noexcept {
        if (text == "other") {
            seen_before_ = seen_;
            others_.release();
        } else {
            if (++seen_ == 1) {
                begun_.release();
                go_.acquire();
            }
            // For a while: a sender that sleeps is woken by this very loop.
            for (int tries = 1000; tries > 0 && sent_ <= seen_; --tries) std::this_thread::yield();
        }
    }

    void run(const mnet::mtcp::network& network) {
        mnet::client second = connect_to(network.address());
        ASSERT_TRUE(eventually([&] { return network.statistics().clients == 1; }));
        mnet::client first = connect_to(network.address());
        std::thread sending([&] {
            bool sent = true;
            for (; sent && sent_ < enough; ++sent_) sent = first.send("one").has_value() && first.flush(soon_enough).has_value();
            EXPECT_TRUE(sent);
        });
        const bool begun = begun_.try_acquire_for(patience);
        const bool sent = second.send("other").has_value() && second.flush(soon_enough).has_value();
        go_.release();
        EXPECT_TRUE(begun && sent && others_.try_acquire_for(patience));
        sending.join();
    }

    /// How many of the first's, when the other's was seen.
    std::size_t seen_before() const noexcept { return seen_before_; }

private:
    static constexpr std::size_t enough = 4 * polled_row_max;

    std::atomic<std::size_t> sent_ = 0;
    int handlers_ = 0;
    std::size_t seen_ = 0;  // by the handlers
    std::size_t seen_before_ = 0;
    std::binary_semaphore begun_{0};
    std::binary_semaphore go_{0};
    std::binary_semaphore others_{0};
};

mnet::task<mnet::result<>> read_on(mnet::client& client, one_ahead& ahead) {
    ahead.began();
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        ahead.saw(message->text());
    }
}

TEST(FairTurns, OfACoroutineEndThoughTheNextMessageComesByItself) {
    one_ahead ahead;
    auto network = serve([&ahead](mnet::client& client) { return read_on(client, ahead); });
    ahead.run(network);
    EXPECT_LE(ahead.seen_before(), polled_row_max);
}

TEST(FairTurns, OfAMessageHandlerEndThoughTheNextMessageComesByItself) {
    one_ahead ahead;
    auto network = serve([&ahead](mnet::client&, mnet::message message) noexcept { ahead.saw(message.text()); });
    ahead.run(network);
    EXPECT_LE(ahead.seen_before(), polled_row_max);
}

TEST(FairTurns, LetEveryoneThroughWhileOneFloods) {
    constexpr int others = 100;
    constexpr int rounds = 20;
    auto network = echo_server(shape::message);
    std::atomic<bool> over = false;
    std::thread flooding([&] {
        raw_peer peer(network.address());
        const bytes many(std::size_t{16} << 10);
        bytes back;
        while (!over) {
            (void)peer.send_what_fits(many);
            (void)peer.receive_some();  // something always comes: whole frames, or the rest of them
        }
    });
    std::vector<mnet::client> clients;
    for (int count = 0; count < others; ++count) clients.push_back(connect_to(network.address()));
    for (int round = 0; round < rounds; ++round) {
        for (mnet::client& each : clients) ASSERT_TRUE(each.send("ping").has_value() && each.flush().has_value());
        for (mnet::client& each : clients) ASSERT_EQ(next_text(each), "ping");
    }
    over = true;
    flooding.join();
}

}  // namespace
}  // namespace mtcp_test
