// The counting operator new and delete ([new.delete]: a program may replace them), a library of its own that a program links to have them.
// Memory comes from malloc as before. Clang's sanitizers bring their own, which can't be replaced: under them nothing is counted.
#include <mnet/allocation_counter.hpp>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MNET_NEW_IS_TAKEN
#endif
#endif

namespace mnet::inline v1::diagnostics {

namespace {

constinit std::atomic<std::uint64_t> total{0};
constinit thread_local std::uint64_t own = 0;
constinit thread_local int pauses = 0;

[[maybe_unused]] void count() noexcept {
    if (pauses != 0) return;
    total.fetch_add(1, std::memory_order_relaxed);
    ++own;
}

[[maybe_unused]] void* counted(std::size_t bytes) noexcept {
    void* const memory = std::malloc(bytes == 0 ? 1 : bytes);
    if (memory != nullptr) count();
    return memory;
}

[[maybe_unused]] void* counted(std::size_t bytes, std::align_val_t alignment) noexcept {
    const auto step = static_cast<std::size_t>(alignment);
    // aligned_alloc wants a size that is a multiple of the alignment; 0 and a size that wraps around fail there.
    const std::size_t rounded = (bytes + step - 1) / step * step;
    void* const memory = rounded < bytes ? nullptr : std::aligned_alloc(step, rounded == 0 ? step : rounded);
    if (memory != nullptr) count();
    return memory;
}

template <typename... Alignment>
void* counted_or_throw(std::size_t bytes, Alignment... alignment) {
    for (;;) {
        if (void* const memory = counted(bytes, alignment...)) return memory;
        const std::new_handler handler = std::get_new_handler();
        if (handler == nullptr) throw std::bad_alloc();
        handler();
    }
}

}  // namespace

std::uint64_t allocations() noexcept { return total.load(std::memory_order_relaxed); }
std::uint64_t allocations_of_this_thread() noexcept { return own; }

bool allocations_are_counted() noexcept {
#ifdef MNET_NEW_IS_TAKEN
    return false;
#else
    return true;
#endif
}

uncounted_allocations::uncounted_allocations() noexcept { ++pauses; }
uncounted_allocations::~uncounted_allocations() { --pauses; }

}  // namespace mnet::inline v1::diagnostics

#ifndef MNET_NEW_IS_TAKEN

using mnet::diagnostics::counted;
using mnet::diagnostics::counted_or_throw;

void* operator new(std::size_t bytes) { return counted_or_throw(bytes); }
void* operator new[](std::size_t bytes) { return counted_or_throw(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return counted_or_throw(bytes, alignment); }
void* operator new[](std::size_t bytes, std::align_val_t alignment) { return counted_or_throw(bytes, alignment); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return counted(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return counted(bytes); }
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept { return counted(bytes, alignment); }
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept { return counted(bytes, alignment); }

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }

#endif
