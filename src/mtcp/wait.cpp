// A wait's timer and stop token are armed together and disarmed together.
#include "mtcp/wait.hpp"

#include "base/assert.hpp"
#include "base/planted.hpp"
#include "mtcp/worker.hpp"

#include <utility>

namespace mnet::inline v1::mtcp::detail {

alarm::alarm(worker& lender) noexcept
    : host(lender), timer(this, [](void* self) noexcept {
          auto& due = *static_cast<alarm*>(self);
          due.of->finish(due.host, std::make_error_code(std::errc::timed_out));
      }) {}

bool wait::begin(worker& host, std::coroutine_handle<> waiting, const operation& operation) noexcept {
    MNET_ASSERT(!active(), "a client is awaited by one coroutine at a time for the same thing");
    outcome_ = {};
    if (!operation.deadline.is_never() || operation.stop != nullptr) {
        alarm_ = host.lend_alarm();
        if (alarm_ == nullptr) {
            outcome_ = std::make_error_code(std::errc::not_enough_memory);
            return false;
        }
        alarm_->of = this;
    }
    waiting_ = waiting;
    if (!operation.deadline.is_never()) {
        const auto now = host.loop().now();
        const auto due = operation.deadline.from(now);
        const bool missed = base::is_planted(base::bug::missed_deadline) && due - now < std::chrono::milliseconds(1);
        if (!missed) host.loop().set(alarm_->timer, due);
    }
    if (operation.stop != nullptr) {
        alarm_->stop = operation.stop;
        host.watch_stop(*alarm_);
        alarm_->on_stop.emplace(*operation.stop, stop_signal{host.mail().get()});
    }
    return true;
}

void wait::disarm() noexcept {
    if (alarm_ == nullptr) return;
    worker& host = alarm_->host;
    host.loop().cancel(alarm_->timer);
    alarm_->on_stop.reset();
    alarm_->stop = nullptr;
    alarm_->unlink();
    host.take_back(*std::exchange(alarm_, nullptr));
}

void wait::finish(worker& host, std::error_code outcome) noexcept {
    if (!active()) return;
    disarm();
    outcome_ = outcome;
    const turn turn(host);
    std::exchange(waiting_, {}).resume();
}

void wait::abandon() noexcept {
    disarm();
    waiting_ = {};
}

}  // namespace mnet::inline v1::mtcp::detail
