// One blocking socket with its two buffers: see plain_sockets.hpp.
#include "plain_sockets.hpp"

#include "io/endpoint.hpp"

#include <mnet/address.hpp>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mnet::bench::plain {

namespace {

/// The endpoints that a text means, by the system's resolver.
result<std::vector<io::endpoint>> resolve(const std::string& text) {
    const auto parsed = address::parse(text);
    if (!parsed) return std::unexpected(parsed.error());
    std::vector<io::endpoint> found;
    if (parsed->what != address::kind::tcp) {
        const std::string_view mark = parsed->what == address::kind::unix_abstract ? "@" : "";
        auto endpoint = io::endpoint::unix_socket(std::string(mark) + parsed->path);
        if (!endpoint) return std::unexpected(endpoint.error());
        found.push_back(*endpoint);
        return found;
    }

    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const std::string port = std::to_string(parsed->port);
    if (::getaddrinfo(parsed->host.empty() ? nullptr : parsed->host.c_str(), port.c_str(), &hints, &list) != 0)
        return failure(std::errc::host_unreachable);
    for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) found.emplace_back(entry->ai_addr, entry->ai_addrlen);
    ::freeaddrinfo(list);
    if (found.empty()) return failure(std::errc::host_unreachable);
    return found;
}

void switch_on(int socket, int level, int option) noexcept {
    const int on = 1;
    ::setsockopt(socket, level, option, &on, sizeof(on));
}

void set_patience(int socket) noexcept {
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

}  // namespace

std::error_code last_error() noexcept {
    // A blocking socket says EAGAIN when SO_RCVTIMEO or SO_SNDTIMEO has passed (socket(7)).
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::make_error_code(std::errc::timed_out);
    return {errno, std::system_category()};
}

result<base::unique_fd> connect_socket(const std::string& address) {
    const auto endpoints = resolve(address);
    if (!endpoints) return std::unexpected(endpoints.error());
    std::error_code error = std::make_error_code(std::errc::host_unreachable);
    for (const io::endpoint& endpoint : *endpoints) {
        base::unique_fd socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (!socket) return std::unexpected(last_error());
        set_patience(socket.get());
        if (::connect(socket.get(), endpoint.data(), endpoint.length()) == 0) {
            if (!endpoint.is_unix()) switch_on(socket.get(), IPPROTO_TCP, TCP_NODELAY);
            return socket;
        }
        error = last_error();
    }
    return std::unexpected(error);
}

result<base::unique_fd> listening_socket(const std::string& address) {
    const auto endpoints = resolve(address);
    if (!endpoints) return std::unexpected(endpoints.error());
    const io::endpoint& endpoint = endpoints->front();
    base::unique_fd socket(::socket(endpoint.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return std::unexpected(last_error());
    if (!endpoint.is_unix()) switch_on(socket.get(), SOL_SOCKET, SO_REUSEADDR);
    if (::bind(socket.get(), endpoint.data(), endpoint.length()) != 0 || ::listen(socket.get(), SOMAXCONN) != 0)
        return std::unexpected(last_error());
    return socket;
}

result<std::string> address_of(int socket) {
    sockaddr_storage storage{};
    socklen_t length = sizeof(storage);
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return std::unexpected(last_error());
    return io::endpoint(reinterpret_cast<const sockaddr*>(&storage), length).text();
}

connection::connection(base::unique_fd socket, waiting how, std::size_t message_bytes)
    : socket_(std::move(socket)),
      how_(how),
      send_capacity_(std::max(send_buffer_bytes, wire::header_bytes + message_bytes)),
      receive_capacity_(std::max(receive_buffer_bytes, wire::header_bytes + message_bytes)),
      send_buffer_(raw_memory(send_capacity_)),
      receive_buffer_(raw_memory(receive_capacity_)) {}

result<> connection::flush() noexcept {
    std::size_t sent = 0;
    while (sent < send_used_) {
        const ssize_t bytes = ::send(socket_.get(), send_buffer_.get() + sent, send_used_ - sent, MSG_NOSIGNAL);
        ++system_calls_;
        if (bytes < 0) {
            if (errno == EINTR) continue;
            error_ = last_error();
            return std::unexpected(error_);
        }
        sent += static_cast<std::size_t>(bytes);
    }
    send_used_ = 0;
    return {};
}

ssize_t connection::receive(std::span<std::byte> target) noexcept {
    if (how_ == waiting::spinning) {
        const std::uint64_t until = now_ns() + static_cast<std::uint64_t>(std::chrono::nanoseconds(spin_time).count());
        do {
            const ssize_t bytes = ::recv(socket_.get(), target.data(), target.size(), MSG_DONTWAIT);
            ++system_calls_;
            if (bytes >= 0 || errno != EAGAIN) return bytes;
        } while (now_ns() < until);
    }
    ++system_calls_;
    return ::recv(socket_.get(), target.data(), target.size(), 0);
}

result<> connection::fill() noexcept {
    if (taken_ > 0) {  // the frame that is not whole yet moves to the front, and the kernel fills up behind it
        std::memmove(receive_buffer_.get(), receive_buffer_.get() + taken_, received_ - taken_);
        received_ -= taken_;
        taken_ = 0;
    }
    while (whole_frame() == 0) {
        if (received_ == receive_capacity_) return failure(errc::message_too_large);
        const ssize_t bytes = receive({receive_buffer_.get() + received_, receive_capacity_ - received_});
        if (bytes < 0) {
            if (errno == EINTR) continue;
            error_ = last_error();
            return std::unexpected(error_);
        }
        if (bytes == 0) return failure(received_ == 0 ? errc::end_of_stream : errc::truncated);
        received_ += static_cast<std::size_t>(bytes);
    }
    return {};
}

result<> connection::send_text(std::string_view text) noexcept {
    std::byte* const target = room(text.size());
    if (target == nullptr) return std::unexpected(error_);
    std::memcpy(target, text.data(), text.size());
    commit(text.size());
    return flush();
}

}  // namespace mnet::bench::plain
