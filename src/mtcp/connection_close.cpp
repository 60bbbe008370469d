// How a connection ends: half-close, and draining with a deadline (connection_account.cpp has the account of what was delivered).
#include "base/assert.hpp"
#include "io/sockets.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"
#include "mtcp/silence.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// A peer that takes its last answers, however slowly, is waited for; one that takes nothing for so long is not.
constexpr std::chrono::seconds stalled_after{30};

/// How often the peer's acknowledgement is looked for: there is no event for it.
constexpr std::chrono::milliseconds first_step{1};
constexpr std::chrono::milliseconds longest_step{50};

/// A client that was still talking when its server closed may go on: what it sends to a socket that is gone answers with a reset, and that may
/// take our last bytes from it before it has read them. So it is heard out until it has been quiet for so long.
constexpr std::chrono::seconds quiet_after{1};

}  // namespace

// Closing -------------------------------------------------------------------------------------------------------------------------

void connection::end(std::error_code reason) noexcept {
    begin_close(reason, std::min(worker_.loop().now() + stalled_after, worker_.stop_due()), true);
}

void connection::begin_close(std::error_code reason, std::chrono::nanoseconds due, bool renews) noexcept {
    if (is_away()) {
        (void)end_away(reason);
        return;
    }
    if (phase_ != phase::open) {
        if (ending_) ending_->due = std::min(ending_->due, due);
        return;
    }
    const turn turn(worker_);
    const bool clean = reason == errc::end_of_stream || reason == errc::already_closed || reason == std::errc::operation_canceled;
    if (!clean) worker_.accounts().add(entry::clients_failed, 1);
    close_reason_ = reason;
    phase_ = phase::draining;
    (void)make_ending();
    paused_ = false;
    const std::size_t unread = unread_bytes();
    receive = {};
    freeze_output();
    if (role_ == role::served) worker_.network()->unlist(*this);
    if (box_) box_->shut();
    if (!ending_) {  // no memory to wait with
        leave_stream();
        return;
    }
    ending_->due = due;
    ending_->step = first_step;
    ending_->renews = renews;
    // What still comes is thrown away, so that the close does not turn into a reset that takes our last bytes with it.
    if (unread > 0) heard_in_vain(unread);
    if (!input_end_) worker_.loop().receive(*this);
    reading_.finish(worker_, make_error_code(errc::already_closed));
    drain();
}

/// In this process; of TLS, some of it is ciphertext.
std::size_t connection::unread_bytes() const noexcept {
    return receive.size() + (secure_ && secure_->has_ciphertext() ? secure_->arrived->size() : 0);
}

/// What arrived while it was draining.
void connection::throw_away(const result<std::size_t>& bytes) noexcept {
    if (bytes && *bytes > 0) {
        counted_.wire_bytes_received += *bytes;
        heard_in_vain(*bytes);
        worker_.loop().receive(*this);
        return;
    }
    input_end_ = bytes ? make_error_code(errc::end_of_stream) : told_apart(bytes.error());
    drain();
}

void connection::heard_in_vain(std::size_t bytes) noexcept {
    ending_->account.bytes_unread += bytes;
    ending_->heard = worker_.loop().now();
}

/// Counts, and throws away, what lies with the kernel; of a flood a part. False: the peer finished.
bool connection::take_unread() noexcept {
    constexpr int looks_max = 16;
    const auto waste = worker_.room_for_waste();
    for (int looks = 0; looks < looks_max && !waste.empty(); ++looks) {
        const auto bytes = worker_.loop().try_receive(*this, waste);
        if (!bytes) break;
        if (*bytes == 0) return false;
        counted_.wire_bytes_received += *bytes;
        heard_in_vain(*bytes);
    }
    return true;
}

/// Whether a server had better not close yet, although all is delivered: the client goes on sending.
bool connection::hears_out() noexcept {
    if (role_ != role::served || memory_ || input_end_ || !take_unread()) return false;
    return ending_->account.bytes_unread > 0 && worker_.loop().now() < ending_->heard + quiet_after;
}

