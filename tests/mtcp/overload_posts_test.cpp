// Posts and broadcasts to a reader that stops: dropped by its client's rule, in the mailbox and behind it, counted, and marked.
#include "numbered_messages.hpp"
#include "servers.hpp"

#include <mnet/overload.hpp>

#include <string>
#include <tuple>

namespace mtcp_test {
namespace {

using mnet::at_bound;

class PostsToAReaderThatStops : public testing::TestWithParam<carrier> {};
INSTANTIATE_TEST_SUITE_P(On, PostsToAReaderThatStops, testing::ValuesIn(all_carriers), carrier_name);

TEST_P(PostsToAReaderThatStops, AreDroppedByItsPolicyWhileOthersGetAll) {
    auto network = serve(
        [](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); },
        {.address = fresh_address(GetParam()), .unsent_bytes_max = bound, .overload = {.policy = at_bound::drop_oldest, .marker = marker}});
    auto stopped = connect_to(network.address());
    auto other = connect_to(network.address());
    expect_echo(stopped, "here");
    expect_echo(other, "here");
    constexpr std::uint64_t rounds = 200;
    constexpr std::uint64_t posts_a_round = stream_messages / rounds;
    reading seen;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        for (std::uint64_t post = 0; post < posts_a_round; ++post) {
            ASSERT_EQ(network.broadcast(numbered(round * posts_a_round + post)), 2U) << "a policy that drops takes every post";
        }
        for (std::uint64_t read = 0; read < posts_a_round; ++read) {
            const auto message = other.read({.deadline = mnet::within(patience)});
            ASSERT_TRUE(message);
            seen.take(message->text());
        }
    }
    EXPECT_TRUE(seen.sound);
    EXPECT_EQ(seen.gaps, 0U) << "who reads gets all";
    EXPECT_EQ(seen.messages, stream_messages);
    const auto total = network.statistics();
    EXPECT_GT(total.messages_dropped, 0U);
    EXPECT_EQ(total.overloaded_client, 1U);

    ASSERT_EQ(network.broadcast(last_word), 2U);
    reading late;
    while (!late.ended) {
        const auto message = stopped.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(message) << message.error().message();
        late.take(message->text());
    }
    EXPECT_TRUE(late.sound);
    const auto after = network.statistics();
    EXPECT_EQ(late.gaps, after.gaps);
    EXPECT_EQ(late.messages, stream_messages + 1 + after.gaps - after.messages_dropped);
}

/// A client whose handler stands still when it is told to, so that posts pile up in its mailbox.
class PostsToAHandlerThatStandsStill : public testing::TestWithParam<std::tuple<at_bound, carrier>> {};
INSTANTIATE_TEST_SUITE_P(On, PostsToAHandlerThatStandsStill,
                         testing::Combine(testing::Values(at_bound::drop_oldest, at_bound::drop_newest), testing::ValuesIn(all_carriers)),
                         [](const auto& chosen) {
                             const bool oldest = std::get<0>(chosen.param) == at_bound::drop_oldest;
                             return (oldest ? "DropOldest_" : "DropNewest_") + name_of(std::get<1>(chosen.param));
                         });

TEST_P(PostsToAHandlerThatStandsStill, AreDroppedInItsMailboxWithAMarkerForEachGap) {
    const auto [policy, what] = GetParam();
    constexpr std::size_t few = bound / 8;  // in shared memory, what is left of all rounds finds room in place
    channel<bool> stands;
    channel<bool> go_on;
    auto network = serve(
        [&](mnet::client&, mnet::message) noexcept {
            stands.put(true);
            (void)go_on.take();
        },
        {.address = fresh_address(what), .unsent_bytes_max = few, .overload = {.policy = policy, .marker = marker}});
    auto client = connect_to(network.address());
    constexpr std::uint64_t posts_a_round = 1000;
    static_assert(posts_a_round * message_bytes > 4 * few);
    std::uint64_t dropped = 0;
    for (std::uint64_t round = 0; round < 3; ++round) {
        ASSERT_TRUE(client.send("stand still"));
        ASSERT_TRUE(client.flush());
        ASSERT_TRUE(stands.take());
        for (std::uint64_t post = 0; post < posts_a_round; ++post) {
            (void)network.broadcast(numbered(round * posts_a_round + post));
        }
        go_on.put(true);
        ASSERT_TRUE(eventually([&] { return network.statistics().messages_dropped > dropped + posts_a_round / 2; }));
        dropped = network.statistics().messages_dropped;
    }
    ASSERT_EQ(network.broadcast(last_word), 1U);
    reading seen;
    while (!seen.ended) {
        const auto message = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(message) << message.error().message();
        seen.take(message->text());
    }
    EXPECT_TRUE(seen.sound) << "out of order, or a gap without its marker";
    const auto total = network.statistics();
    EXPECT_GE(seen.gaps, 1U);
    EXPECT_LE(seen.gaps, total.gaps) << "gaps may become one";
    EXPECT_EQ(seen.messages, 3 * posts_a_round + 1 + total.gaps - total.messages_dropped);
}

}  // namespace
}  // namespace mtcp_test
