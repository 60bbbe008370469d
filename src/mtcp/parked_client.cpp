// It is counted, and told of, as a connection whose handshake ends before it has begun.
#include "mtcp/parked_client.hpp"

#include "base/assert.hpp"
#include "mtcp/network_core.hpp"
#include "mtcp/worker.hpp"

#include <mnet/tls.hpp>

#include <exception>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

parked_client::parked_client(worker& host) noexcept
    : host_(host), timer_(this, [](void* self) noexcept { static_cast<parked_client*>(self)->cut(); }) {
    host_.join(*this);
}

parked_client::~parked_client() {
    host_.pool().release(first_bytes_);
    host_.leave(*this);
}

result<> parked_client::attach(int accepted) noexcept {
    if (auto attached = host_.loop().attach(*this, accepted); !attached) return attached;
    host_.loop().set(timer_, host_.loop().now() + host_.bounds().handshake_timeout);
    host_.loop().receive_once(*this);
    return {};
}

void parked_client::let_go() noexcept {
    host_.network()->forget_parked();
    delete this;
}

// Its first bytes -----------------------------------------------------------------------------------------------------------------

std::span<std::byte> parked_client::lend() noexcept {
    if (first_bytes_ == nullptr) first_bytes_ = host_.pool().acquire(first_bytes_max);
    if (first_bytes_ == nullptr) return {};
    return {first_bytes_->data(), first_bytes_max};
}

void parked_client::received(result<std::size_t> bytes) noexcept {
    worker& host = host_;  // outlives it
    const turn turn(host);
    if (!bytes || *bytes == 0) {
        fail(bytes ? make_error_code(tls_errc::closed_during_handshake) : bytes.error());
        return;
    }
    first_bytes_->end = *bytes;
    if (host.network()->may_begin_handshake(host, *this)) begin();
}

/// The network has its handle then, and its place is the connection's, or free.
void parked_client::begin() noexcept {
    worker& host = host_;
    const turn turn(host);
    host.network()->serve_parked(host, host.loop().release(*this), *this);
    delete this;
}

base::block& parked_client::give_first_bytes() noexcept {
    MNET_ASSERT(first_bytes_ != nullptr, "who has spoken has bytes, and gives them once");
    host_.pool().disown(*first_bytes_);
    return *std::exchange(first_bytes_, nullptr);
}

std::chrono::nanoseconds parked_client::time_left() const noexcept { return timer_.due() - host_.loop().now(); }

// Its end without a thread --------------------------------------------------------------------------------------------------------

void parked_client::cut() noexcept { fail(make_error_code(tls_errc::handshake_too_slow)); }

void parked_client::stop() noexcept {
    if (open()) end(make_error_code(errc::already_closed), text_of_peer());
}

void parked_client::fail(std::error_code why) noexcept {
    const std::string peer = text_of_peer();
    host_.network()->tell_handshake_failed(peer, why, {});
    host_.accounts().add(entry::handshakes_failed, 1);
    host_.accounts().add(entry::clients_failed, 1);
    end(why, peer);
}

void parked_client::end(std::error_code why, const std::string& peer) noexcept {
    host_.network()->tell_refused({.address = peer, .transport = "tls"}, why);
    leave();
    host_.loop().cancel(timer_);
    host_.loop().close(*this);
}

void parked_client::closed() noexcept {
    worker& host = host_;
    const turn turn(host);
    let_go();
}

std::string parked_client::text_of_peer() const noexcept {
    try {
        const auto where = host_.loop().remote_endpoint(*this);
        return where ? (where->is_unix() ? "" : "tls://") + where->text() : std::string();
    } catch (const std::exception&) {  // no memory: then nobody knows
        return {};
    }
}

void parked_client::connected(result<>) noexcept { MNET_ASSERT(false, "it was accepted"); }

void parked_client::sent(result<std::size_t>) noexcept { MNET_ASSERT(false, "it sends nothing"); }

}  // namespace mnet::inline v1::mtcp::detail
