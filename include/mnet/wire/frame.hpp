// The frame: what one message looks like on every transport.
//
//      0               4                4+n
//      +---------------+-----------------+
//      | n, u32        | n bytes         |
//      | big-endian    | of payload      |
//      +---------------+-----------------+
//
// - A connection is a sequence of frames in each direction: no greeting, no trailer, no padding.
// - n = 0 is a message, an empty one, and is delivered as such.
// - A receiver takes frames however the transport cuts them. A sender writes length and payload in one go: some peers lose the connection
//   when the two arrive apart.
// - n above the receiver's bound ends the connection. No bound is above `length_max`, so the first four bytes of a TLS, HTTP or PROXY v2
//   stream can never be a length, and the refusal names them (see decoder.hpp).
// - The top bit of the length is reserved for control frames of a later, negotiated mode; until then such a length is above every bound.
//
// The specification, with test vectors: docs/wire.md. Erlang's `{packet, 4}`, Tokio's LengthDelimitedCodec, Netty's
// LengthFieldBasedFrameDecoder(max, 0, 4, 0, 4) and Twisted's Int32StringReceiver speak it.
//
// Thread: everything here, from any thread.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mnet::inline v1::wire {

/// Bytes of the length in front of a payload.
inline constexpr std::size_t header_bytes = 4;

/// The longest payload in bytes that any receiver may accept: 208 MiB - 1.
inline constexpr std::uint32_t length_max = 208U * 1024U * 1024U - 1U;

/// The length that the `header_bytes` bytes at `source` say; any alignment.
inline std::uint32_t load_length(const std::byte* source) noexcept {
    std::uint32_t length = 0;
    std::memcpy(&length, source, header_bytes);
    if constexpr (std::endian::native == std::endian::little) length = std::byteswap(length);
    return length;
}

/// Writes `length` into the `header_bytes` bytes at `target`; any alignment.
inline void store_length(std::byte* target, std::uint32_t length) noexcept {
    if constexpr (std::endian::native == std::endian::little) length = std::byteswap(length);
    std::memcpy(target, &length, header_bytes);
}

}  // namespace mnet::inline v1::wire
