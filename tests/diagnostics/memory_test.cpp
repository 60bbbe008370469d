// What clients hold, asserted with the means that users have: nothing while they are idle, and nothing after a large message.
#include "mtcp/channel.hpp"
#include "mtcp/resources.hpp"

#include <mnet/allocation_counter.hpp>
#include <mnet/diagnostics.hpp>
#include <mnet/mnet.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace {

namespace diagnostics = mnet::diagnostics;
namespace mtcp = mnet::mtcp;

using mtcp_test::eventually;
using mtcp_test::soon_enough;

constexpr std::int64_t retained_bytes_max = std::int64_t{4} << 20;  // what a loop keeps (src/mtcp/worker.cpp)

mtcp::network acknowledging_server() {
    // Shared memory is the segment's, not the pool's: off, whatever the environment says.
    auto opened = mtcp::listen({.address = "127.0.0.1:0", .shared_memory = mtcp::sharing::off},
                               [](mnet::client& client, mnet::message) noexcept { (void)client.send("ok"); });
    EXPECT_TRUE(opened.has_value());
    return *std::move(opened);
}

mnet::client connect_to(const mtcp::network& network) {
    auto connected = mtcp::connect(network.address());
    EXPECT_TRUE(connected.has_value());
    return *std::move(connected);
}

/// Whether the server has given back the windows of the turn that answered: the answer is here before they are.
bool is_idle(const mtcp::network& network) {
    return eventually([&] { return network.statistics().memory_in_use_bytes == 0; });
}

TEST(Memory, OfTheServerIsNotInUseWhileClientsAreIdle) {
    auto network = acknowledging_server();
    const auto before = diagnostics::now(network);
    std::vector<mnet::client> clients;
    for (int count = 0; count < 50; ++count) {
        clients.push_back(connect_to(network));
        ASSERT_TRUE(clients.back().send("hello").has_value());
        ASSERT_TRUE(clients.back().read(soon_enough).has_value());
    }
    EXPECT_TRUE(is_idle(network));
    EXPECT_EQ((diagnostics::now(network) - before).clients, 50);
}

TEST(Memory, OfALargeMessageGoesBackWhenItWasRead) {
    constexpr std::size_t large = std::size_t{16} << 20;
    auto network = acknowledging_server();
    auto client = connect_to(network);
    ASSERT_TRUE(client.send("hello").has_value());
    ASSERT_TRUE(client.read(soon_enough).has_value());
    ASSERT_TRUE(is_idle(network));
    const auto before = diagnostics::now(network);
    {
        const std::vector<std::byte> payload(large);
        ASSERT_TRUE(client.send(payload).has_value());
    }
    ASSERT_TRUE(client.read(soon_enough).has_value());
    EXPECT_TRUE(is_idle(network));
    const auto after = diagnostics::now(network) - before;
    EXPECT_GT(after.memory_requests, 0U);
    EXPECT_LE(after.memory_retained_bytes, retained_bytes_max);
}

TEST(Memory, OfThisProcessIsWhatTheKernelSays) {
    if (!mtcp_test::memory_is_measurable) GTEST_SKIP() << "the sanitizer has its own way with memory";
    constexpr std::size_t bytes = std::size_t{64} << 20;
    const auto before = diagnostics::resident_bytes();
    const std::vector<char> touched(bytes, 'x');
    const auto after = diagnostics::resident_bytes();
    ASSERT_GT(before, 0U);
    EXPECT_GE(after, before + bytes - bytes / 16);
    EXPECT_EQ(touched.back(), 'x');
}

/// Something made with new, which the optimiser has to make.
template <typename Value>
std::unique_ptr<Value> made() {
    auto fresh = std::make_unique<Value>();
    asm volatile("" : : "r"(fresh.get()) : "memory");
    return fresh;
}

TEST(AllocationCounter, CountsEachFormOfNewByThreadAndInAll) {
    if (!diagnostics::allocations_are_counted()) GTEST_SKIP() << "operator new is the sanitizer's";
    struct alignas(64) aligned {
        std::byte bytes[64];
    };
    const auto all = diagnostics::allocations();
    const auto mine = diagnostics::allocations_of_this_thread();
    const auto one = made<int>();
    const auto wide = made<aligned>();
    std::vector<int> many(100);
    asm volatile("" : : "r"(many.data()) : "memory");
    EXPECT_EQ(diagnostics::allocations_of_this_thread() - mine, 3U);
    std::uint64_t theirs = 0;
    std::thread([&theirs] {
        const auto before = diagnostics::allocations_of_this_thread();
        const auto other = made<int>();
        theirs = diagnostics::allocations_of_this_thread() - before;
    }).join();
    EXPECT_EQ(theirs, 1U);
    EXPECT_GE(diagnostics::allocations() - all, 5U);  // a thread is allocated too
}

TEST(AllocationCounter, CanBePaused) {
    if (!diagnostics::allocations_are_counted()) GTEST_SKIP() << "operator new is the sanitizer's";
    const auto before = diagnostics::allocations_of_this_thread();
    {
        const diagnostics::uncounted_allocations pause;
        const auto uncounted = made<int>();
    }
    EXPECT_EQ(diagnostics::allocations_of_this_thread(), before);
    const auto counted = made<int>();
    EXPECT_EQ(diagnostics::allocations_of_this_thread(), before + 1);
}

}  // namespace
