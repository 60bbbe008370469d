// How often a program has asked for memory. For tests and benchmarks: link mnet::allocation_counter (CMake), and the whole program's
// operator new is replaced by one that counts ([new.delete]: a program may). It costs an atomic addition an allocation.
//
//     const auto before = mnet::diagnostics::allocations();
//     ... exchange a thousand messages ...
//     EXPECT_EQ(mnet::diagnostics::allocations(), before);
//
// What calls malloc itself is not counted: C libraries, and the larger blocks of mnet's own pools, which are mapped
// (mnet/diagnostics.hpp counts those). Thread: any.
#pragma once
#include <cstdint>

namespace mnet::inline v1::diagnostics {

/// Successful calls of operator new in any of its forms, by any thread, since the program started.
std::uint64_t allocations() noexcept;

/// The same by the calling thread.
std::uint64_t allocations_of_this_thread() noexcept;

/// False where something else has replaced operator new already: clang's sanitizers. Then the counts stay 0, and say nothing.
bool allocations_are_counted() noexcept;

/// While it lives, what its thread allocates is not counted.
class uncounted_allocations {
public:
    uncounted_allocations() noexcept;
    uncounted_allocations(const uncounted_allocations&) = delete;
    uncounted_allocations& operator=(const uncounted_allocations&) = delete;
    ~uncounted_allocations();
};

}  // namespace mnet::inline v1::diagnostics
