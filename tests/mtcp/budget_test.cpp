// A thousand readers that stop: what the server holds for all of them keeps to one budget, whatever each would do at its bound, and a client
// that reads is served.
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <mnet/budget.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::at_bound;

constexpr std::size_t budget_bytes = std::size_t{64} << 20;
constexpr std::size_t posted_message_bytes = std::size_t{16} << 10;
constexpr std::size_t readers = 1000;

void echo(mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); }

class BudgetOfAThousandStoppedReaders : public testing::TestWithParam<at_bound> {};
INSTANTIATE_TEST_SUITE_P(With, BudgetOfAThousandStoppedReaders,
                         testing::Values(at_bound::refuse, at_bound::block, at_bound::drop_oldest, at_bound::drop_newest,
                                         at_bound::disconnect));

TEST_P(BudgetOfAThousandStoppedReaders, HoldsAndWhoReadsIsServed) {
    if (raise_descriptor_limit() < 2 * readers + 100) GTEST_SKIP() << "too few descriptors";
    const mnet::budget all(budget_bytes);
    // Unix sockets: their kernel's share is small, and the same for all.
    auto network = serve(
        echo, {.address = fresh_address(carrier::unix_abstract), .overload = {.policy = GetParam(), .patience = patience}, .budget = &all});
    std::vector<raw_peer> stopped;
    stopped.reserve(readers);
    for (std::size_t count = 0; count < readers; ++count) stopped.emplace_back(network.address());
    ASSERT_TRUE(eventually([&] { return network.statistics().clients == readers; }));
    const std::size_t before = resident_bytes();

    const std::string text(posted_message_bytes, 'x');
    std::uint64_t most = 0;
    const auto post = [&] {
        (void)network.broadcast(text);
        most = std::max(most, all.unsent_bytes());
    };
    ASSERT_TRUE(eventually([&] {
        post();
        return most > budget_bytes / 4 * 3;
    }));
    for (int more = 0; more < 100; ++more) post();
    EXPECT_LE(most, budget_bytes + readers * (posted_message_bytes + mnet::wire::header_bytes)) << "soft by a message of each";
    if (memory_is_measurable) {
        // Blocks are larger than what lies in them, by a half at most on the whole.
        EXPECT_LE(resident_bytes(), before + budget_bytes / 2 * 3 + 2 * readers * posted_message_bytes);
    }
    EXPECT_TRUE(eventually([&] { return network.statistics().overloaded_client != 0; })) << "a slow one is named";
    auto client = connect_to(network.address());
    for (int count = 0; count < 100; ++count) expect_echo(client, "still served");

    for (auto& each : stopped) each.close();
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 1; }));
    EXPECT_EQ(all.unsent_bytes(), 0U) << "who is gone holds nothing";
}

TEST(Budget, IsSharedByNetworksAndClients) {
    constexpr std::size_t few_bytes = std::size_t{1} << 20;
    const mnet::budget all(few_bytes);
    EXPECT_EQ(all.unsent_bytes_max(), few_bytes);
    raw_listener listener;
    auto first = connect_to(listener.address(), {.budget = &all});
    auto second = connect_to(listener.address(), {.budget = &all});
    const std::string text(1000, 'x');
    while (first.send(text)) {
    }
    const auto held = first.unsent_bytes();
    EXPECT_LE(held, few_bytes / 2 + 2 * text.size()) << "one alone gets half";
    EXPECT_EQ(all.unsent_bytes(), held);
    while (second.send(text)) {
    }
    EXPECT_GT(second.unsent_bytes(), few_bytes / 8);
    EXPECT_LE(first.unsent_bytes() + second.unsent_bytes(), few_bytes + 2 * (text.size() + mnet::wire::header_bytes));
    raw_peer peer = listener.accept();
    peer.reset();
    (void)first.close({.deadline = mnet::within(std::chrono::seconds(0))});
    EXPECT_EQ(all.unsent_bytes(), second.unsent_bytes()) << "and gives it back";
}

}  // namespace
}  // namespace mtcp_test
