// operator new ([new.delete]: a program may replace it) and OpenSSL's malloc (CRYPTO_set_mem_functions(3)), which fail when it is their turn.
// Clang's sanitizers bring an operator new that can't be replaced: under them only OpenSSL's fail.
#include "torture/strikes.hpp"

#include <openssl/crypto.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TORTURE_NEW_IS_TAKEN
#endif
#endif

namespace {

constexpr std::array no_memory{ENOMEM};

[[maybe_unused]] void* allocate(std::size_t bytes, std::size_t alignment, std::uintptr_t caller) noexcept {
    if (torture::strikes("operator new", caller, no_memory) != 0) return nullptr;
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* const memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
    if (memory != nullptr) torture::count_allocation(1);
    return memory;
}

[[maybe_unused]] void give_back(void* memory) noexcept {
    if (memory != nullptr) torture::count_allocation(-1);
    std::free(memory);
}

[[maybe_unused]] void* or_throw(void* memory) {
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

/// The same in each run, wherever the library was loaded: a line of its sources.
std::uintptr_t place_of(const char* file, int line) noexcept {
    std::uintptr_t hash = 5381;
    for (; file != nullptr && *file != '\0'; ++file) hash = hash * 33 + static_cast<unsigned char>(*file);
    return (hash & 0xFFFFFU) << 16U | static_cast<std::uint16_t>(line);
}

void* openssl_malloc(std::size_t bytes, const char* file, int line) {
    if (bytes == 0 || torture::strikes("OpenSSL's malloc", place_of(file, line), no_memory) != 0) return nullptr;
    void* const memory = std::malloc(bytes);
    if (memory != nullptr) torture::count_openssl(1);
    return memory;
}

void openssl_free(void* memory, const char* /*file*/, int /*line*/) {
    if (memory != nullptr) torture::count_openssl(-1);
    std::free(memory);
}

void* openssl_realloc(void* memory, std::size_t bytes, const char* file, int line) {
    if (memory == nullptr) return openssl_malloc(bytes, file, line);
    if (bytes == 0) {
        openssl_free(memory, file, line);
        return nullptr;
    }
    if (torture::strikes("OpenSSL's malloc", place_of(file, line), no_memory) != 0) return nullptr;
    return std::realloc(memory, bytes);
}

}  // namespace

void torture::watch_openssl() {
    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1) std::abort();
}

#ifndef TORTURE_NEW_IS_TAKEN

#define TORTURE_CALLER reinterpret_cast<std::uintptr_t>(__builtin_return_address(0))
constexpr std::size_t usual = alignof(std::max_align_t);

void* operator new(std::size_t bytes) { return or_throw(allocate(bytes, usual, TORTURE_CALLER)); }
void* operator new[](std::size_t bytes) { return or_throw(allocate(bytes, usual, TORTURE_CALLER)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return or_throw(allocate(bytes, static_cast<std::size_t>(alignment), TORTURE_CALLER));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
    return or_throw(allocate(bytes, static_cast<std::size_t>(alignment), TORTURE_CALLER));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, usual, TORTURE_CALLER); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, usual, TORTURE_CALLER); }
void* operator new(std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(bytes, static_cast<std::size_t>(alignment), TORTURE_CALLER);
}
void* operator new[](std::size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(bytes, static_cast<std::size_t>(alignment), TORTURE_CALLER);
}

void operator delete(void* memory) noexcept { give_back(memory); }
void operator delete[](void* memory) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { give_back(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { give_back(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { give_back(memory); }

#endif
