// What can go wrong, as values: `result<T>` is a T or a std::error_code.
//
// Three categories meet in it. Ours, below, for what only a message library can say. std::system_category for what the kernel said, so
// that `error == std::errc::connection_refused` works. And std::generic_category for std::errc::timed_out (a deadline passed) and
// std::errc::operation_canceled (a stop token or a stopping network).
//
// Thread: everything here, from any thread.
#pragma once
#include <mnet/export.hpp>

#include <expected>
#include <system_error>
#include <type_traits>

namespace mnet::inline v1 {

template <typename T = void>
using result = std::expected<T, std::error_code>;

enum class errc {
    /// `try_read`: no whole message has arrived. Not a failure: ask again later.
    no_data_yet = 1,
    /// The unsent bytes of the client are above `unsent_bytes_max`, or a `flush` on a loop left bytes to the loop. Not a failure:
    /// nothing was lost; wait with `flush` or `async_flush`, then write again.
    would_block,
    /// The client was closed on this side.
    already_closed,
    /// The peer finished between two messages. Everything it sent was read.
    end_of_stream,
    /// The stream ended, or the connection was reset, inside a message. The messages before it were read.
    truncated,
    /// A message is longer than `message_bytes_max`; or a writer was filled past its reservation.
    message_too_large,
    /// The first bytes are a TLS ClientHello (RFC 8446, section 4.1.2).
    peer_speaks_tls,
    /// The first bytes are HTTP (RFC 9112 request or response line, RFC 9113 preface).
    peer_speaks_http,
    /// The first bytes are a PROXY protocol v2 header, and this listener was not told to expect one.
    unexpected_proxy_header,
    /// An address text that names no address. See mnet/address.hpp.
    invalid_address,
    /// A waiting call (`read`, `wait`, a `flush` or `close` that waits) on a client whose thread runs an event loop: it would stop every
    /// other client of that loop. Use the `async_` form in a coroutine.
    blocks_the_loop,
    /// The network has `clients_max` clients.
    too_many_clients,
    /// A handler threw; its client was closed.
    handler_threw,
    /// A peer in shared memory wrote what no mnet writes there: it is broken, or hostile. Its connection was closed.
    protocol_violation,
    /// The peer, or the way to it, is dead: it acknowledged nothing, and answered no probe, for as long as it may (`dead_after`), whatever the
    /// kernel calls that (ETIMEDOUT, EHOSTUNREACH, ENETUNREACH). A deadline of one's own is std::errc::timed_out.
    peer_silent,
    /// A message began to arrive, and did not end within `message_timeout`.
    message_too_slow,
    /// The connection was lost and is being made anew (`connect_options::reconnect`): what should have been written was not taken.
    reconnecting,
    /// Once after each return, by the first read, or under `fail_fast` by the first write if that comes before: the connection was lost, and is there
    /// again. All that came before the loss was read; what was written before it may or may not have arrived: `client::last_delivery` has the
    /// account. Not a failure: read, or write, again.
    reconnected,
    /// The client is at its bound, and the message was dropped and counted, as its option says (mnet/overload.hpp). Not to be written again.
    message_dropped,
    /// The client's unsent bytes were above `overload::soft_bytes` for too long; it was closed.
    too_slow,
};

/// The category of `errc`; its name is "mnet". Messages say what happened and what to do.
MNET_API const std::error_category& category() noexcept;

inline std::error_code make_error_code(errc code) noexcept { return {static_cast<int>(code), category()}; }

/// `return failure(errc::truncated);` in a function that gives a result.
inline std::unexpected<std::error_code> failure(std::error_code code) noexcept { return std::unexpected(code); }
inline std::unexpected<std::error_code> failure(errc code) noexcept { return std::unexpected(make_error_code(code)); }
inline std::unexpected<std::error_code> failure(std::errc code) noexcept { return std::unexpected(std::make_error_code(code)); }

}  // namespace mnet::inline v1

template <>
struct std::is_error_code_enum<mnet::errc> : std::true_type {};
