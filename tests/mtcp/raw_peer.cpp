// Bare sockets: see raw_peer.hpp.
#include "raw_peer.hpp"

#include "io/endpoint.hpp"
#include "io/sockets.hpp"
#include "support/hex.hpp"

#include <mnet/address.hpp>
#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/socket.h>
#include <sys/time.h>
#include <utility>

namespace mtcp_test {

namespace {

void require(bool condition, const char* what) {
    if (condition) return;
    std::perror(what);
    std::abort();
}

mnet::io::endpoint endpoint_of(std::string_view text) {
    const auto address = mnet::address::parse(text);
    require(address.has_value(), "an address in a test");
    const bool abstract = address->what == mnet::address::kind::unix_abstract;
    const auto where = address->what == mnet::address::kind::tcp ? mnet::io::endpoint::numeric(address->host, address->port)
                                                                 : mnet::io::endpoint::unix_socket((abstract ? "@" : "") + address->path);
    require(where.has_value(), "a numeric address in a test");
    return *where;
}

mnet::base::unique_fd open_blocking(const mnet::io::endpoint& where) {
    mnet::base::unique_fd socket(::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    require(static_cast<bool>(socket), "socket");
    return socket;
}

/// A wait with a timeout is interrupted by more than handlers of signals (signal(7), the last section): by the end of an io_uring, too.
template <typename Call>
auto uninterrupted(Call call) {
    auto outcome = call();
    while (outcome < 0 && errno == EINTR) outcome = call();
    return outcome;
}

}  // namespace

raw_peer::raw_peer(std::string_view address) {
    const auto where = endpoint_of(address);
    socket_ = open_blocking(where);
    limit_waits();
    const int connected = uninterrupted([&] { return ::connect(socket_.get(), where.data(), where.length()); });
    require(connected == 0 || errno == EISCONN, "connect");
}

raw_peer::raw_peer(mnet::base::unique_fd connected) : socket_(std::move(connected)) { limit_waits(); }

void raw_peer::limit_waits() {
    const timeval minute{.tv_sec = 60, .tv_usec = 0};
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute);
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &minute, sizeof minute);
}

void raw_peer::send(std::span<const std::byte> what) {
    while (!what.empty()) {
        const ssize_t taken = uninterrupted([&] { return ::send(socket_.get(), what.data(), what.size(), MSG_NOSIGNAL); });
        require(taken > 0, "send");
        what = what.subspan(static_cast<std::size_t>(taken));
    }
}

void raw_peer::send(std::string_view hexadecimal) { send(support::hex(hexadecimal)); }

std::size_t raw_peer::send_what_fits(std::span<const std::byte> what) {
    std::size_t sent = 0;
    while (sent < what.size()) {
        const ssize_t taken = ::send(socket_.get(), what.data() + sent, what.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken <= 0) break;
        sent += static_cast<std::size_t>(taken);
    }
    return sent;
}

bytes raw_peer::receive(std::size_t count) {
    bytes all(count);
    std::size_t have = 0;
    while (have < count) {
        const ssize_t came = uninterrupted([&] { return ::recv(socket_.get(), all.data() + have, count - have, 0); });
        if (came < 0) {
            require(errno == ECONNRESET || errno == EPIPE, "recv");
            was_reset_ = true;
        }
        if (came <= 0) break;
        have += static_cast<std::size_t>(came);
    }
    all.resize(have);
    return all;
}

bytes raw_peer::receive_some() {
    bytes all(std::size_t{1} << 20);
    const ssize_t came = uninterrupted([&] { return ::recv(socket_.get(), all.data(), all.size(), 0); });
    was_reset_ = came < 0;
    all.resize(came > 0 ? static_cast<std::size_t>(came) : 0);
    return all;
}

bytes raw_peer::receive_to_end() {
    bytes all;
    for (auto more = receive(4096); !more.empty(); more = receive(4096)) {
        all.insert(all.end(), more.begin(), more.end());
        if (more.size() < 4096) break;
    }
    return all;
}

bytes raw_peer::receive_message() {
    const bytes header = receive(mnet::wire::header_bytes);
    if (header.size() < mnet::wire::header_bytes) return header;
    return receive(mnet::wire::load_length(header.data()));
}

void raw_peer::finish() { require(::shutdown(socket_.get(), SHUT_WR) == 0, "shutdown"); }

void raw_peer::reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
}

raw_listener::raw_listener(std::string_view address, int backlog) {
    const auto where = endpoint_of(address);
    socket_ = open_blocking(where);
    require(::bind(socket_.get(), where.data(), where.length()) == 0, "bind");
    require(::listen(socket_.get(), backlog) == 0, "listen");
    address_ = mnet::io::local_endpoint_of(socket_.get())->text();
}

raw_peer raw_listener::accept() {
    mnet::base::unique_fd accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    require(static_cast<bool>(accepted), "accept");
    return raw_peer(std::move(accepted));
}

bytes frame(std::span<const std::byte> payload) {
    bytes whole(mnet::wire::header_bytes + payload.size());
    mnet::wire::store_length(whole.data(), static_cast<std::uint32_t>(payload.size()));
    std::copy(payload.begin(), payload.end(), whole.begin() + mnet::wire::header_bytes);
    return whole;
}

bytes frame(std::string_view text) { return frame(std::as_bytes(std::span(text))); }

bytes pattern(std::size_t count, unsigned salt) {
    constexpr std::size_t period = std::size_t{251} * 256;
    bytes made(count);
    for (std::size_t index = 0; index < std::min(count, period); ++index) {
        made[index] = static_cast<std::byte>((index * 7 + index / 251 + salt) & 0xffU);
    }
    for (std::size_t have = period; have < count; have += std::min(have, count - have)) {
        std::memcpy(made.data() + have, made.data(), std::min(have, count - have));
    }
    return made;
}

bool same(std::span<const std::byte> left, std::span<const std::byte> right) {
    return left.size() == right.size() && (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

std::string text_of(std::span<const std::byte> what) { return {reinterpret_cast<const char*>(what.data()), what.size()}; }

}  // namespace mtcp_test
