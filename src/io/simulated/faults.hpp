// What goes wrong in a simulated world, and how often. Everything is off by default: what remains is a network that is fast, even and
// finite. A probability is from 0 (never) to 1 (always); a range is drawn from anew each time. May be changed while the world runs.
#pragma once
#include <chrono>
#include <cstddef>
#include <limits>

namespace mnet::inline v1::io::simulated {

struct duration_range {
    std::chrono::nanoseconds min{0};
    std::chrono::nanoseconds max{0};  // at least min
};

struct faults {
    // The network's shape: never off.

    /// How long a segment, a connect, an end or a reset is on its way. Nothing overtakes within a connection.
    duration_range latency{.min = std::chrono::microseconds(20), .max = std::chrono::microseconds(20)};
    /// What one direction holds of bytes that have not reached the peer's kernel; full, `send` is left pending.
    std::size_t send_buffer_bytes = 64 * 1024;
    /// What a kernel holds of bytes that its process has not received; full, bytes stay with the sender (a zero window).
    std::size_t receive_buffer_bytes = 64 * 1024;
    /// Streams and listeners that the world's process may have open: beyond it accept, connect and listen say EMFILE.
    std::size_t handles_max = std::numeric_limits<std::size_t>::max();

    // What a correct program does not notice.

    /// A receive gives 1 to n of the n bytes that it could give.
    double short_receives = 0;
    /// A send takes 1 to n of the n bytes that it could take.
    double short_sends = 0;
    /// A send that could be answered at once is left pending, for `answer_delay`.
    double pending_sends = 0;
    /// `try_receive` says try again although there are bytes: they are taken to arrive a moment later.
    double late_receives = 0;
    /// An answer of any kind comes `answer_delay` after it could have come.
    double late_answers = 0;
    duration_range answer_delay{.min = std::chrono::nanoseconds(0), .max = std::chrono::microseconds(100)};
    /// `run_once` returns at once, with nothing done.
    double spurious_wakes = 0;
    /// How long a listener takes to hear of a new connection.
    duration_range accept_delay{};

    // What ends connections, or keeps them from starting.

    /// At a delivery: the connection is reset instead, at both ends.
    double resets = 0;
    /// At a delivery: both ends vanish for each other (half-open): nothing is ever delivered any more, no end and no reset either.
    /// Only keep_alive, user_timeout or, after a quarter of an hour of retrying, unacknowledged bytes end it (ETIMEDOUT).
    double vanishings = 0;
    /// A connect is refused although somebody listens.
    double refusals = 0;
    /// An accept says EMFILE; the connection stays in the backlog.
    double accept_failures = 0;
    /// An attach says ENOSPC, and the handle is closed.
    double attach_failures = 0;

    // Time.

    /// At any step: the clock skips ahead by up to `clock_jump_max` (a thread that was not scheduled, a machine that was suspended).
    double clock_jumps = 0;
    std::chrono::nanoseconds clock_jump_max = std::chrono::seconds(10);
};

/// All that a correct program does not notice, often enough to be met in every run.
inline faults lossless_faults() noexcept {
    using namespace std::chrono_literals;
    faults all;
    all.latency = {.min = 1us, .max = 2ms};
    all.short_receives = 0.3;
    all.short_sends = 0.3;
    all.pending_sends = 0.2;
    all.late_receives = 0.2;
    all.late_answers = 0.2;
    all.answer_delay = {.min = 0ns, .max = 500us};
    all.spurious_wakes = 0.1;
    all.accept_delay = {.min = 0ns, .max = 1ms};
    return all;
}

}  // namespace mnet::inline v1::io::simulated
