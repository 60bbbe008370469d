// One wait of a coroutine: it ends by what it waits for, by its deadline, or by a stop token, and resumes its coroutine once.
//
// Thread: the loop's.
#pragma once
#include "base/intrusive_list.hpp"
#include "base/timer_wheel.hpp"
#include "mtcp/inbox.hpp"

#include <mnet/error.hpp>
#include <mnet/operation.hpp>

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

class wait : public base::list_hook<stoppable_tag> {
public:
    explicit wait(worker& worker) noexcept;

    bool active() const noexcept { return static_cast<bool>(waiting_); }
    bool is_of(std::coroutine_handle<> coroutine) const noexcept { return waiting_ == coroutine; }

    /// `operation` may have ended already: then the coroutine is resumed from the next turn.
    void begin(std::coroutine_handle<> waiting, const operation& operation) noexcept;

    /// Ends an active wait and resumes its coroutine, which may start the next. Does nothing to a wait that isn't active.
    void finish(std::error_code outcome) noexcept;

    /// Its coroutine is gone.
    void abandon() noexcept;

    /// How the last one ended, or was said to have ended without waiting.
    std::error_code outcome() const noexcept { return outcome_; }
    void set_outcome(std::error_code outcome) noexcept { outcome_ = outcome; }

    bool stop_requested() const noexcept { return stop_ != nullptr && stop_->stop_requested(); }

private:
    void disarm() noexcept;

    worker& worker_;
    std::coroutine_handle<> waiting_{};
    std::error_code outcome_{};
    base::timer timer_;
    const std::stop_token* stop_ = nullptr;
    std::optional<std::stop_callback<stop_signal>> on_stop_{};
};

}  // namespace mnet::inline v1::mtcp::detail
