// What messages cost, asserted with the means that users have: no allocation in the steady state on either side, and few system calls. On
// every engine that can be had.
//
// Where system calls are counted, the server's handler and the clients wait for each other round by round: whatever the scheduler does, all
// messages of a round are there when the other side looks.
#include "mtcp/channel.hpp"

#include <mnet/allocation_counter.hpp>
#include <mnet/diagnostics.hpp>
#include <mnet/mnet.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace diagnostics = mnet::diagnostics;
namespace mtcp = mnet::mtcp;

using namespace std::chrono_literals;

constexpr std::size_t message_bytes = 64;

struct engine_bounds {
    mtcp::engine engine;
    const char* name;
    double system_calls_a_message_max;  // at depth 16, of one side

    friend void PrintTo(const engine_bounds& bounds, std::ostream* target) { *target << bounds.name; }
};

class Costs : public testing::TestWithParam<engine_bounds> {
protected:
    void SetUp() override {
        const auto tried = mtcp::loop::make(GetParam().engine);
        if (!tried) GTEST_SKIP() << GetParam().name << ": " << tried.error().message();
    }

    template <typename Handler>
    mtcp::network serve(Handler handler) {
        auto opened = mtcp::listen({.address = "127.0.0.1:0", .spin = 0us, .engine = GetParam().engine}, std::move(handler));
        EXPECT_TRUE(opened.has_value()) << opened.error().message();
        return *std::move(opened);
    }

    mnet::client connect(const mtcp::network& network) {
        auto connected = mtcp::connect(network.address(), {.spin = 0us, .engine = GetParam().engine});
        EXPECT_TRUE(connected.has_value()) << connected.error().message();
        return *std::move(connected);
    }
};

INSTANTIATE_TEST_SUITE_P(On, Costs,
                         testing::Values(engine_bounds{mtcp::engine::epoll, "Epoll", 0.15},
                                         engine_bounds{mtcp::engine::uring, "Uring", 0.01}),
                         [](const auto& tried) { return std::string(tried.param.name); });

void expect_allocations(std::uint64_t before) {
    if (!diagnostics::allocations_are_counted()) return;
    EXPECT_EQ(diagnostics::allocations() - before, 0U);
}

// One client -------------------------------------------------------------------------------------------------------------------------

TEST_P(Costs, PingPongAllocatesNothingOnEitherSide) {
    auto network = serve([](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); });
    auto client = connect(network);
    const std::vector<std::byte> payload(message_bytes);
    const auto play = [&](int trips) {
        for (int count = 0; count < trips; ++count) {
            ASSERT_TRUE(client.send(payload).has_value());
            ASSERT_TRUE(client.read(mtcp_test::soon_enough).has_value());
        }
    };
    play(200);
    const auto server_before = diagnostics::now(network);
    const auto client_before = diagnostics::now(client);
    const auto allocations = diagnostics::allocations();
    play(1000);
    expect_allocations(allocations);
    const auto ours = diagnostics::now(client) - client_before;
    EXPECT_EQ(ours.messages, 2000U);
    EXPECT_EQ(ours.memory_requests, 0U);
    EXPECT_LE(ours.system_calls, 4000U);  // send, and at most: find nothing, sleep, receive
    EXPECT_EQ((diagnostics::now(network) - server_before).memory_requests, 0U);
}

TEST_P(Costs, AStreamAllocatesNothingOnEitherSide) {
    constexpr std::uint64_t burst = 1000;
    std::uint64_t received = 0;
    auto network = serve([&received](mnet::client& client, mnet::message) noexcept {
        if (++received % burst == 0) (void)client.send("");
    });
    auto client = connect(network);
    const std::vector<std::byte> payload(message_bytes);
    const auto stream = [&](int bursts) {
        for (int count = 0; count < bursts; ++count) {
            for (std::uint64_t message = 0; message < burst; ++message) ASSERT_TRUE(client.send(payload).has_value());
            ASSERT_TRUE(client.read(mtcp_test::soon_enough).has_value());
        }
    };
    stream(20);
    const auto server_before = diagnostics::now(network);
    const auto client_before = diagnostics::now(client);
    const auto allocations = diagnostics::allocations();
    stream(50);
    expect_allocations(allocations);
    const auto ours = diagnostics::now(client) - client_before;
    EXPECT_EQ(ours.memory_requests, 0U);
    EXPECT_LT(ours.per_message(ours.system_calls), GetParam().system_calls_a_message_max);
    EXPECT_EQ((diagnostics::now(network) - server_before).memory_requests, 0U);
}

// Many clients, 16 messages in flight on each -------------------------------------------------------------------------------------------

