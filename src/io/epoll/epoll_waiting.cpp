// How the epoll engine waits for the kernel: not at all, polling, or asleep.
#include "io/epoll/epoll_loop.hpp"

#include <algorithm>
#include <climits>
#include <utility>

namespace mnet::inline v1::io {

int epoll_loop::ask(int milliseconds) noexcept {
    ++counters_.system_calls;
    ++counters_.waits;
    answers_unasked_ = 0;
    return std::max(::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), milliseconds), 0);
}

/// Polls until something has come, or until then. Who received last is most likely the next to, and asking its socket alone costs half of
/// asking for all; but one whose next message is always there does not keep the others from being asked.
bool epoll_loop::poll(std::chrono::nanoseconds until) noexcept {
    constexpr unsigned all_each = 4;
    constexpr unsigned answers_in_a_row = 8;
    bool lent_in_vain = false;
    for (unsigned polls = 1; now() < until; ++polls) {
        const bool asks_all = polls % all_each == 0 || answers_unasked_ == answers_in_a_row;
        if (!asks_all && recent_ != nullptr && recent_->open() && recent_->wants_receive) {
            if (answer_receive(*recent_)) {
                ++answers_unasked_;
                return true;
            }
            lent_in_vain = true;
            continue;
        }
        events_count_ = ask(0);
        if (events_count_ > 0) return true;
        give_way();
    }
    if (lent_in_vain) called_again_ = true;  // the owner gets to give back what it lent
    return false;
}

void epoll_loop::wait(std::chrono::nanoseconds until) noexcept {
    events_taken_ = 0;
    events_count_ = 0;
    if (const auto next = timers_.next()) until = std::min(until, *next);
    auto time = now();
    const bool busy = !ready_.empty() || !closing_.empty() || !accepting_.empty() || called_again_;
    if (busy || until <= time) {
        events_count_ = ask(0);
        had_events_ = had_events_ || !ready_.empty() || events_count_ > 0;
        return;
    }
    if (spin_.count() > 0 && std::exchange(had_events_, false) && poll(std::min(until, time + spin_))) {
        had_events_ = true;
        return;
    }
    if (called_again_) return;
    int milliseconds = -1;
    if (until != never) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - time).count();
        milliseconds = static_cast<int>(std::clamp<std::chrono::milliseconds::rep>(left, 0, INT_MAX));
    }
    events_count_ = ask(milliseconds);
    had_events_ = events_count_ > 0;
}

}  // namespace mnet::inline v1::io
