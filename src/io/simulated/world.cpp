// See world.hpp.
#include "io/simulated/world.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace mnet::inline v1::io::simulated {
namespace {

/// What this process was started with, as a shell takes it (proc(5), cmdline).
std::string own_command_line() {
    std::ifstream file("/proc/self/cmdline", std::ios::binary);
    const std::string raw{std::istreambuf_iterator<char>(file), {}};
    std::string line;
    for (std::size_t start = 0; start < raw.size(); start = raw.find('\0', start) + 1) {
        const std::string word = raw.c_str() + start;
        const bool plain =
            !word.empty() &&
            word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%") == std::string::npos;
        line += ' ';
        if (plain) {
            line += word;
            continue;
        }
        line += '\'';
        for (const char each : word) line += each == '\'' ? std::string("'\\''") : std::string(1, each);
        line += '\'';
    }
    return line;
}

}  // namespace

world::~world() { MNET_ASSERT(loops_.empty(), "a world outlives its loops"); }

void world::forget(simulated_loop& loop) {
    network_.forget(loop);
    time_.forget(loop);
    if (observer* const watching = network_.watched_by()) watching->ended(loop);
    std::erase(loops_, &loop);
}

void world::check_thread() const noexcept {
    if (thread_ != std::this_thread::get_id()) die("a simulated world was used from a thread that did not make it");
}

void world::enter() {
    check_thread();
    if (stepping_) die("run_once or run_until was called from inside an answer: a simulated world is not entered twice");
}

std::chrono::nanoseconds world::first_timer() const noexcept {
    auto first = never;
    for (const simulated_loop* const loop : loops_) first = std::min(first, loop->next_timer().value_or(never));
    return first;
}

/// Whether the next step is the timers'. Where both timers and events are late they take turns: a world that is never idle keeps nobody
/// from his timers, nor does a timer that always sets itself to the past keep anybody from the rest.
bool world::timers_are_next(std::chrono::nanoseconds timer_due, std::chrono::nanoseconds event_due) noexcept {
    if (timer_due > now() || event_due > now()) return timer_due < event_due;
    timers_had_turn_ = !timers_had_turn_;
    return timers_had_turn_;
}

bool world::step(std::chrono::nanoseconds limit) {
    enter();
    const auto timer_due = first_timer();
    const auto event_due = time_.next_due().value_or(never);
    const bool timer_in_time = timer_due != never && std::max(timer_due, now()) <= limit;
    const bool event_in_time = event_due != never && event_due <= limit;
    if (!timer_in_time && !event_in_time) return false;
    const bool timers = timer_in_time && (!event_in_time || timers_are_next(timer_due, event_due));
    time_.advance_to(timers ? timer_due : event_due);
    if (dice_.chance(luck.clock_jumps)) jump(dice_.between(std::chrono::nanoseconds::zero(), luck.clock_jump_max));
    stepping_ = true;
    if (timers) {
        expire_timers();
    } else {
        dispatch(time_.pop());
    }
    stepping_ = false;
    time_.charge();
    if (observer* const watching = network_.watched_by()) watching->stepped();
    return true;
}

// By index: what a timer calls may make loops.
void world::expire_timers() {
    for (std::size_t index = 0; index < loops_.size(); ++index) {  // NOLINT(modernize-loop-convert)
        if (loops_[index]->next_timer().value_or(never) <= now()) loops_[index]->expire_timers();
    }
}

void world::dispatch(const event& what) {
    switch (what.what) {
        case event::kind::wake:
        case event::kind::closed_answer:
            return what.loop->answer(what);
        case event::kind::accept_answer:
            if (const acceptor* const found = network_.find_acceptor(what.handle); found != nullptr) found->loop->answer(what);
            return;
        case event::kind::connect_answer:
        case event::kind::receive_answer:
        case event::kind::send_answer:
            if (const socket* const found = network_.find(what.handle); found != nullptr && found->stream != nullptr)
                found->loop->answer(what);
            return;
        case event::kind::call: {
            const auto entry = calls_.extract(what.handle);
            if (entry) entry.mapped()();
            return;
        }
        case event::kind::connect_arrives:
        case event::kind::segment_arrives:
        case event::kind::reset_arrives:
        case event::kind::loss_check:
            return network_.handle(what);
    }
}

bool world::quiet() const noexcept { return first_timer() == never && !time_.next_due(); }

bool world::run_until(const std::function<bool()>& done, std::chrono::nanoseconds limit) {
    enter();
    while (!done()) {
        if (step(limit)) continue;
        if (limit == never) die("nothing can ever happen any more, and what is waited for has not happened");
        time_.advance_to(limit);
        return done();
    }
    return true;
}

void world::run_until(std::chrono::nanoseconds time) {
    while (step(time)) {
    }
    time_.advance_to(time);
}

// Returns once something has happened for the loop, with all else that was due by then, as a real engine answers many in one turn.
void world::run_for(simulated_loop& loop, std::chrono::nanoseconds until) {
    enter();
    if (network_.strikes(luck.spurious_wakes, &injections::spurious_wakes)) return;
    const std::uint64_t before = loop.turns();
    const auto latest = std::max(until, now());
    while (loop.turns() == before) {
        if (step(latest)) continue;
        if (until == never) die("nothing can ever happen any more, and a loop waits without end");
        return time_.advance_to(latest);
    }
    const auto reached = now();
    while (step(reached)) {
    }
}

void world::reset(int handle) {
    if (socket* const found = network_.find(handle)) network_.reset(*found);
}

void world::vanish(int handle) {
    if (socket* const found = network_.find(handle)) network_.vanish(*found);
}

void world::cut_after(int handle, std::size_t bytes) {
    if (socket* const found = network_.find(handle)) found->cut_after = bytes;
}

void world::jump(std::chrono::nanoseconds duration) {
    network_.note("the clock jumped: ns", -1, duration.count());
    network_.count(&injections::clock_jumps);
    time_.advance_to(now() + duration);
    skips_.push_back({.at = now(), .length = duration});
}

std::chrono::nanoseconds world::jumped(std::chrono::nanoseconds since) const noexcept {
    std::chrono::nanoseconds all{0};
    for (auto each = skips_.rbegin(); each != skips_.rend() && each->at > since; ++each) all += each->length;
    return all;
}

void world::part(int one, int other, std::chrono::nanoseconds length) {
    network_.part(one, other, length == never ? never : now() + length);
}

void world::slow_down(int handle) {
    if (socket* const found = network_.find(handle)) network_.slow_down(*found);
}

void world::call_after(std::chrono::nanoseconds delay, std::move_only_function<void()> what) {
    calls_.emplace(next_call_, std::move(what));
    time_.after(delay, {.what = event::kind::call, .handle = next_call_++});
}

std::string world::report() const {
    const std::string seed = std::to_string(seed_);
    const std::string again = again_.empty() ? "MNET_SEED=" + seed + own_command_line() : again_;
    return "seed " + seed + "; again with:  " + again + "\nvirtual time " + std::to_string(now().count()) + " ns; the last of " +
           std::to_string(trace_.added()) + " things that happened:\n" + trace_.text();
}

void world::die(const char* sentence) const noexcept {
    std::fprintf(stderr, "mnet simulator: %s\n%s", sentence, report().c_str());
    std::abort();
}

}  // namespace mnet::inline v1::io::simulated
