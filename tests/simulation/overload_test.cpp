// Servers that drop, in many simulated worlds: whatever the network does, what arrives is in order, once, with a marker at each gap; and what
// was sent is what was received, dropped, or told of as lost.
#include "seeds/choices.hpp"

#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <vector>

namespace mnet {
namespace {

using namespace std::chrono_literals;
using seeds::choices;
using simulation::machine;
using simulation::world;

constexpr std::string_view marker = "gap";
constexpr std::string_view last_word = "end";

std::string numbered(std::uint64_t number, std::size_t bytes) {
    std::string text = std::to_string(number) + " ";
    if (text.size() < bytes) text.resize(bytes, '.');
    return text;
}

/// How a server's side ended.
struct sender {
    client_statistics counted{};
    std::uint64_t refused = 0;  // message_dropped
    bool has_sent_all = false;
};

struct reader {
    std::uint64_t messages = 0;
    std::uint64_t gaps = 0;
    std::uint64_t next = 0;
    bool at_gap = false;
    bool ended = false;
    std::error_code error{};
};

/// One seed: a server that sends numbers in bursts to a client that reads when it likes, with a policy that drops.
class dropping_world {
public:
    explicit dropping_world(std::uint64_t seed, bool lossless)
        : dice_(seed), lossless_(lossless), world_({.seed = seed, .faults = luck(), .again = {}}) {}

