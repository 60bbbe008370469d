// What the simulated kernel asks of addresses: whether two of them collide, whether one reaches the other.
#pragma once
#include "io/endpoint.hpp"

#include <cstdint>

namespace mnet::inline v1::io::simulated {

endpoint with_port(const endpoint& where, std::uint16_t port) noexcept;

/// 0.0.0.0 or ::.
bool is_wildcard(const endpoint& where) noexcept;

/// Whether the two can't be bound at once: the same port, and the same host or a wildcard. The families keep apart (IPV6_V6ONLY).
bool collide(const endpoint& left, const endpoint& right) noexcept;

/// Whether a connect to `target` reaches who listens at `bound`.
bool reaches(const endpoint& target, const endpoint& bound) noexcept;

/// The address of a Unix socket that was never bound.
endpoint unnamed() noexcept;

}  // namespace mnet::inline v1::io::simulated
