// What goes wrong in a simulated world, and how often. Everything is off by default: what remains is a network that is fast, even and
// finite. A probability is from 0 (never) to 1 (always); a range is drawn from anew each time. May be changed while the world runs.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace mnet::inline v1::simulation {

struct duration_range {
    std::chrono::nanoseconds min{0};
    std::chrono::nanoseconds max{0};  // at least min
};

struct faults {
    // The network's shape: never off.

    /// How long a segment, a connect, an end or a reset is on its way. Nothing overtakes within a connection.
    duration_range latency{.min = std::chrono::microseconds(20), .max = std::chrono::microseconds(20)};
    /// What one direction of a connection carries, in bytes a second; 0: without limit.
    std::uint64_t bandwidth_bytes = 0;
    /// What one direction holds of bytes that have not reached the peer's kernel; full, a send is left pending. At least 1.
    std::size_t send_buffer_bytes = 64 * 1024;
    /// What a kernel holds of bytes that its process has not received; full, bytes stay with the sender (a zero window). At least 1.
    std::size_t receive_buffer_bytes = 64 * 1024;
    /// Streams and listeners that the world's processes may have open: beyond it accept, connect and listen say EMFILE.
    std::size_t handles_max = std::numeric_limits<std::size_t>::max();

    // What a correct program does not notice.

    /// A receive gives 1 to n of the n bytes that it could give.
    double short_receives = 0;
    /// A send takes 1 to n of the n bytes that it could take.
    double short_sends = 0;
    /// A send that could be answered at once is left pending, for `answer_delay`; in every other of them the bytes leave before the answer does.
    double pending_sends = 0;
    /// A receive that asks for what is there says try again although there are bytes: they are taken to arrive a moment later.
    double late_receives = 0;
    /// An answer of any kind comes `answer_delay` after it could have come.
    double late_answers = 0;
    duration_range answer_delay{.min = std::chrono::nanoseconds(0), .max = std::chrono::microseconds(100)};
    /// A loop returns at once from its wait, with nothing done.
    double spurious_wakes = 0;
    /// A loop that was woken is woken for the same once more.
    double duplicate_wakes = 0;
    /// How long a listener takes to hear of a new connection.
    duration_range accept_delay{};
    /// At the making of a connection, for each of its ends: it reads slowly, every receive is answered `slow_read_delay` late.
    double slow_readers = 0;
    duration_range slow_read_delay{.min = std::chrono::nanoseconds(0), .max = std::chrono::milliseconds(100)};

    // What ends connections, or keeps them from starting.

    /// At a delivery: the connection is reset instead, at both ends.
    double resets = 0;
    /// At a delivery: both ends vanish for each other (half-open): nothing is ever delivered any more, no end and no reset either.
    /// Only dead_after or, after a quarter of an hour of retrying, unacknowledged bytes end it (ETIMEDOUT).
    double vanishings = 0;
    /// At a delivery between two machines: the two are cut off from each other for `partition_length`. What is on its way is sent again
    /// until it arrives, as TCP does, or until the sender gives up as for `vanishings`; new connections try again every second.
    double partitions = 0;
    duration_range partition_length{.min = std::chrono::milliseconds(10), .max = std::chrono::seconds(10)};
    /// A connect is refused although somebody listens.
    double refusals = 0;
    /// An accept says EMFILE; the connection stays in the backlog.
    double accept_failures = 0;
    /// A connection that was accepted finds the engine's table full (ENOSPC), and is closed.
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
    all.duplicate_wakes = 0.1;
    all.accept_delay = {.min = 0ns, .max = 1ms};
    return all;
}

/// How often each fault struck. A partition counts once, however much it delayed; cuts and slow readers by order count with the others.
struct injections {
    std::uint64_t short_receives = 0;
    std::uint64_t short_sends = 0;
    std::uint64_t pending_sends = 0;
    std::uint64_t late_receives = 0;
    std::uint64_t late_answers = 0;
    std::uint64_t spurious_wakes = 0;
    std::uint64_t duplicate_wakes = 0;
    std::uint64_t slow_readers = 0;
    std::uint64_t full_buffers = 0;  // sends that found no room, and deliveries that found a zero window
    std::uint64_t full_tables = 0;   // handles_max, accept_failures, attach_failures
    std::uint64_t resets = 0;
    std::uint64_t vanishings = 0;
    std::uint64_t partitions = 0;
    std::uint64_t refusals = 0;
    std::uint64_t clock_jumps = 0;

    std::uint64_t total() const noexcept {
        return short_receives + short_sends + pending_sends + late_receives + late_answers + spurious_wakes + duplicate_wakes +
               slow_readers + full_buffers + full_tables + resets + vanishings + partitions + refusals + clock_jumps;
    }

    injections& operator+=(const injections& more) noexcept {
        short_receives += more.short_receives;
        short_sends += more.short_sends;
        pending_sends += more.pending_sends;
        late_receives += more.late_receives;
        late_answers += more.late_answers;
        spurious_wakes += more.spurious_wakes;
        duplicate_wakes += more.duplicate_wakes;
        slow_readers += more.slow_readers;
        full_buffers += more.full_buffers;
        full_tables += more.full_tables;
        resets += more.resets;
        vanishings += more.vanishings;
        partitions += more.partitions;
        refusals += more.refusals;
        clock_jumps += more.clock_jumps;
        return *this;
    }
};

}  // namespace mnet::inline v1::simulation