/// No message is committed any more.
void connection::freeze_output() noexcept {
    const kept_messages::aside aside(kept());
    if (memory_ && !leave_place()) {  // no memory to keep the last of them in
        memory_->out.shut();
        send.next = send.limit = nullptr;
    }
    out_.freeze();
}

void connection::drained_some() noexcept {
    if (ending_->renews) ending_->due = std::min(worker_.loop().now() + stalled_after, worker_.stop_due());
    drain();
}

void connection::drain() noexcept {
    if (phase_ != phase::draining) return;
    const turn turn(worker_);
    push();
    const auto now = worker_.loop().now();
    if (!output_failure_ && out_.unsent_bytes() == 0 && !half_closed_ && (!secure_ || say_goodbye())) {
        half_closed_ = true;
        if (memory_) {
            memory_->out.finish();
            if (memory_->out.publish()) ring();
        } else if (auto finished = worker_.loop().finish(*this); !finished && !output_failure_) {
            output_failure_ = finished.error();
        }
    }
    // A peer that finished, closed, and then got our last bytes has reset the connection: no receive would tell of it any more.
    const bool over = half_closed_ && !memory_ && !unix_ && worker_.loop().has_descriptors() && io::is_over(handle);
    const bool done = half_closed_ && out_.unsent_bytes() == 0 && (over || (unacknowledged() == 0 && !hears_out()));
    if (output_failure_ || done || now >= ending_->due) {
        leave_stream();
        return;
    }
    worker_.loop().set(ending_->timer, half_closed_ ? std::min(now + ending_->step, ending_->due) : ending_->due);
    if (half_closed_) ending_->step = std::min<std::chrono::nanoseconds>(ending_->step * 2, longest_step);
}

/// The end of the stream, whatever was reached.
void connection::leave_stream() noexcept {
    if (phase_ >= phase::closing) return;
    const bool was_open = phase_ != phase::opening && (!secure_ || secure_->greeted);
    if (was_open) {
        if (phase_ == phase::open && make_ending() != nullptr) {  // cut: nobody will read any more
            heard_in_vain(unread_bytes());
            if (!memory_ && !input_end_) (void)take_unread();
        }
        delivery all = account();
        count_kept(all);
        if (ending* const told = make_ending()) told->account = all;
        worker_.part(all);
    }
    if (!close_reason_) close_reason_ = make_error_code(errc::already_closed);
    tell_of_end();
    phase_ = phase::closing;
    receive = {};
    freeze_output();
    if (memory_) {
        worker_.loop().cancel(memory_->giving_back);
        memory_->unlink();
    }
    if (secure_) {
        worker_.loop().cancel(secure_->timer);
        secure_->over();
    }
    if (ending_) worker_.loop().cancel(ending_->timer);
    unwatch_frame();
    worker_.loop().close(*this);
    if (is_away()) return;  // who waits goes on with the return
    flushing_.finish(worker_, close_reason_);
    reading_.finish(worker_, close_reason_);
}

void connection::leave_unserved(std::error_code why) noexcept {
    const turn turn(worker_);
    close_reason_ = why;
    leave_stream();
}

void connection::closed() noexcept {
    phase_ = phase::closed;
    sending_ = false;
    {
        const kept_messages::aside aside(kept());
        out_.shut();
    }
    count_unsent();
    if (secure_) secure_->drop();
    if (!message_is_in_use()) in_.drop();
    const bool unused = role_ == role::served ? !handler_running_ : released_;
    if (unused) {
        let_go();
    } else if (dialed_) {
        dialed_->opening.finish(worker_, {});  // who dials anew
    }
}

void connection::let_go() noexcept {
    const auto own_worker = dialed_ ? std::move(dialed_->own_worker) : nullptr;  // outlives its connection by a line
    delete this;
}

