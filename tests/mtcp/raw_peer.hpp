// A peer that is no mnet: a bare blocking socket, for tests that say what goes over the wire byte by byte.
//
// Whatever waits gives up after a minute, so that a test that would hang fails instead.
#pragma once
#include "base/unique_fd.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mtcp_test {

using bytes = std::vector<std::byte>;

class raw_peer {
public:
    /// Connects. A test can't go on without: it ends the program when that fails.
    explicit raw_peer(std::string_view address);
    explicit raw_peer(mnet::base::unique_fd connected);

    /// Sends all of it, as one system call where the kernel takes it in one.
    void send(std::span<const std::byte> what);
    void send(std::string_view hexadecimal);

    /// Sends as much as fits into the sockets, without waiting; gives how much that was.
    std::size_t send_what_fits(std::span<const std::byte> what);

    /// `count` bytes; fewer when the stream ended before.
    bytes receive(std::size_t count);

    /// One call of recv(2): what has arrived, at least one byte; empty at the end.
    bytes receive_some();

    /// Everything up to the end of the stream, or up to its reset.
    bytes receive_to_end();

    /// The payload of one frame.
    bytes receive_message();

    /// Half-close: the other side reads an end of stream.
    void finish();

    /// Closes with a reset instead of an end of stream.
    void reset();

    /// Whether the stream ended by a reset, as far as `receive` has got.
    bool was_reset() const noexcept { return was_reset_; }

    void close() noexcept { socket_.reset(); }
    int descriptor() const noexcept { return socket_.get(); }

private:
    void limit_waits();

    mnet::base::unique_fd socket_;
    bool was_reset_ = false;
};

/// A listening socket, for raw peers that clients of mnet connect to.
class raw_listener {
public:
    explicit raw_listener(std::string_view address = "127.0.0.1:0", int backlog = 16);

    const std::string& address() const noexcept { return address_; }
    raw_peer accept();

private:
    mnet::base::unique_fd socket_;
    std::string address_;
};

/// `payload` as a frame.
bytes frame(std::span<const std::byte> payload);
bytes frame(std::string_view text);

/// `count` bytes in which each place is different from its neighbours: a byte lost or doubled shows.
bytes pattern(std::size_t count, unsigned salt = 0);

/// Byte by byte; quicker than what compilers make of std::equal when they don't optimise.
bool same(std::span<const std::byte> left, std::span<const std::byte> right);

std::string text_of(std::span<const std::byte> what);

}  // namespace mtcp_test