    simulation::verdict run() {
        {
            const mtcp::listen_options options{
                .unsent_bytes_max = 1 + dice_.below(dice_.one_in(2) ? 2000 : 100'000),
                .overload = {.policy = dice_.one_in(2) ? at_bound::drop_oldest : at_bound::drop_newest, .marker = marker}};
            posts_ = dice_.one_in(2);
            auto server = world_.listen(options, [this](client& client) { return stream(client); }, machine{0});
            mtcp::loop& loop = world_.make_loop(machine{1});
            world_.start("reader", read(loop, server->address()));
            (void)world_.run(24h);
            judge();
        }
        return world_.finish();
    }

    const sender& sent() const noexcept { return sent_; }

private:
    simulation::faults luck() {
        simulation::faults all = simulation::lossless_faults();
        all.send_buffer_bytes = all.receive_buffer_bytes = 1 + dice_.below(3000);
        if (dice_.one_in(3)) all.bandwidth_bytes = 50'000 + dice_.below(1'000'000);
        if (!lossless_) {
            all.resets = 0.002;
            all.partitions = 0.002;
        }
        return all;
    }

    task<result<>> stream(client& client) {
        const peer self = client.self();
        const std::uint64_t messages = 50 + dice_.below(400);
        const std::size_t longest = 1 + dice_.below(dice_.one_in(3) ? 5000 : 200);
        for (std::uint64_t number = 0; number < messages; ++number) {
            const std::string text = numbered(number, dice_.below(longest + 1));
            const auto sent = posts_ ? self.send(text) : client.send(text);
            const bool dropped = !sent && sent.error() == errc::message_dropped;
            if (dropped) ++sent_.refused;
            if (!sent && !dropped) break;
            if (dice_.one_in(20)) co_await simulation::pause(client, std::chrono::microseconds(dice_.below(5000)));
        }
        co_await simulation::pause(client, 1ms);  // posts are taken over by then
        (void)co_await client.async_flush();
        const auto last = client.send(last_word);
        const auto flushed = co_await client.async_flush();
        sent_.has_sent_all = last && flushed;
        sent_.counted = client.statistics();
        if (lossless_) (void)co_await client.async_read();  // its end
        co_return result<>{};
    }

    task<void> read(mtcp::loop& loop, std::string address) {
        auto connected = co_await mtcp::async_connect(loop, address);
        if (!connected) {
            seen_.error = connected.error();
            co_return;
        }
        client client = *std::move(connected);
        while (!seen_.ended && !seen_.error) {
            if (dice_.one_in(30)) co_await simulation::pause(loop, std::chrono::milliseconds(dice_.below(20)));
            const auto message = co_await client.async_read();
            if (message) {
                take(message->text());
            } else {
                seen_.error = message.error();
            }
        }
        (void)co_await client.async_close();
    }

    void take(std::string_view text) {
        ++seen_.messages;
        if (text == marker) {
            world_.expect(!seen_.at_gap, "a gap has one marker");
            seen_.at_gap = true;
            ++seen_.gaps;
            return;
        }
        seen_.ended = text == last_word;
        std::uint64_t number = seen_.next;
        if (!seen_.ended) std::from_chars(text.data(), text.data() + text.size(), number);
        world_.expect(number >= seen_.next, "what arrives is in order, once");
        world_.expect(number == seen_.next || seen_.at_gap, "there is no gap without a marker");
        world_.expect(seen_.ended || number > seen_.next || !seen_.at_gap, "there is no marker without a gap");
        seen_.at_gap = false;
        seen_.next = number + 1;
    }

    void judge() {
        const client_statistics& counted = sent_.counted;
        if (lossless_) {
            world_.expect(seen_.ended && sent_.has_sent_all, "where nothing is lost, the last word arrives");
            world_.expect(counted.messages_sent == seen_.messages + counted.messages_dropped, "sent is received and dropped");
            world_.expect(counted.gaps >= seen_.gaps, "no gap is seen that was not counted");
        } else if (sent_.has_sent_all) {
            world_.expect(counted.messages_sent >= seen_.messages + counted.messages_dropped, "nothing arrives that was not sent");
        }
        world_.expect(seen_.ended || seen_.error, "there is no loss without an error");
    }

    choices dice_;
    bool lossless_;
    bool posts_ = false;
    sender sent_{};
    reader seen_{};
    world world_;
};

std::uint64_t seeds() {
    const char* const asked = std::getenv("MNET_SEEDS");
    return asked != nullptr ? std::strtoull(asked, nullptr, 10) : 500;
}

void run_seeds(bool lossless) {
    std::uint64_t dropped = 0;
    std::uint64_t gaps = 0;
    const std::uint64_t first = simulation::seed_or(1);
    for (std::uint64_t seed = first; seed < first + seeds(); ++seed) {
        dropping_world world(seed, lossless);
        const auto verdict = world.run();
        ASSERT_TRUE(verdict) << "seed " << seed << "\n" << verdict.report;
        dropped += world.sent().counted.messages_dropped;
        gaps += world.sent().counted.gaps;
    }
    EXPECT_GT(dropped, seeds()) << "these worlds overload their servers";
    EXPECT_GT(gaps, seeds() / 2);
}

TEST(SimulatedOverload, DropsWholeMessagesInOrderWithAMarkerAtEachGap) { run_seeds(true); }

TEST(SimulatedOverload, AccountsForAllWhereConnectionsAreLost) { run_seeds(false); }

// A budget ------------------------------------------------------------------------------------------------------------------------

task<void> connect_and_stop(mtcp::loop& loop, std::string address, std::vector<client>& stopped) {
    auto connected = co_await mtcp::async_connect(loop, address);
    if (connected) stopped.push_back(*std::move(connected));
}

task<void> ask(mtcp::loop& loop, std::string address, int questions, int& answered) {
    auto connected = co_await mtcp::async_connect(loop, address);
    if (!connected) co_return;
    client client = *std::move(connected);
    while (answered < questions) {
        (void)client.send("?");
        (void)co_await client.async_flush();
        const auto answer = co_await client.async_read({.deadline = within(10s)});
        if (!answer) break;
        answered += answer->text() == "?" ? 1 : 0;
    }
    (void)co_await client.async_close();
}

class BudgetOfAThousandStoppedReaders : public testing::TestWithParam<at_bound> {};
INSTANTIATE_TEST_SUITE_P(With, BudgetOfAThousandStoppedReaders,
                         testing::Values(at_bound::refuse, at_bound::drop_oldest, at_bound::drop_newest, at_bound::disconnect));

TEST_P(BudgetOfAThousandStoppedReaders, HoldsAndWhoReadsIsServed) {
    constexpr std::size_t budget_bytes = std::size_t{4} << 20;
    constexpr std::size_t message_bytes = 1000;
    constexpr std::size_t readers = 1000;
    simulation::faults narrow{};
    narrow.send_buffer_bytes = narrow.receive_buffer_bytes = 2000;
    world world({.seed = 1, .faults = narrow});
    {
        const budget all(budget_bytes);
        const auto echo = [](client& client, message message) noexcept { (void)client.send(message.bytes()); };
        auto server = world.listen({.overload = {.policy = GetParam(), .patience = 1h}, .budget = &all}, echo);
        std::vector<client> stopped;
        stopped.reserve(readers);
        mtcp::loop& loop = world.make_loop();
        for (std::size_t index = 0; index < readers; ++index) world.start("reader", connect_and_stop(loop, server->address(), stopped));
        ASSERT_TRUE(world.run(1h));
        ASSERT_EQ(stopped.size(), readers);
        // Each is sent four times as much as its share of the budget.
        const std::string text(message_bytes, 'x');
        std::uint64_t most = 0;
        for (std::size_t round = 0; round < 4 * budget_bytes / readers / message_bytes; ++round) {
            (void)server->broadcast(text);
            world.run_for(1ms);
            most = std::max(most, all.unsent_bytes());
        }
        EXPECT_GT(most, budget_bytes / 2);
        EXPECT_LE(most, budget_bytes + readers * (message_bytes + 4)) << "soft by a message of each";
        int answered = 0;
        world.start("asker", ask(loop, server->address(), 100, answered));
        EXPECT_TRUE(world.run(1h));
        EXPECT_EQ(answered, 100);
        stopped.clear();
        (void)server->stop(within(1s));
        EXPECT_EQ(all.unsent_bytes(), 0U) << "who is gone holds nothing";
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

}  // namespace
}  // namespace mnet
