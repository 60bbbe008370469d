// What one round of a benchmark measures, and the clocks and counters of a process that it is made from.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>

namespace mnet::bench {

/// What a process has used since it started, or between two such readings (their difference).
struct usage {
    std::uint64_t cpu_ns = 0;       // all threads, user and kernel
    std::uint64_t allocations = 0;  // calls of operator new
    std::uint64_t system_calls = 0;

    friend usage operator-(const usage& later, const usage& earlier) noexcept {
        return {later.cpu_ns - earlier.cpu_ns, later.allocations - earlier.allocations, later.system_calls - earlier.system_calls};
    }
};

/// This process, now. System calls are counted by whoever makes them.
usage usage_now(std::uint64_t system_calls) noexcept;

/// Memory of a process (this one without an id) that is in RAM, exactly: the kernel walks the pages (proc(5), smaps_rollup). 0 when it
/// does not tell.
std::uint64_t resident_bytes(std::optional<pid_t> process = std::nullopt) noexcept;

/// How long both sides of a benchmark poll before they sleep, when they are told to spin.
inline constexpr std::chrono::microseconds spin_time{1000};

/// CLOCK_MONOTONIC.
inline std::uint64_t now_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

struct measurement {
    std::uint64_t messages = 0;    // sent; round trips begun
    std::uint64_t delivered = 0;   // arrived whole and checked; round trips ended
    std::uint64_t bytes = 0;       // payload of what was delivered
    std::uint64_t elapsed_ns = 0;  // first write to the receiver's acknowledgement
    usage sender{};
    usage receiver{};

    double per_message(std::uint64_t amount) const noexcept {
        return messages == 0 ? 0.0 : static_cast<double>(amount) / static_cast<double>(messages);
    }
    double ns_per_message() const noexcept { return per_message(elapsed_ns); }
};

}  // namespace mnet::bench