constexpr std::size_t crowd_size = 64;
constexpr std::size_t depth = 16;
constexpr std::uint64_t round_messages = crowd_size * depth;

/// Clients on a loop, each with a coroutine that reads. In each round all of them send, then all of them read.
class crowd {
public:
    crowd(const mtcp::network& network, mtcp::engine engine)
        : network_(network), address_(network.address()), loop_(*mtcp::loop::make(engine)), payload_(message_bytes) {
        clients_.reserve(crowd_size);
        for (std::size_t count = 0; count < crowd_size; ++count) tasks_.push_back(read_all());
        for (auto& each : tasks_) each.start({});
        turn_until([this] { return clients_.size() == crowd_size; });
    }

    /// `released` counts the rounds that are with the server's kernel as a whole.
    void play_round(std::atomic<std::uint64_t>& released) {
        const std::uint64_t messages = ++rounds_ * round_messages;
        for (mnet::client& client : clients_) {
            for (std::size_t count = 0; count < depth; ++count) failed_ = !client.send(payload_) || failed_;
            (void)client.flush();
        }
        loop_.turn(mnet::within(0s));
        released.fetch_add(1);
        const auto give_up = std::chrono::steady_clock::now() + mtcp_test::patience;
        while (network_.statistics().wire_bytes_sent < messages * (message_bytes + mnet::wire::header_bytes) && !failed_) {
            failed_ = std::chrono::steady_clock::now() > give_up;
            std::this_thread::yield();
        }
        turn_until([this, messages] { return answered_ == messages; });
    }

    bool failed() const noexcept { return failed_; }
    const mtcp::loop& loop() const noexcept { return loop_; }

private:
    template <typename Condition>
    void turn_until(Condition condition) {
        const auto give_up = std::chrono::steady_clock::now() + mtcp_test::patience;
        while (!condition() && !failed_) {
            loop_.turn(mnet::deadline::at(give_up));
            failed_ = failed_ || std::chrono::steady_clock::now() > give_up;
        }
    }

    mnet::task<> read_all() {
        auto connected = co_await mtcp::async_connect(loop_, address_);
        failed_ = !connected;
        if (failed_) co_return;
        mnet::client& client = clients_.emplace_back(*std::move(connected));
        while (!failed_) {
            const auto answer = co_await client.async_read();
            failed_ = !answer || answer->size() != message_bytes;
            ++answered_;
        }
    }

    const mtcp::network& network_;
    std::string address_;
    mtcp::loop loop_;
    std::vector<std::byte> payload_;
    std::vector<mnet::client> clients_{};
    std::uint64_t rounds_ = 0;
    std::uint64_t answered_ = 0;
    bool failed_ = false;
    std::vector<mnet::task<>> tasks_{};  // last: they use all the others
};

TEST_P(Costs, EchoAtDepth16AllocatesNothingAndMakesFewSystemCalls) {
    std::atomic<std::uint64_t> released = 0;
    std::uint64_t received = 0;
    auto network = serve([&](mnet::client& client, mnet::message message) noexcept {
        while (released.load() < received / round_messages + 1) std::this_thread::yield();
        ++received;
        (void)client.send(message.bytes());
    });
    crowd clients(network, GetParam().engine);
    for (int round = 0; round < 20; ++round) clients.play_round(released);
    ASSERT_FALSE(clients.failed());

    constexpr std::uint64_t rounds = 50;
    const auto server_before = diagnostics::now(network);
    const auto client_before = diagnostics::now(clients.loop());
    const auto allocations = diagnostics::allocations();
    for (std::uint64_t round = 0; round < rounds; ++round) clients.play_round(released);
    expect_allocations(allocations);
    ASSERT_FALSE(clients.failed());
    const auto theirs = diagnostics::now(network) - server_before;
    const auto ours = diagnostics::now(clients.loop()) - client_before;
    // A round trip is counted as one message, although each side sends and receives.
    constexpr auto trips = static_cast<double>(rounds * round_messages);
    EXPECT_EQ(ours.messages, 2 * rounds * round_messages);
    EXPECT_LT(static_cast<double>(theirs.system_calls) / trips, GetParam().system_calls_a_message_max);
    EXPECT_LT(static_cast<double>(ours.system_calls) / trips, GetParam().system_calls_a_message_max);
    EXPECT_EQ(theirs.memory_requests, 0U);
    EXPECT_EQ(ours.memory_requests, 0U);
    RecordProperty("server_system_calls_per_message", std::to_string(static_cast<double>(theirs.system_calls) / trips));
    RecordProperty("clients_system_calls_per_message", std::to_string(static_cast<double>(ours.system_calls) / trips));
}

}  // namespace
