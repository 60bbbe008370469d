// Clocks and counters of this process: see measurement.hpp.
#include "measurement.hpp"

#include <mnet/allocation_counter.hpp>

namespace mnet::bench {

usage usage_now(std::uint64_t system_calls) noexcept {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    const auto cpu_ns = static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(used.tv_nsec);
    return {.cpu_ns = cpu_ns, .allocations = diagnostics::allocations(), .system_calls = system_calls};
}

}  // namespace mnet::bench
