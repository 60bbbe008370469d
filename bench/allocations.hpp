// How often this program has asked for memory: the whole of operator new is replaced by one that counts (allocations.cpp).
#pragma once
#include <cstdint>

namespace mnet::bench {

/// Successful calls of operator new in any of its forms, by any thread, since the program started.
std::uint64_t allocations() noexcept;

/// While it lives, what this thread allocates is not counted: for the control messages between two counts, which are not what is measured.
class uncounted_allocations {
public:
    uncounted_allocations() noexcept;
    uncounted_allocations(const uncounted_allocations&) = delete;
    uncounted_allocations& operator=(const uncounted_allocations&) = delete;
    ~uncounted_allocations();
};

}  // namespace mnet::bench
