// How a connection opens and ends: connecting, half-close, draining with a deadline, and the account of what was delivered.
#include "base/assert.hpp"
#include "base/planted.hpp"
#include "io/sockets.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/dial.hpp"
#include "mtcp/network_core.hpp"

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// A peer that takes its last answers, however slowly, is waited for; one that takes nothing for so long is not.
constexpr std::chrono::seconds stalled_after{30};

/// How often the peer's acknowledgement is looked for: there is no event for it.
constexpr std::chrono::milliseconds first_look{1};
constexpr std::chrono::milliseconds longest_look{50};

}  // namespace

// Opening -------------------------------------------------------------------------------------------------------------------------

bool connection::start_open(const io::endpoint& where, std::coroutine_handle<> waiting, const operation& op) noexcept {
    MNET_ASSERT(phase_ == phase::opening, "a connection opens once");
    if (!reading_.begin(worker_, waiting, op)) return false;
    worker_.loop().connect(*this, where);
    return true;
}

result<> connection::finish_open() noexcept {
    if (phase_ == phase::open && !is_shaking_hands()) return {};
    return failure(reading_.outcome());
}

void connection::connected(result<> outcome) noexcept {
    const turn turn(worker_);
    if (outcome && dialed_->end.tls) {
        opened();
        if (guard_dialed()) {
            greet();  // and then reading_ ends
            return;
        }
        outcome = failure(std::errc::not_enough_memory);
        phase_ = phase::opening;
    }
    reading_.set_outcome(outcome ? std::error_code{} : outcome.error());
    if (outcome) opened();
    reading_.finish(worker_, reading_.outcome());
}

result<> connection::open(const io::endpoint& where, std::chrono::nanoseconds due, const std::stop_token* stop) noexcept {
    own();
    const auto in_progress = std::make_error_code(std::errc::operation_in_progress);
    reading_.set_outcome(in_progress);
    phase_ = phase::opening;
    worker_.loop().connect(*this, where);
    const operation op{.stop = stop};
    while (reading_.outcome() == in_progress) {
        if (auto ran = run_until(op, due); !ran) {
            leave_stream();
            while (phase_ != phase::closed) worker_.loop().run_once(io::never);
            phase_ = phase::opening;
            return ran;
        }
    }
    while (phase_ == phase::draining || phase_ == phase::closing) worker_.loop().run_once(io::never);  // after a failed handshake
    return finish_open();
}

result<> connection::reconnect(std::string_view address) {
    if (role_ == role::served) return failure(std::errc::operation_not_supported);
    if (!worker_.is_private()) return failure(errc::blocks_the_loop);
    own();
    if (!address.empty()) dialed_->address = address;
    [[maybe_unused]] std::vector<std::byte> unread;
    if constexpr (base::is_planted(base::bug::double_delivery)) unread.assign(receive.begin, receive.end);
    if (phase_ != phase::closed) {
        leave_stream();
        while (phase_ != phase::closed) worker_.loop().run_once(io::never);
    }
    in_.drop();
    if (memory_) dialed_->placed_bytes += memory_->placed_bytes;
    memory_.reset();
    secure_.reset();
    dialed_->messages_received += decoder.messages();
    dialed_->payload_bytes_received += decoder.payload_bytes();
    ending_.reset();
    decoder = wire::decoder(decoder.message_bytes_max());
    out_.reopen();
    half_closed_ = paused_ = sending_ = false;
    phase_ = phase::opening;
    auto dialed = dial(*this, dialed_->address, dialed_->span, dialed_->how, {});
    if (!dialed) {
        phase_ = phase::closed;
        close_reason_ = dialed.error();
        return dialed;
    }
    ++dialed_->reconnects;
    if constexpr (base::is_planted(base::bug::double_delivery)) {
        if (!unread.empty()) std::ranges::copy(unread, in_.lend(unread.size()).begin());
        in_.received(unread.size());
    }
    return {};
}

// Closing -------------------------------------------------------------------------------------------------------------------------

void connection::end(std::error_code reason) noexcept {
    begin_close(reason, std::min(worker_.loop().now() + stalled_after, worker_.stop_due()), true);
}

