// One wait of a coroutine: it ends by what it waits for, by its deadline, or by a stop token, and resumes its coroutine once.
//
// Most clients wait most of the time, and most of them for input alone. So a deadline and a token live in an `alarm`, which the worker lends
// to the waits that have one.
//
// Thread: the loop's.
#pragma once
#include "base/intrusive_list.hpp"
#include "base/timer_wheel.hpp"
#include "mtcp/inbox.hpp"

#include <mnet/error.hpp>
#include <mnet/operation.hpp>

#include <chrono>
#include <coroutine>
#include <optional>
#include <stop_token>

namespace mnet::inline v1::mtcp::detail {

class worker;
struct stoppable_tag;

/// Wakes a loop when a token is asked to stop: then the loop looks at the tokens itself.
struct stop_signal {
    inbox* target;
    void operator()() const noexcept { target->nudge(); }
};

class wait;

/// Gives what is there.
inline constexpr operation at_once{.deadline = within(std::chrono::nanoseconds(0))};

/// By whoever asked for it.
inline bool is_withdrawn(const operation& op) noexcept { return op.stop != nullptr && op.stop->stop_requested(); }

/// What ends a wait early.
struct alarm : base::list_hook<stoppable_tag> {
    explicit alarm(worker& lender) noexcept;

    bool stop_requested() const noexcept { return stop != nullptr && stop->stop_requested(); }

    worker& host;
    wait* of = nullptr;
    base::timer timer;
    const std::stop_token* stop = nullptr;
    std::optional<std::stop_callback<stop_signal>> on_stop{};
};

class wait {
public:
    wait() = default;
    wait(const wait&) = delete;
    wait& operator=(const wait&) = delete;
    ~wait() { disarm(); }

    bool active() const noexcept { return static_cast<bool>(waiting_); }
    bool is_of(std::coroutine_handle<> coroutine) const noexcept { return waiting_ == coroutine; }

    /// `operation` may have ended already: then the coroutine is resumed from the next turn. False, and nothing begun, when there is no memory
    /// for an alarm; the outcome says so.
    [[nodiscard]] bool begin(worker& host, std::coroutine_handle<> waiting, const operation& operation) noexcept;

    /// Ends an active wait and resumes its coroutine, which may start the next. Does nothing to a wait that isn't active.
    void finish(worker& host, std::error_code outcome) noexcept;

    /// Its coroutine is gone.
    void abandon() noexcept;

    /// How the last one ended, or was said to have ended without waiting.
    std::error_code outcome() const noexcept { return outcome_; }
    void set_outcome(std::error_code outcome) noexcept { outcome_ = outcome; }

private:
    void disarm() noexcept;

    std::coroutine_handle<> waiting_{};
    std::error_code outcome_{};
    alarm* alarm_ = nullptr;
};

/// Sleeps on a loop: `pause nap(where, span); co_await nap;`. A class of its own, so that nothing is left behind when its coroutine is destroyed.
class pause {
public:
    pause(worker& where, std::chrono::nanoseconds span) noexcept : where_(where), op_{.deadline = within(span)} {}
    pause(const pause&) = delete;
    pause& operator=(const pause&) = delete;
    ~pause() { wait_.abandon(); }

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept { return wait_.begin(where_, handle, op_); }
    void await_resume() const noexcept {}

private:
    worker& where_;
    operation op_;
    wait wait_{};
};

}  // namespace mnet::inline v1::mtcp::detail
