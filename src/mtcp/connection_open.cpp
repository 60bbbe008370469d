// How a connection begins: with a handle that was accepted; or, when it is dialed, with one that a race has won, and with a handshake where TLS is
// wanted; and how it begins anew.
#include "base/assert.hpp"
#include "base/planted.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/dial.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

result<> connection::attach(int accepted) noexcept {
    if (returns()) drop_old();
    auto attached = worker_.loop().attach(*this, accepted);
    if (attached) opened();
    return attached;
}

void connection::opened() noexcept {
    phase_ = phase::open;
    input_end_ = output_failure_ = close_reason_ = {};
    begin_account();
    if (overload_) overload_->forget_gaps();
    const auto local = worker_.loop().local_endpoint(*this);
    unix_ = local && local->is_unix();
    const io::stream_settings deaths{.keep_alive = *limits_in_force().keep_alive, .user_timeout = *limits_in_force().user_timeout};
    if (!unix_ && (deaths.keep_alive.count() > 0 || deaths.user_timeout.count() > 0)) worker_.loop().configure(*this, deaths);
}

void connection::connected(result<>) noexcept { MNET_ASSERT(false, "races connect, and connections take over what they have won"); }

bool connection::start_open(int won, std::coroutine_handle<> waiting, const operation& op) noexcept {
    MNET_ASSERT(phase_ == phase::opening, "a connection opens once, or starts over");
    const turn turn(worker_);
    wait& opening = dialed_->opening;
    if (auto attached = attach(won); !attached) {
        opening.set_outcome(attached.error());
        return false;
    }
    if (!dialed_->end.tls) {
        tell_of_beginning();
        return false;
    }
    if (!guard_dialed()) {
        opening.set_outcome(std::make_error_code(std::errc::not_enough_memory));
        leave_stream();
        return false;
    }
    begin_handshake();
    return is_shaking_hands() && opening.begin(worker_, waiting, op);
}

result<> connection::finish_open() noexcept {
    if (phase_ == phase::open && !is_shaking_hands()) return {};
    const std::error_code why = dialed_->opening.outcome();
    return failure(why ? why : std::make_error_code(std::errc::connection_aborted));
}

bool connection::start_leaving(std::coroutine_handle<> waiting) noexcept {
    if (phase_ == phase::closed || phase_ == phase::opening) return false;
    leave_stream();
    return dialed_->opening.begin(worker_, waiting, {});
}

/// As a connection is that never opened; what was counted stays counted.
void connection::start_over() noexcept {
    if (phase_ == phase::opening) return;
    MNET_ASSERT(phase_ == phase::closed, "a connection starts over when its stream is gone");
    in_.drop();
    if (memory_) leave_memory();
    secure_.reset();
    dialed_->messages_received = decoder.messages();
    ending_.reset();
    decoder.restart();
    turn_ends_at = ~std::uint64_t{0};
    {
        const kept_messages::aside aside(kept());
        worker_.pool().release(std::exchange(dialed_->writers_block, out_.reopen()));
    }
    half_closed_ = paused_ = sending_ = was_met_ = posts_waiting_ = left_ = false;
    if (box_ && box_->is_shut()) forget_box();  // it was closed: its peers stay so, and others may be made
    phase_ = phase::opening;
}

result<> connection::run_here(task<result<>> work, std::chrono::nanoseconds due, const std::stop_token* stop) {
    own();
    bool done = false;
    work.start({[](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &done});
    while (!done) {
        const auto ran = run_until({.stop = stop}, due);
        if (ran || done) continue;
        work.reset();
        if (phase_ != phase::opening) leave_stream();
        return ran;
    }
    return work.take();
}

result<> connection::reconnect(std::string_view address) {
    if (role_ == role::served) return failure(std::errc::operation_not_supported);
    if (!worker_.is_private()) return failure(errc::blocks_the_loop);
    own();
    if (is_away()) (void)stay_away(make_error_code(errc::already_closed));
    if (!address.empty()) dialed_->address = address;
    [[maybe_unused]] std::vector<std::byte> unread;
    if constexpr (base::is_planted(base::bug::double_delivery)) unread.assign(receive.begin, receive.end);
    if (phase_ != phase::closed) leave_stream();
    while (phase_ == phase::closing) worker_.loop().run_once(io::never);
    start_over();
    task<result<>> work = dial(*this, dialed_->address, dialed_->span, dialed_->how);
    auto dialed = run_here(std::move(work), worker_.loop().now() + dialed_->span, nullptr);
    if (!dialed) {
        if (phase_ != phase::opening) leave_stream();
        while (phase_ == phase::closing) worker_.loop().run_once(io::never);
        phase_ = phase::closed;
        close_reason_ = dialed.error();
        return dialed;
    }
    ++dialed_->reconnects;
    deliver_posts();
    if constexpr (base::is_planted(base::bug::double_delivery)) {
        if (!unread.empty()) std::ranges::copy(unread, in_.lend(unread.size()).begin());
        in_.received(unread.size());
    }
    return {};
}

}  // namespace mnet::inline v1::mtcp::detail
