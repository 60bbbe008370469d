// Makes a frame of a payload (frame.hpp). For who brings their own transport: `client` writes payloads in place and stores the length when
// the message is committed.
//
// Thread: everything here, from any thread.
#pragma once
#include <mnet/wire/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mnet::inline v1::wire {

/// Bytes on the wire of a message of `payload_bytes`.
constexpr std::size_t frame_bytes(std::size_t payload_bytes) noexcept { return header_bytes + payload_bytes; }

/// Copies one whole frame to the front of `target`; returns the bytes written, `frame_bytes(payload.size())`.
/// 0, and nothing written, when the payload is longer than `length_max` or the frame does not fit. The two must not overlap.
[[nodiscard]] inline std::size_t encode(std::span<std::byte> target, std::span<const std::byte> payload) noexcept {
    if (payload.size() > length_max || target.size() < frame_bytes(payload.size())) return 0;
    store_length(target.data(), static_cast<std::uint32_t>(payload.size()));
    if (!payload.empty()) std::memcpy(target.data() + header_bytes, payload.data(), payload.size());
    return frame_bytes(payload.size());
}

}  // namespace mnet::inline v1::wire
