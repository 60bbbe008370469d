// What a loop's clients have done, readable from any thread while they go on: each counter has one writer, the loop's thread.
#pragma once
#include <mnet/statistics.hpp>

#include <array>
#include <atomic>
#include <chrono>
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
    messages_dropped,
    payload_bytes_dropped,
    gaps,
    clients_too_slow,
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

    /// Adds all of it to `target`. `overloaded_at`: when the client was overloaded that is named there; of several ledgers the last one is.
    void add_to(network_statistics& target, std::chrono::nanoseconds& overloaded_at) const noexcept;

    /// The client that met its bound last, and when.
    void tell_overloaded(std::uint64_t client, std::chrono::nanoseconds now) noexcept {
        overloaded_client_.store(client, std::memory_order_relaxed);
        overloaded_at_.store(now.count(), std::memory_order_relaxed);
    }

    /// Takes over the counts of a ledger whose writer has ended.
    void absorb(const ledger& ended) noexcept;

private:
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(entry::count_of_entries)> counters_{};
    std::atomic<std::uint64_t> overloaded_client_{0};
    std::atomic<std::chrono::nanoseconds::rep> overloaded_at_{0};
};

}  // namespace mnet::inline v1::mtcp::detail
