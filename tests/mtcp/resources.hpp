// What a process holds of the system's and asks of it: descriptors, memory, sleep; and how to be short of descriptors.
#pragma once
#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mtcp_test {

/// Open descriptors of this process.
std::size_t open_descriptors();

/// Waits until no more are open than when the program began: threads of an earlier test's network may still be closing theirs.
bool descriptors_of_earlier_tests_are_closed();

/// Resident memory of this process. Freed memory that the allocator keeps is given back first.
std::size_t resident_bytes();

/// Whether resident memory means anything: sanitizers keep what is freed.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool memory_is_measurable = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool memory_is_measurable = false;
#else
inline constexpr bool memory_is_measurable = true;
#endif
#else
inline constexpr bool memory_is_measurable = true;
#endif

/// How often threads of this process have gone to sleep.
std::uint64_t voluntary_switches();

/// Raises the number of descriptors as far as the system lets it; gives how far that is.
std::size_t raise_descriptor_limit();

/// As long as it lives, no descriptor can be opened.
class no_descriptors {
public:
    no_descriptors();
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

private:
    std::vector<mnet::base::unique_fd> taken_{};
};

}  // namespace mtcp_test
