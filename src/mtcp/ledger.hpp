// What a loop's clients have done, readable from any thread while they go on: each counter has one writer, the loop's thread.
#pragma once
#include <mnet/statistics.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mnet::inline v1::mtcp::detail {

enum class entry : std::uint8_t {
    clients_accepted,
    clients_refused,
    clients_failed,
    accept_pauses,
    handlers_threw,
    handshakes,
    handshakes_failed,
    handshakes_resumed,
    handshake_pauses,
    messages_sent,
    payload_bytes_sent,
    messages_received,
    payload_bytes_received,
    wire_bytes_sent,
    wire_bytes_received,
    writes_refused,
    pauses,
    system_calls,
    memory_requests,
    memory_in_use_bytes,
    memory_retained_bytes,
    count_of_entries,
};

class ledger {
public:
    /// By the one writer. A level falls by adding what wraps around.
    void add(entry what, std::uint64_t count) noexcept {
        auto& counter = counters_[static_cast<std::size_t>(what)];
        counter.store(counter.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
    }

    std::uint64_t get(entry what) const noexcept { return counters_[static_cast<std::size_t>(what)].load(std::memory_order_relaxed); }

    /// Adds all of it to `target`.
    void add_to(network_statistics& target) const noexcept;

    /// Takes over the counts of a ledger whose writer has ended.
    void absorb(const ledger& ended) noexcept;

private:
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(entry::count_of_entries)> counters_{};
};

}  // namespace mnet::inline v1::mtcp::detail
