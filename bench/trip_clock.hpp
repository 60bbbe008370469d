// The clock of round trips: as cheap to ask as this machine has one. A trip through shared memory takes 0.1 to 0.5 us, and a call of clock_gettime(2)
// 0.02 to 0.05 of them: so the processor's own counter is read where the kernel keeps its time by it, and the calendar of a round makes
// nanoseconds of it.
//
// Source: RDTSC, Intel 64 and AMD64 manuals; Linux, Documentation/virt/kvm/x86/timekeeping.rst.
#pragma once
#include "measurement.hpp"

#include <cstdint>
#include <span>

namespace mnet::bench {

class trip_clock {
public:
    /// Begins a round.
    trip_clock() noexcept;

    /// In ticks of its own.
    std::uint64_t now() const noexcept {
#if defined(__x86_64__)
        if (counts_cycles_) return __builtin_ia32_rdtsc();
#endif
        return now_ns();
    }

    /// Ends a round: makes nanoseconds of these differences between its ticks.
    void to_ns(std::span<std::uint64_t> ticks) const noexcept;

private:
    const bool counts_cycles_;
    const std::uint64_t begun_ns_;
    const std::uint64_t begun_;
};

}  // namespace mnet::bench
