// What messages cost, for your own tests to assert: system calls, requests for memory, bytes held.
//
//     const auto before = mnet::diagnostics::now(network);
//     ... exchange a thousand messages ...
//     const auto used = mnet::diagnostics::now(network) - before;
//     EXPECT_EQ(used.memory_requests, 0U);
//     EXPECT_LT(used.per_message(used.system_calls), 0.15);
//
// `now` takes a network, an mtcp::loop, or a client (then it is about the client's loop: a blocking client has one to itself). Counted is
// what the library does: its loops' system calls, and the memory of messages, which comes from a pool in each loop. The objects behind
// clients, coroutine frames and your own code use operator new; how often that was called, <mnet/allocation_counter.hpp> knows, in a
// program that links mnet::allocation_counter. `resident_bytes` is the system's view of all of it.
//
// Let some messages pass before the first look: a pool and a socket's buffers grow to what is needed, once.
// Thread: a network from any thread; its counters are brought up to date at the end of each turn of its loops, so a turn that goes on is
// missing. A loop and a client from their own thread, exactly.
#pragma once
#include <mnet/client.hpp>
#include <mnet/export.hpp>
#include <mnet/statistics.hpp>

#include <concepts>
#include <cstdint>

namespace mnet::inline v1::diagnostics {

/// What was done between two looks, and by how much the levels have changed meanwhile.
struct costs {
    std::uint64_t messages = 0;              // committed, and given to the user; each end of a message counts where it is
    std::uint64_t system_calls = 0;          // of the loops
    std::uint64_t memory_requests = 0;       // times that a pool asked the system for memory (operator new, mmap, mremap)
    std::int64_t clients = 0;                // more than before; networks only
    std::int64_t memory_in_use_bytes = 0;    // lent to clients: windows in use, half frames, unsent messages
    std::int64_t memory_retained_bytes = 0;  // kept in the pools for the next client

    /// `amount` by `messages`; 0 when there was none.
    constexpr double per_message(std::uint64_t amount) const noexcept {
        return messages == 0 ? 0.0 : static_cast<double>(amount) / static_cast<double>(messages);
    }
};

/// The counters of a moment.
class snapshot {
public:
    constexpr explicit snapshot(const network_statistics& counted) noexcept : counted_(counted) {}

    const network_statistics& counted() const noexcept { return counted_; }

    friend constexpr costs operator-(const snapshot& later, const snapshot& earlier) noexcept {
        const auto more = [&](std::uint64_t network_statistics::* counter) { return later.counted_.*counter - earlier.counted_.*counter; };
        const auto change = [&](std::uint64_t network_statistics::* level) { return static_cast<std::int64_t>(more(level)); };
        return {.messages = more(&network_statistics::messages_sent) + more(&network_statistics::messages_received),
                .system_calls = more(&network_statistics::system_calls),
                .memory_requests = more(&network_statistics::memory_requests),
                .clients = change(&network_statistics::clients),
                .memory_in_use_bytes = change(&network_statistics::memory_in_use_bytes),
                .memory_retained_bytes = change(&network_statistics::memory_retained_bytes)};
    }

private:
    network_statistics counted_;
};

/// A network, or an mtcp::loop.
template <typename Source>
    requires requires(const Source& source) {
        { source.statistics() } -> std::same_as<network_statistics>;
    }
snapshot now(const Source& source) {
    return snapshot(source.statistics());
}

/// The loop that a client lives on, with all its clients.
inline snapshot now(const client& source) noexcept { return snapshot(source.loop_statistics()); }

/// Memory of this process that is in RAM, exactly, in bytes: the kernel walks the pages (proc(5), smaps_rollup), which takes about a
/// millisecond. The growth over many clients by their number is what a client costs. 0 when the system does not tell.
MNET_API std::uint64_t resident_bytes() noexcept;

}  // namespace mnet::inline v1::diagnostics