void connection::begin_close(std::error_code reason, std::chrono::nanoseconds due, bool renews) noexcept {
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
    receive = {};
    freeze_output();
    if (role_ == role::served) worker_.network()->unlist(*this);
    if (box_) box_->shut();
    if (!ending_) {  // no memory to wait with
        leave_stream();
        return;
    }
    ending_->due = due;
    ending_->step = first_look;
    ending_->renews = renews;
    // What still comes is thrown away, so that the close does not turn into a reset that takes our last bytes with it.
    if (!input_end_ && !handler_running_) worker_.loop().receive(*this);
    reading_.finish(worker_, make_error_code(errc::already_closed));
    drain();
}

/// No message is committed any more.
void connection::freeze_output() noexcept {
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
            finish_in_memory();
        } else if (auto finished = worker_.loop().finish(*this); !finished && !output_failure_) {
            output_failure_ = finished.error();
        }
    }
    // A peer that finished, closed, and then got our last bytes has reset the connection: no receive would tell of it any more.
    const bool over = half_closed_ && !memory_ && !unix_ && worker_.loop().has_descriptors() && io::is_over(handle);
    const bool done = half_closed_ && out_.unsent_bytes() == 0 && (over || unacknowledged() == 0);
    if (output_failure_ || done || now >= ending_->due) {
        leave_stream();
        return;
    }
    worker_.loop().set(ending_->timer, half_closed_ ? std::min(now + ending_->step, ending_->due) : ending_->due);
    if (half_closed_) ending_->step = std::min<std::chrono::nanoseconds>(ending_->step * 2, longest_look);
}

/// The end of the stream, whatever was reached.
void connection::leave_stream() noexcept {
    if (phase_ >= phase::closing) return;
    const bool was_open = phase_ != phase::opening && !is_shaking_hands();
    if (was_open) {
        const delivery all = account();
        if (ending* const told = make_ending()) told->account = all;
        worker_.part(all);
    }
    if (!close_reason_) close_reason_ = make_error_code(errc::already_closed);
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
    worker_.loop().close(*this);
    flushing_.finish(worker_, close_reason_);
    reading_.finish(worker_, close_reason_);
}

void connection::closed() noexcept {
    phase_ = phase::closed;
    sending_ = false;
    out_.shut();
    if (secure_) secure_->drop();
    if (!handler_running_) in_.drop();
    const bool unused = role_ == role::served ? !handler_running_ : released_;
    if (unused) let_go();
}

void connection::let_go() noexcept {
    const auto own_worker = dialed_ ? std::move(dialed_->own_worker) : nullptr;  // outlives its connection by a line
    delete this;
}

void connection::cut() noexcept {
    if (phase_ <= phase::draining) leave_stream();
    if (handler_running_) {
        if (!handler_) return;  // a thread's, that nobody can interrupt
        handler_running_ = false;
        handler_.reset();  // its awaiters withdraw themselves
        if (phase_ == phase::closed) let_go();
    }
}

void connection::stop() noexcept {
    if (phase_ > phase::open) {
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
        (void)worker_.mail()->post([&host = worker_, id = id_] { host.close_member(id); });
        return {.pending = true};
    }
    own();
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
    return flushing_.begin(worker_, waiting, {.stop = op.stop});
}

delivery connection::finish_close() noexcept {
    if (phase_ == phase::draining) leave_stream();  // asked to stop waiting
    return told();
}

void connection::release() noexcept {
    if (role_ == role::served) return;
    if (phase_ == phase::opening && registration::connecting) leave_stream();
    if (worker_.is_private()) {
        worker_.owner().store(std::this_thread::get_id(), std::memory_order_relaxed);
        (void)close(close_within_5_seconds);
        while (phase_ == phase::closing) worker_.loop().run_once(io::never);
    } else {
        begin_close(make_error_code(errc::already_closed), close_within_5_seconds.deadline.from(worker_.loop().now()), false);
    }
    if (phase_ == phase::closed || phase_ == phase::opening) {
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
connection::ending* connection::make_ending() noexcept {
    if (!ending_) ending_.reset(new (std::nothrow) ending(this));
    return ending_.get();
}

delivery connection::account() const noexcept {
    delivery all = told();
    all.bytes_unacknowledged = unacknowledged();
    all.bytes_acknowledged = counted_.wire_bytes_sent - std::min(counted_.wire_bytes_sent, all.bytes_unacknowledged);
    all.bytes_unsent += out_.unsent_bytes();
    all.messages_unsent += out_.unsent_messages();
    return all;
}

}  // namespace mnet::inline v1::mtcp::detail