void connection::cut() noexcept {
    if (is_away()) (void)end_away(make_error_code(errc::already_closed));
    if (phase_ <= phase::draining) leave_stream();
    if (handler_running_) {
        if (!handler_) return;  // a thread's, that nobody can interrupt
        handler_running_ = false;
        handler_.reset();  // its awaiters withdraw themselves
        if (phase_ == phase::closed) let_go();
    }
}

void connection::stop() noexcept {
    if (phase_ > phase::open && !is_away()) {
        if (ending_) ending_->due = std::min(ending_->due, worker_.stop_due());
        drain();
    } else if ((memory_ && !memory_->greeted) || (is_shaking_hands() && role_ == role::served)) {
        leave_stream();
    } else if (role_ == role::served && shape_ == shape::messages) {
        end(std::make_error_code(std::errc::operation_canceled));
    } else {
        reading_.finish(worker_, std::make_error_code(std::errc::operation_canceled));
    }
}

delivery connection::close(const operation& op) noexcept {
    if (!is_mine()) {
        worker_.mail()->post_patiently([&host = worker_, id = id_] { host.close_member(id); });
        return {.pending = true};
    }
    own();
    left_ = true;
    if (is_away()) {
        const bool here = worker_.is_private();
        const delivery account = end_away(make_error_code(errc::already_closed));  // on a loop, who is told may let go of it
        while (here && phase_ == phase::closing) worker_.loop().run_once(io::never);
        return account;
    }
    if (phase_ >= phase::closing || phase_ == phase::opening) return told();
    const auto due = op.deadline.from(worker_.loop().now());
    begin_close(make_error_code(errc::already_closed), due, false);
    if (!worker_.is_private()) {
        delivery so_far = phase_ == phase::draining ? account() : told();
        so_far.pending = phase_ == phase::draining;
        return so_far;
    }
    while (phase_ != phase::closed) {
        if (phase_ == phase::draining) {
            if (auto ran = run_until(op, due); !ran) leave_stream();
        } else {
            worker_.loop().run_once(io::never);
        }
    }
    return told();
}

bool connection::start_close(std::coroutine_handle<> waiting, const operation& op) noexcept {
    (void)close(op);
    if (phase_ != phase::draining) return false;
    waits_for_room_ = false;
    return flushing_.begin(worker_, waiting, {.stop = op.stop});
}

delivery connection::finish_close() noexcept {
    if (phase_ == phase::draining) leave_stream();  // asked to stop waiting
    return told();
}

void connection::release() noexcept {
    if (role_ == role::served) return;
    if (is_away()) (void)stay_away(make_error_code(errc::already_closed));
    if (worker_.is_private()) {
        worker_.owner().store(std::this_thread::get_id(), std::memory_order_relaxed);
        (void)close(close_within_5_seconds);
        while (phase_ == phase::closing) worker_.loop().run_once(io::never);
    } else {
        begin_close(make_error_code(errc::already_closed), close_within_5_seconds.deadline.from(worker_.loop().now()), false);
    }
    const bool being_told = returns() && dialed_->again->telling;
    if ((phase_ == phase::closed || phase_ == phase::opening) && !being_told) {
        let_go();
    } else {
        released_ = true;  // closed() does it
    }
}

std::uint64_t connection::unacknowledged() const noexcept {
    if (memory_) return memory_->gone ? memory_->out.untaken_bytes() : 0;  // what lies there stays readable, whoever goes
    if (unix_ || phase_ >= phase::closing) return 0;                       // a Unix socket's bytes are with the peer's when they left
    const std::uint64_t bytes = worker_.loop().unacknowledged_bytes(*this);
    return half_closed_ && bytes > 0 ? bytes - 1 : bytes;  // the end itself counts as a byte
}

/// Nullptr when the system has no memory.
ending* connection::make_ending() noexcept {
    const auto drain_later = [](void* self) noexcept { static_cast<connection*>(self)->drain(); };
    if (!ending_) ending_.reset(new (std::nothrow) ending(this, drain_later));
    return ending_.get();
}

}  // namespace mnet::inline v1::mtcp::detail
