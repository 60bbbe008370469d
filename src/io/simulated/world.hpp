// A whole distributed system in one process and one thread: any number of loops that share one clock, one network and one seed. Time is
// virtual: it moves when something happens, and skips what lies between. The same seed and the same calls give the same run.
//
// Whoever calls `run_once` of any of its loops, or `run_until`, drives the world: events are taken in the order of virtual time, and
// answers, timers and wake functions of all loops are called from there, not only those of the loop that was asked. So a blocking
// client can wait on its own loop while the loop of its server, in the same thread, serves it.
//
// One at a time: `run_once` from inside an answer ends the process with a sentence, because there the loop could be entered again while
// it is in the middle of something. The same happens to a wait without end where nothing can ever happen any more (a deadlock), to a
// request on a stream that is closed, and to bytes that were changed while the engine owned them: seed, time and trace go to stderr.
//
// Thread: the one that made it, `wake` too.
#pragma once
#include "io/simulated/network.hpp"
#include "io/simulated/random.hpp"
#include "io/simulated/simulated_loop.hpp"
#include "io/simulated/timeline.hpp"
#include "io/simulated/trace.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mnet::inline v1::io::simulated {

class world {
public:
    explicit world(std::uint64_t seed, const faults& luck_at_first = {}) noexcept : luck(luck_at_first), seed_(seed), dice_(seed) {}
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world();  // after its loops (asserted)

    /// May be changed at any time; what is on its way already is not changed by it.
    faults luck;

    /// A loop on a machine; those of one are never cut off from each other.
    std::unique_ptr<io::loop> make_loop(int machine = 0) { return std::make_unique<simulated_loop>(*this, machine); }

    std::uint64_t seed() const noexcept { return seed_; }
    std::chrono::nanoseconds now() const noexcept { return time_.now(); }

    /// The next event or timer, if one is due by `limit`.
    bool step(std::chrono::nanoseconds limit = never);

    /// Steps until `done()`, or until `limit`: true for the first. Without a limit, nothing left to happen is a deadlock.
    bool run_until(const std::function<bool()>& done, std::chrono::nanoseconds limit = never);

    /// Steps all that is due by then, and lets it be that time.
    void run_until(std::chrono::nanoseconds time);

    /// Calls it in so long, from a step of its own.
    void call_after(std::chrono::nanoseconds delay, std::move_only_function<void()> what);
    void forget_calls() noexcept { calls_.clear(); }

    /// Whether nothing is left to happen.
    bool quiet() const noexcept;

    // Misfortune by order. A handle is a stream's or listener's `handle`; where none of an open connection is given, nothing happens.

    /// The network resets the connection: both ends notice at once, what is on its way is lost.
    void reset(int handle);
    /// Both ends vanish for each other: see faults::vanishings.
    void vanish(int handle);
    /// Resets the connection as soon as so many more bytes, sent by this end, have arrived.
    void cut_after(int handle, std::size_t bytes);
    /// The clock skips ahead; what was due in between happens late.
    void jump(std::chrono::nanoseconds duration);
    /// See faults::partitions; until `reunite`, or for so long.
    void part(int one, int other, std::chrono::nanoseconds length = never);
    void reunite(int one, int other) { network_.reunite(one, other); }
    /// See faults::slow_readers.
    void slow_down(int handle);

    /// Streams and listeners that the processes of this world hold.
    std::size_t open_handles() const noexcept { return network_.open_handles(); }

    /// Ends of connections that the kernel still has: those held, those that wait to be accepted, and those closed whose last bytes
    /// are on their way.
    std::size_t kernel_sockets() const noexcept { return network_.sockets(); }

    const injections& injected() const noexcept { return network_.injected(); }
    /// How far the clock has skipped by jumps since then.
    std::chrono::nanoseconds jumped(std::chrono::nanoseconds since) const noexcept;
    void watch(observer* who) noexcept { network_.watch(who); }

    /// See random::follow.
    void follow(std::span<const std::byte> throws) noexcept { dice_.follow(throws); }

    /// The command that runs the same again, for reports. By default: MNET_SEED and what this process was started with.
    void remember_how(std::string command) { again_ = std::move(command); }

    /// Seed, the command that replays it, time and trace, to show beside a failure.
    std::string report() const;
    const trace& history() const noexcept { return trace_; }

private:
    friend class simulated_loop;

    void enlist(simulated_loop& loop) { loops_.push_back(&loop); }
    void forget(simulated_loop& loop);
    void run_for(simulated_loop& loop, std::chrono::nanoseconds until);
    std::chrono::nanoseconds first_timer() const noexcept;
    bool timers_are_next(std::chrono::nanoseconds timer_due, std::chrono::nanoseconds event_due) noexcept;
    void expire_timers();
    void dispatch(const event& what);
    void enter();
    void check_thread() const noexcept;
    [[noreturn]] void die(const char* sentence) const noexcept;

    std::uint64_t seed_;
    random dice_;
    timeline time_;
    trace trace_;
    network network_{time_, dice_, luck, trace_};
    std::vector<simulated_loop*> loops_;
    std::map<int, std::move_only_function<void()>> calls_;
    int next_call_ = 0;
    struct skip {
        std::chrono::nanoseconds at;  // that it led to
        std::chrono::nanoseconds length;
    };
    std::vector<skip> skips_;
    std::string again_;
    std::thread::id thread_ = std::this_thread::get_id();
    bool stepping_ = false;
    bool timers_had_turn_ = false;
};

}  // namespace mnet::inline v1::io::simulated
