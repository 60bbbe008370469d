// The account of a connection's end: each message that was committed is in one of its three accounts, and these are true, whoever dies.
#include "certificates.hpp"
#include "raw_peer.hpp"
#include "servers.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stop_token>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::errc;
using mnet::within;
using namespace std::chrono_literals;

constexpr std::uint64_t window_bytes = std::uint64_t{256} << 10;  // what is sent together
constexpr std::uint64_t segment_bytes_max = std::uint64_t{64} << 10;

std::uint64_t sum(const mnet::delivery& account) {
    return account.messages_acknowledged + account.messages_unacknowledged + account.messages_unsent;
}

/// How many messages the long tests send: MNET_DELIVERY_MESSAGES.
std::uint64_t many_messages() {
    const char* const wanted = std::getenv("MNET_DELIVERY_MESSAGES");
    return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 100'000;
}

std::uint64_t number_of(const mnet::message& message) {
    std::uint64_t number = 0;
    std::memcpy(&number, message.bytes().data(), std::min(message.size(), sizeof number));
    return number;
}

std::span<const std::byte> bytes_of(const std::uint64_t& number) { return std::as_bytes(std::span(&number, 1)); }

class Delivery : public EveryCarrier {
protected:
    raw_listener listener{fresh_address(GetParam())};
    mnet::client client = connect_to(listener.address());
    raw_peer peer = listener.accept();

    std::uint64_t bytes_at_the_peer() const {
        int bytes = 0;
        EXPECT_EQ(::ioctl(peer.descriptor(), FIONREAD, &bytes), 0);
        return static_cast<std::uint64_t>(bytes);
    }
    bool is_tcp() const { return GetParam() == carrier::tcp_v4 || GetParam() == carrier::tcp_v6; }
};
FOR_EVERY_CARRIER(Delivery);

TEST_P(Delivery, OfAnOpenClientIsWhatIsKnownByNow) {
    for (int count = 0; count < 10; ++count) {
        ASSERT_TRUE(client.send("hello").has_value());
        ASSERT_TRUE(client.flush().has_value());
    }
    ASSERT_TRUE(client.send("not yet on its way").has_value());
    EXPECT_TRUE(eventually([&] { return client.delivered().messages_acknowledged == 10; }));
    const mnet::delivery so_far = client.delivered();
    EXPECT_TRUE(so_far.pending);
    EXPECT_FALSE(so_far.complete());
    EXPECT_EQ(so_far.messages_unacknowledged, 0U);
    EXPECT_EQ(so_far.messages_unsent, 1U);
    EXPECT_EQ(so_far.bytes_acknowledged, 10 * frame("hello").size());
}

TEST_P(Delivery, OfAPeerThatStoppedReadingAndThenResetTheConnectionSaysWhereEachMessageIs) {
    constexpr std::uint64_t payload = 1000;
    constexpr std::uint64_t frame_bytes = payload + mnet::wire::header_bytes;
    std::uint64_t committed = 0;
    while (client.send(pattern(payload))) ++committed;
    std::uint64_t arrived = 0;
    int quiet = 0;
    const auto is_known = [&](std::uint64_t acknowledged) {  // the kernel may ask at any time whether one more segment fits, and it does
        if (!is_tcp()) return acknowledged == client.statistics().wire_bytes_sent;
        return acknowledged >= arrived && acknowledged <= arrived + segment_bytes_max;
    };
    ASSERT_TRUE(eventually([&] {  // until nothing moves any more
        const std::uint64_t before = std::exchange(arrived, bytes_at_the_peer());
        quiet = before == arrived && is_known(client.delivered().bytes_acknowledged) ? quiet + 1 : 0;
        return quiet > 1000;
    }));
    peer.reset();
    EXPECT_FALSE(client.read(soon_enough).has_value());
    const mnet::delivery account = client.close(soon_enough);
    EXPECT_FALSE(account.pending);
    EXPECT_FALSE(account.complete());
    EXPECT_EQ(sum(account), committed);
    if (is_tcp()) {
        EXPECT_TRUE(is_known(account.bytes_acknowledged)) << account.bytes_acknowledged << ", and " << arrived << " have arrived";
        EXPECT_LE(account.messages_acknowledged, account.bytes_acknowledged / frame_bytes);
        EXPECT_GE(account.messages_acknowledged + window_bytes / frame_bytes + 1, arrived / frame_bytes);
    }
    EXPECT_EQ(client.delivered().messages_acknowledged, account.messages_acknowledged) << "and it says so for good";
    EXPECT_EQ(client.delivered().bytes_unsent, account.bytes_unsent);
}

