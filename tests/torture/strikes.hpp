// One failure at a time, in a chosen place: the system calls that the library makes (wrapped.cpp), what it hands to io_uring (rings.cpp), its
// allocations and OpenSSL's (memory.cpp) ask here first. A place is a name and the address in the code that calls it; of a place the first call, the
// second and so on can be told to fail with a given error.
//
// Calls are numbered place by place, and not all in a row: several threads make them, whose order is another one each time.
//
// Thread: `strikes` and `unwatched` any, allocating nothing; the rest one, while the library does nothing.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace torture {

/// A place, and how it can fail there: errnos, what the kernel's pages say of that call.
struct place {
    const char* name = nullptr;
    std::uintptr_t address = 0;
    std::span<const int> errors{};
    std::uint32_t calls = 0;  // in this run
};

/// What shall fail: the `call`th call, from 1 on, at a place.
struct strike {
    const char* name = nullptr;
    std::uintptr_t address = 0;
    std::uint32_t call = 0;
    int error = 0;
};

/// Asked before a call. Not 0: it has to fail with this error. `errors` lives for ever.
int strikes(const char* name, std::uintptr_t address, std::span<const int> errors) noexcept;

/// From here on calls are counted, and the one that is meant (none: call 0) fails.
void begin(const strike& wanted) noexcept;

/// Ends that. Whether it came to the failure.
bool end() noexcept;

/// The places of the last run.
std::vector<place> places();

/// While it lives, what its thread does is neither counted nor struck: for what a scenario itself does.
class unwatched {
public:
    unwatched() noexcept;
    unwatched(const unwatched&) = delete;
    unwatched& operator=(const unwatched&) = delete;
    ~unwatched();
};

/// What the process holds: what must not grow by a failure.
struct holdings {
    std::int64_t allocations = 0;  // of operator new
    std::int64_t of_openssl = 0;   // of its malloc
    std::int64_t mapped_bytes = 0;
    std::int64_t descriptors = 0;
    std::int64_t threads = 0;

    std::string growth_since(const holdings& before) const;  // in words; empty when there is none
};

/// As it is when the threads of the last run are gone.
holdings held();

/// What memory.cpp and wrapped.cpp count.
void count_allocation(std::int64_t change) noexcept;
void count_openssl(std::int64_t change) noexcept;
void count_mapped(std::int64_t bytes) noexcept;

/// Has OpenSSL allocate through memory.cpp. Before anything else of it is used.
void watch_openssl();

}  // namespace torture
