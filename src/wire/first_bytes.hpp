// Tells who is calling from the first four bytes of a stream that cannot be a length (docs/wire.md): protocols that reach a plain port by
// mistake. Looks at bytes only; that they are the first of their stream, and no length, is for the caller to know.
#pragma once
#include <mnet/error.hpp>
#include <mnet/wire/frame.hpp>

#include <cstddef>
#include <span>

namespace mnet::inline v1::wire {

/// errc::peer_speaks_tls, errc::peer_speaks_http, errc::unexpected_proxy_header, else errc::message_too_large.
errc diagnose_first_bytes(std::span<const std::byte, header_bytes> first) noexcept;

}  // namespace mnet::inline v1::wire