TEST_P(Delivery, CountsAloneAfterAReconnect) {
    for (int count = 0; count < 5; ++count) ASSERT_TRUE(client.send("hello").has_value());
    ASSERT_TRUE(client.flush().has_value());
    ASSERT_TRUE(client.reconnect().has_value());
    raw_peer again = listener.accept();
    ASSERT_TRUE(client.send("one more").has_value());
    const mnet::delivery account = client.close(soon_enough);
    EXPECT_TRUE(account.complete());
    EXPECT_EQ(account.messages_acknowledged, 1U);
    EXPECT_EQ(account.bytes_acknowledged, frame("one more").size());
}

TEST_P(Delivery, TellsOfInputThatNobodyRead) {
    peer.send(frame("unheard"));
    ASSERT_TRUE(client.wait(soon_enough).has_value());
    EXPECT_EQ(client.close(soon_enough).bytes_unread, frame("unheard").size());
}

// Everything arrives -----------------------------------------------------------------------------------------------------------------

/// Counts what has its place in the row.
struct taker {
    void take(const mnet::message& message) noexcept {
        if (number_of(message) != received++) in_order = false;
    }
    std::atomic<std::uint64_t> received = 0;
    std::atomic<bool> in_order = true;
};

mnet::task<mnet::result<>> take_all(mnet::client& client, taker& all) {
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        all.take(*message);
    }
}

mnet::result<mnet::mtcp::network> listen_to_all(shape how, const mnet::mtcp::listen_options& options, taker& all) {
    if (how == shape::message)
        return mnet::mtcp::listen(options, [&all](mnet::client&, mnet::message message) noexcept { all.take(message); });
    if (how == shape::coroutine) return mnet::mtcp::listen(options, [&all](mnet::client& client) { return take_all(client, all); });
    return mnet::mtcp::listen(options, [&all](mnet::client& client) -> mnet::result<> {
        for (;;) {
            auto message = client.read();
            if (!message) return mnet::failure(message.error());
            all.take(*message);
        }
    });
}

class Everything : public EveryShapeAndCarrier {};
FOR_EVERY_SHAPE_AND_CARRIER(Everything);

TEST_P(Everything, ThatWasSentArrivesWhenTheClientIsClosed) {
    taker all;
    mnet::mtcp::listen_options options{.address = fresh_address(what())};
    secure_if_asked(options);
    auto network = listen_to_all(how(), options, all);
    ASSERT_TRUE(network.has_value());
    auto client = connect_to(network->address());
    const std::uint64_t messages = many_messages();
    for (std::uint64_t number = 0; number < messages;) {
        if (client.send(bytes_of(number))) {
            ++number;
        } else {
            ASSERT_TRUE(client.flush(soon_enough).has_value());
        }
    }
    const mnet::delivery account = client.close(soon_enough);
    EXPECT_TRUE(account.complete());
    EXPECT_EQ(account.messages_acknowledged, messages);
    EXPECT_TRUE(eventually([&] { return all.received == messages; })) << all.received;
    EXPECT_TRUE(all.in_order);
}

// Or it is told ----------------------------------------------------------------------------------------------------------------------

