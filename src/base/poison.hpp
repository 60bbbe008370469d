// Tells AddressSanitizer which memory nobody may touch for now. In other builds it does nothing.
#pragma once
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define MNET_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MNET_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef MNET_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace mnet::inline v1::base {

/// Every access to `[memory, memory + bytes)` is reported until it is unpoisoned. Memory goes back to the system unpoisoned.
inline void poison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MNET_ADDRESS_SANITIZER
    __asan_poison_memory_region(memory, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef MNET_ADDRESS_SANITIZER
    __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace mnet::inline v1::base
