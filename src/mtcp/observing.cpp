// What observers are told (mnet/observer.hpp): of a connection that begins, lags behind and ends, and of a peer that was turned away.
//
// An observed connection has its `ending` from the beginning on: that keeps the peer's address, which the kernel forgets at a reset.
#include "io/sockets.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/observer.hpp>

#include <exception>
#include <string>

namespace mnet::inline v1::mtcp::detail {

observed connection::as_observed() const noexcept { return {.client = id_, .address = ending_->peer, .transport = name()}; }

template <typename Event>
void connection::tell(Event event) noexcept {
    if (role_ == role::served) {
        worker_.network()->tell(event);
    } else {
        event(*limits_in_force().observer);
    }
}

std::string connection::text_of_peer() const noexcept {
    try {
        return remote_address();
    } catch (const std::exception&) {  // no memory: then nobody knows
        return {};
    }
}

void connection::tell_of_beginning() noexcept {
    if (limits_in_force().observer == nullptr || make_ending() == nullptr) return;
    ending_->peer = text_of_peer();
    ending_->observed = true;
    ending_->slow_until = 0;
    tell([this](observer& told) { role_ == role::served ? told.accepted(as_observed()) : told.connected(as_observed()); });
}

void connection::tell_of_lagging() noexcept {
    if (!is_observed() || counted_.wire_bytes_sent < ending_->slow_until) return;
    const std::uint64_t unsent = unsent_bytes();
    ending_->slow_until = counted_.wire_bytes_sent + unsent / 2;
    tell([&](observer& told) { told.slow(as_observed(), unsent); });
}

void connection::tell_of_drops(std::uint64_t messages, std::uint64_t payload_bytes) noexcept {
    if (is_observed()) tell([&](observer& told) { told.dropped(as_observed(), messages, payload_bytes); });
}

void connection::tell_of_end() noexcept {
    if (is_observed()) {
        ending_->observed = false;
        tell([this](observer& told) { told.closed(as_observed(), close_reason_, ending_->account); });
    } else if (phase_ == phase::open) {
        tell_of_refusal(close_reason_);
    }
}

/// A served one whose handler never began.
void connection::tell_of_refusal(std::error_code why) noexcept {
    if (role_ != role::served || limits_in_force().observer == nullptr) return;
    const std::string peer = text_of_peer();
    worker_.network()->tell_refused({.address = peer, .transport = name()}, why);
}

/// Threads of handlers that did not end in time may still run, and the observer may go.
void network_core::fall_silent() noexcept {
    const std::unique_lock lock(observing_);
    silent_ = true;
}

void network_core::tell_refused(const io::loop& loop, int handle, const met* beside, std::error_code why) noexcept {
    if (!is_observed()) return;
    std::string address;
    try {
        if (loop.has_descriptors())
            if (const auto whose = io::remote_endpoint_of(handle)) address = whose->text();
    } catch (const std::exception&) {  // no memory: without it
        address.clear();
    }
    const bool by_unix = address.starts_with("unix:");
    tell_refused({.address = address, .transport = beside != nullptr ? "shared_memory" : by_unix ? "unix" : *tls_ ? "tls" : "tcp"}, why);
}

}  // namespace mnet::inline v1::mtcp::detail
