// The counters, summed up for a network's statistics.
#include "mtcp/ledger.hpp"

namespace mnet::inline v1::mtcp::detail {

void ledger::add_to(network_statistics& target, std::chrono::nanoseconds& overloaded_at) const noexcept {
    const std::chrono::nanoseconds at(overloaded_at_.load(std::memory_order_relaxed));
    if (at > overloaded_at) {
        overloaded_at = at;
        target.overloaded_client = overloaded_client_.load(std::memory_order_relaxed);
    }
    target.clients_accepted += get(entry::clients_accepted);
    target.clients_refused += get(entry::clients_refused);
    target.clients_failed += get(entry::clients_failed);
    target.accept_pauses += get(entry::accept_pauses);
    target.handlers_threw += get(entry::handlers_threw);
    target.handshakes += get(entry::handshakes);
    target.handshakes_failed += get(entry::handshakes_failed);
    target.handshakes_resumed += get(entry::handshakes_resumed);
    target.handshake_pauses += get(entry::handshake_pauses);
    target.messages_sent += get(entry::messages_sent);
    target.payload_bytes_sent += get(entry::payload_bytes_sent);
    target.messages_received += get(entry::messages_received);
    target.payload_bytes_received += get(entry::payload_bytes_received);
    target.wire_bytes_sent += get(entry::wire_bytes_sent);
    target.wire_bytes_received += get(entry::wire_bytes_received);
    target.writes_refused += get(entry::writes_refused);
    target.pauses += get(entry::pauses);
    target.messages_dropped += get(entry::messages_dropped);
    target.payload_bytes_dropped += get(entry::payload_bytes_dropped);
    target.gaps += get(entry::gaps);
    target.clients_too_slow += get(entry::clients_too_slow);
    target.system_calls += get(entry::system_calls);
    target.memory_requests += get(entry::memory_requests);
    target.memory_in_use_bytes += get(entry::memory_in_use_bytes);
    target.memory_retained_bytes += get(entry::memory_retained_bytes);
}

void ledger::absorb(const ledger& ended) noexcept {
    if (ended.overloaded_at_.load(std::memory_order_relaxed) > overloaded_at_.load(std::memory_order_relaxed)) {
        tell_overloaded(ended.overloaded_client_.load(std::memory_order_relaxed),
                        std::chrono::nanoseconds(ended.overloaded_at_.load(std::memory_order_relaxed)));
    }
    for (std::size_t index = 0; index < counters_.size(); ++index) {
        counters_[index].fetch_add(ended.counters_[index].load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
}

}  // namespace mnet::inline v1::mtcp::detail
