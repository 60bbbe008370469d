// What makes a message of a benchmark checkable: its sequence number in its first and its last 8 bytes. Messages of 8 to 15 bytes carry
// it in front only; shorter ones have no room, and only their size is checked. Sender and receiver, plain or not, do the same work.
//
// Which of the three it is, is settled once for a stream of one size and then known to the compiler (`with_stamping`), so that the loops
// stay as tight as what they measure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace mnet::bench {

enum class stamping : std::uint8_t { none, front, both };

inline constexpr std::size_t stamp_bytes = sizeof(std::uint64_t);

/// Calls `function` with the stamping of messages of `size` bytes, as a std::integral_constant.
template <typename Function>
decltype(auto) with_stamping(std::size_t size, Function&& function) {
    if (size < stamp_bytes) return std::forward<Function>(function)(std::integral_constant<stamping, stamping::none>{});
    if (size < 2 * stamp_bytes) return std::forward<Function>(function)(std::integral_constant<stamping, stamping::front>{});
    return std::forward<Function>(function)(std::integral_constant<stamping, stamping::both>{});
}

template <stamping Stamping>
inline void stamp(std::span<std::byte> payload, std::uint64_t sequence) noexcept {
    if constexpr (Stamping != stamping::none) std::memcpy(payload.data(), &sequence, stamp_bytes);
    if constexpr (Stamping == stamping::both) std::memcpy(payload.data() + payload.size() - stamp_bytes, &sequence, stamp_bytes);
}

/// Whether `payload` has the size and the stamps of message `sequence`.
template <stamping Stamping>
inline bool intact(std::span<const std::byte> payload, std::size_t size, std::uint64_t sequence) noexcept {
    if (payload.size() != size) return false;
    std::uint64_t found = sequence;
    if constexpr (Stamping != stamping::none) std::memcpy(&found, payload.data(), stamp_bytes);
    if (found != sequence) return false;
    if constexpr (Stamping == stamping::both) std::memcpy(&found, payload.data() + size - stamp_bytes, stamp_bytes);
    return found == sequence;
}

/// The same, where what is measured takes microseconds and a branch is nothing.
inline void stamp(std::span<std::byte> payload, std::uint64_t sequence) noexcept {
    with_stamping(payload.size(), [&](auto stamping) { stamp<stamping.value>(payload, sequence); });
}
inline bool intact(std::span<const std::byte> payload, std::size_t size, std::uint64_t sequence) noexcept {
    return with_stamping(size, [&](auto stamping) { return intact<stamping.value>(payload, size, sequence); });
}

}  // namespace mnet::bench
