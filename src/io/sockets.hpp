// The kernel's sockets as every kernel engine opens, binds and tunes them: non-blocking, closed on exec, without Nagle's delay.
// How they are waited for is the engines' own.
#pragma once
#include "base/unique_fd.hpp"
#include "io/endpoint.hpp"
#include "io/loop.hpp"

#include <mnet/error.hpp>

#include <cstddef>

namespace mnet::inline v1::io {

/// What errno says now.
std::error_code last_error() noexcept;

/// A listening socket. A Unix path whose listener is gone (nobody accepts there) is taken over.
result<base::unique_fd> open_listener(const endpoint& where, const listen_settings& settings) noexcept;

/// A socket for `connect(2)` to `where`.
result<base::unique_fd> open_stream(const endpoint& where) noexcept;

/// Whether an IPv4 or IPv6 address is one of this host's: only those can be bound.
bool is_of_this_host(const endpoint& where) noexcept;

result<endpoint> local_endpoint_of(int descriptor) noexcept;
result<endpoint> remote_endpoint_of(int descriptor) noexcept;

void apply(const stream_settings& settings, int descriptor) noexcept;

/// Removes the file of a Unix path listener; nothing for other sockets.
void remove_socket_file(int descriptor) noexcept;

std::size_t unacknowledged_bytes_of(int descriptor) noexcept;

/// Whether the connection of a TCP socket is over, by a reset too: what is not acknowledged then never will be.
bool is_over(int descriptor) noexcept;

}  // namespace mnet::inline v1::io
