// How often this program has asked for memory: the whole of operator new is replaced by one that counts (allocations.cpp).
#pragma once
#include <cstdint>

namespace mnet::bench {

/// Successful calls of operator new in any of its forms, by any thread, since the program started.
std::uint64_t allocations() noexcept;

}  // namespace mnet::bench
