// Which clock it is, and what its ticks are: see trip_clock.hpp.
#include "trip_clock.hpp"

#include <cmath>
#include <fstream>
#include <string>

namespace mnet::bench {

namespace {

/// The kernel has tried whether the counter runs at one speed on all processors, and keeps away from it otherwise.
bool is_kept_by_cycles() {
    std::string source;
    std::ifstream("/sys/devices/system/clocksource/clocksource0/current_clocksource") >> source;
    return source == "tsc";
}

}  // namespace

trip_clock::trip_clock() noexcept
    : counts_cycles_([] {
          static const bool is = is_kept_by_cycles();
          return is;
      }()),
      begun_ns_(now_ns()),
      begun_(now()) {}

void trip_clock::to_ns(std::span<std::uint64_t> ticks) const noexcept {
    const auto elapsed_ns = static_cast<double>(now_ns() - begun_ns_);
    const auto elapsed = static_cast<double>(now() - begun_);
    if (!counts_cycles_ || elapsed == 0) return;
    for (std::uint64_t& each : ticks) each = static_cast<std::uint64_t>(std::llround(static_cast<double>(each) * elapsed_ns / elapsed));
}

}  // namespace mnet::bench
