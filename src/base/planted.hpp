// Bugs that a build can have on purpose, one at a time (CMake: -DMNET_PLANTED_BUG=lost_remainder), to see that the simulation finds them:
// `./dev planted`. Without one, which is how every other build is, a planted place is a constant false and no code at all.
#pragma once
#include <cstdint>

namespace mnet::inline v1::base {

enum class bug : std::uint8_t {
    none,
    dropped_wake_up,      // who waits for room isn't told when the kernel takes the rest at once
    lost_remainder,       // of a send that took less than it was offered, the rest counts as sent
    off_by_one_at_bound,  // one byte more than unsent_bytes_max is not above it
    missed_deadline,      // a wait that is shorter than a tick of the timers never ends by itself
    double_delivery,      // what was received and not read is kept over a reconnect
    sent_again            // what an engine was offered when the connection was lost, and may have sent, is kept for the next one
};

#ifdef MNET_PLANTED_BUG
inline constexpr bug planted_bug = bug::MNET_PLANTED_BUG;
#else
inline constexpr bug planted_bug = bug::none;
#endif

consteval bool is_planted(bug which) { return planted_bug == which; }

}  // namespace mnet::inline v1::base