/// A server in a process of its own, that counts what it has read where its killer can see it.
class victim {
public:
    explicit victim(carrier what) {
        mnet::mtcp::listen_options options{.address = fresh_address(what)};
        secure_if_asked(options);
        count_ = static_cast<std::atomic<std::uint64_t>*>(
            ::mmap(nullptr, sizeof *count_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
        int address[2];
        if (::pipe(address) != 0) std::abort();
        id_ = ::fork();
        if (id_ == 0) serve(options, address[1]);
        ::close(address[1]);
        char letter = 0;
        while (::read(address[0], &letter, 1) == 1 && letter != '\n') address_ += letter;
        ::close(address[0]);
    }
    victim(const victim&) = delete;
    victim& operator=(const victim&) = delete;
    ~victim() {
        kill();
        ::munmap(count_, sizeof *count_);
    }

    const std::string& address() const noexcept { return address_; }
    std::uint64_t has_read() const noexcept { return *count_; }
    void kill() {
        if (id_ <= 0) return;
        (void)::kill(id_, SIGKILL);
        (void)::waitpid(std::exchange(id_, -1), nullptr, 0);
    }

private:
    [[noreturn]] void serve(const mnet::mtcp::listen_options& options, int tell) {
        auto network = mnet::mtcp::listen(options, [this](mnet::client&, mnet::message message) noexcept {
            if (number_of(message) != count_->load()) std::abort();
            count_->fetch_add(1);
        });
        if (!network) std::abort();
        const std::string line = network->address() + "\n";
        if (::write(tell, line.data(), line.size()) < 0) std::abort();
        for (;;) ::pause();
    }

    std::atomic<std::uint64_t>* count_ = nullptr;
    pid_t id_ = -1;
    std::string address_{};
};

class KilledPeer : public EveryCarrier {};
INSTANTIATE_TEST_SUITE_P(On, KilledPeer, testing::ValuesIn(all_carriers), carrier_name);

TEST_P(KilledPeer, LeavesEachMessageInOneAccountAndHasReadNoneThatNeverLeft) {
    for (int run = 0; run < 5; ++run) {
        victim peer(GetParam());
        ASSERT_FALSE(peer.address().empty());
        auto client = connect_to(peer.address());
        const std::uint64_t enough = many_messages() / 10 * static_cast<std::uint64_t>(run + 1);
        std::uint64_t committed = 0;
        for (bool alive = true;;) {
            if (client.send(bytes_of(committed))) {
                ++committed;
            } else if (!client.flush(soon_enough)) {
                break;
            }
            if (committed % 1000 == 0 && alive && peer.has_read() >= enough) {
                peer.kill();
                alive = false;
            }
            if (!alive && committed % 1000 == 0 && !client.flush(soon_enough)) break;
        }
        const mnet::delivery account = client.close(soon_enough);
        EXPECT_FALSE(account.pending);
        EXPECT_EQ(client.statistics().messages_sent, committed);
        EXPECT_EQ(sum(account), committed);
        EXPECT_LE(peer.has_read(), account.messages_acknowledged + account.messages_unacknowledged);
        if (client.transport() == "shared_memory") {
            EXPECT_LE(account.messages_acknowledged, peer.has_read()) << "what it was through with, it had counted";
        }
        // Confirmed is at least what it had read, but for what was sent last and together: confirmations of TCP may be on their way.
        const std::uint64_t least = committed - account.messages_unsent;
        EXPECT_GE(least, peer.has_read());
        EXPECT_GE(account.messages_acknowledged + account.messages_unacknowledged, enough);
    }
}

// A server hears its clients out -----------------------------------------------------------------------------------------------------

class HearingOut : public EveryShapeAndCarrier {};
FOR_EVERY_SHAPE_AND_SOCKET(HearingOut);

constexpr int answers = 50;
constexpr std::size_t answer_bytes = 20'000;

void answer(mnet::client& client) {
    for (int count = 0; count < answers; ++count) EXPECT_TRUE(client.send(pattern(answer_bytes, static_cast<unsigned>(count))).has_value());
}

TEST_P(HearingOut, AnswersArriveAlthoughTheServerHasInputThatItDoesNotRead) {
    const mnet::mtcp::listen_options options{.address = fresh_address(what())};
    const auto by_message = [](mnet::client& client, mnet::message) noexcept {
        answer(client);
        (void)client.close();
    };
    const auto by_coroutine = [](mnet::client& client) -> mnet::task<mnet::result<>> {
        (void)co_await client.async_read();
        answer(client);
        (void)co_await client.async_close();
        co_return mnet::result<>();
    };
    const auto by_thread = [](mnet::client& client) -> mnet::result<> {
        (void)client.read();
        answer(client);
        (void)client.close();
        return {};
    };
    auto network = how() == shape::message     ? mnet::mtcp::listen(options, by_message)
                   : how() == shape::coroutine ? mnet::mtcp::listen(options, by_coroutine)
                                               : mnet::mtcp::listen(options, by_thread);
    ASSERT_TRUE(network.has_value());
    raw_peer peer(network->address());
    peer.send(frame("question"));
    (void)peer.send_what_fits(bytes(100'000));
    std::jthread talking([&peer](const std::stop_token& over) {  // a peer that is quiet is not heard out for long
        const bytes more(1000);
        while (!over.stop_requested()) {
            (void)peer.send_what_fits(more);
            std::this_thread::yield();
        }
    });
    for (int count = 0; count < answers; ++count) {
        ASSERT_TRUE(peer.receive_message() == pattern(answer_bytes, static_cast<unsigned>(count))) << count;
    }
    EXPECT_EQ(peer.receive_to_end(), bytes{});
    talking.request_stop();
    talking.join();
    EXPECT_FALSE(peer.was_reset());
    peer.finish();
    EXPECT_TRUE(eventually([&] { return network->statistics().clients == 0; })) << "and then it is gone";
}

TEST(Farewell, TellsOfInputThatNobodyRead) {
    auto network = serve([](mnet::client& client) -> mnet::task<mnet::result<>> {
        if (co_await client.async_read()) (void)client.send("I have heard one");
        while (co_await client.async_read()) {
        }
        co_return mnet::result<>();
    });
    raw_peer peer(network.address());
    bytes all = frame("one");
    const bytes empty_ones = bytes(1000);  // 250 of them
    all.insert(all.end(), empty_ones.begin(), empty_ones.end());
    all.insert(all.end(), {std::byte{0}, std::byte{0}, std::byte{1}});  // and one that never comes whole
    peer.send(all);
    EXPECT_EQ(text_of(peer.receive_message()), "I have heard one");
    ASSERT_TRUE(eventually([&] { return network.statistics().messages_received == 251; }));
    const mnet::farewell end = network.stop(within(patience));
    EXPECT_EQ(end.bytes_unread, 3U);
    EXPECT_EQ(end.messages_unacknowledged, 0U);
}

}  // namespace
}  // namespace mtcp_test
