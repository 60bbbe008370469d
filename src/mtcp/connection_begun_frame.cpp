// The deadline of a frame that has begun to arrive: see begun_frame.hpp.
#include "mtcp/connection.hpp"

#include <chrono>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

begun_frame::begun_frame(worker& lender) noexcept
    : host(lender), timer(this, [](void* self) noexcept { static_cast<begun_frame*>(self)->of->look_at_frame(); }) {}

/// Called where a read has left some bytes, and nobody watches them yet.
void connection::watch_frame() noexcept {
    const auto span = limits_in_force().message_timeout.value_or(std::chrono::milliseconds(0));
    if (span.count() == 0 || phase_ != phase::open || input_end_ || is_shaking_hands() || decoder.ready(receive)) return;
    begun_ = worker_.lend_begun_frame();
    if (begun_ == nullptr) return;
    begun_->of = this;
    begun_->messages = decoder.messages();
    begun_->ticks = 0;
    begun_->awaited = false;
    begun_->tick = std::chrono::nanoseconds(span) / begun_frame::ticks_max;
    worker_.loop().set(begun_->timer, worker_.loop().now() + begun_->tick);
}

void connection::unwatch_frame() noexcept {
    if (begun_ == nullptr) return;
    worker_.loop().cancel(begun_->timer);
    worker_.take_back(*std::exchange(begun_, nullptr));
}

bool connection::awaits_input() const noexcept {
    if (worker_.is_private()) return begun_->awaited;
    return shape_ == shape::messages ? !paused_ && !unfinished_ : reading_.active();
}

void connection::look_at_frame() noexcept {
    if (phase_ != phase::open || input_end_ || !is_inside_a_frame() || decoder.ready(receive)) {
        unwatch_frame();
        return;
    }
    if (decoder.messages() != begun_->messages) {
        begun_->messages = decoder.messages();
        begun_->ticks = 0;
    } else if (awaits_input()) {
        ++begun_->ticks;
    }
    if (begun_->ticks <= begun_frame::ticks_max) {  // one more: the first was a part of one
        worker_.loop().set(begun_->timer, worker_.loop().now() + begun_->tick);
        return;
    }
    const turn turn(worker_);
    borrow();
    unwatch_frame();
    withdraw_receive();
    input_end_ = make_error_code(errc::message_too_slow);
    input_arrived();
}

/// A private loop runs until something comes, for a reader.
result<> connection::run_for_input(const operation& op, std::chrono::nanoseconds due) noexcept {
    if (begun_ == nullptr && is_inside_a_frame()) watch_frame();
    if (begun_ != nullptr) begun_->awaited = true;
    auto ran = run_until(op, due, true);
    if (begun_ != nullptr) begun_->awaited = false;
    return ran;
}

/// For a reader that polls, and found no more of a frame: the watch gets its turn.
bool connection::poll_for_frame() noexcept {
    if (!worker_.is_private() || !is_inside_a_frame()) return false;
    if (begun_ == nullptr) watch_frame();
    if (begun_ != nullptr) begun_->awaited = true;
    return begun_ != nullptr;
}

}  // namespace mnet::inline v1::mtcp::detail
