// A dialed connection that returns by itself: how it goes, what reads, writes and flushes do meanwhile, and how it is there again. See
// reconnecting.hpp.
#include "base/planted.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/dial.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// How soon a return is tried again that an open writer holds up.
constexpr std::chrono::milliseconds a_moment{1};

}  // namespace

void connection::remember_dial(std::string address, std::chrono::nanoseconds span, const carrying& how) {
    dialed_->address = std::move(address);
    dialed_->span = span;
    dialed_->how = how;
    dialed_->how.words = nullptr;  // the first dialer's
    if (how.again.policy == reconnect_policy::none) return;
    const auto on_end = [](void* self) noexcept { static_cast<connection*>(self)->tries_ended(); };
    dialed_->again = std::make_unique<reconnecting>(how.again, this, on_end, send, worker_.pool());
}

/// Whether nothing more leaves by the present stream, and the policy says that it will by another.
bool connection::writes_wait() noexcept { return returns() && (goes_away() || (output_failure_ && phase_ == phase::open)); }

/// errc::reconnected, for a writer that would be refused while the client is away: so he knows what he has written on which side of the return.
bool connection::tells_writers() const noexcept { return returns() && !dialed_->again->keeps() && input_end_ == errc::reconnected; }

// Going ---------------------------------------------------------------------------------------------------------------------------

/// Leaves a stream that is lost, where a policy says to return and no message of it is left to read. True when the connection is away. `reads`: the
/// user asks for the next message, and is through with the last.
bool connection::goes_away(bool reads) noexcept {
    if (!returns()) return false;
    if (is_away()) return true;
    const bool input_lost = input_end_ && input_end_ != errc::reconnected;
    if (phase_ != phase::open || released_ || (!input_lost && !output_failure_)) return false;
    if (input_end_ == errc::protocol_violation) return false;
    if (!reads && !reading_.active() && !keeps_message()) return false;
    if (!input_end_) drain_input();
    if (decoder.ready(receive)) return false;  // or refused, for good
    go_away();
    return true;
}

/// The message that was read last is in use until the next read, and what is read from here on must not overwrite it. False: no memory for that.
bool connection::keeps_message() noexcept {
    reconnecting& again = *dialed_->again;
    if (decoder.messages() == 0 || again.holds(decoder.messages())) return true;
    base::block* const block = in_.part_with_read();
    if (block == nullptr && in_.holds_memory()) return false;
    again.let_go_of_message();
    again.in_use.number = decoder.messages();
    again.in_use.block = block;
    return true;
}

/// The same of memory that a message may lie in.
void connection::leave_memory() noexcept {
    dialed_->placed_bytes += memory_->placed_bytes;
    const bool writer_inside = send.writer_open && !(returns() && dialed_->again->kept.lends());
    dialed_->writers_memory = writer_inside ? std::move(memory_) : nullptr;
    if (returns() && dialed_->again->holds(decoder.messages())) dialed_->again->in_use.shared = std::move(memory_);
    memory_.reset();
}

/// Its user reads on.
void connection::let_go_of_message() noexcept {
    if (returns()) dialed_->again->let_go_of_message();
    if (phase_ <= phase::open || is_away()) return;
    left_ = true;
    in_.drop();
}

/// Nothing leaves any more: what has arrived is still to be read.
void connection::drain_input() noexcept {
    if (reading_.active()) withdraw_receive();
    while (!decoder.ready(receive) && fill_now()) {
    }
    if (!decoder.ready(receive) || !reading_.active()) return;
    borrow();
    go_on_later();
}

void connection::go_away() noexcept {
    reconnecting& again = *dialed_->again;
    const turn turn(worker_);
    const auto now = worker_.loop().now();
    again.away = true;
    again.lost_at = now;
    again.why = close_reason_ = output_failure_ ? output_failure_ : why_no_more();
    again.last_try = {};
    if (decoder.messages() > dialed_->messages_received || now - again.opened_at >= again.how.delay_max) again.tries = 0;
    if (!output_failure_) keep_unsent();
    leave_stream();
    again.lost(told(), std::exchange(again.moved, {}));
    if (!again.keeps()) flushing_.finish(worker_, make_error_code(errc::reconnecting));
    if (!again.away) return;  // who flushed closed it
    try {
        again.work = come_back(*this);
    } catch (const std::bad_alloc&) {
        again.last_try = std::make_error_code(std::errc::not_enough_memory);
        worker_.loop().set(again.end, now);
        return;
    }
    again.work.start({[](void* self) noexcept {
                          auto& back = *static_cast<connection*>(self);
                          back.worker_.loop().set(back.dialed_->again->end, back.worker_.loop().now());
                      },
                      this});
}

/// Messages that had not begun to leave, of a queue that is about to be dropped.
void connection::keep_unsent() noexcept {
    reconnecting& again = *dialed_->again;
    if (!again.keeps() || phase_ != phase::open || (memory_ && !leave_place())) return;
    // Of what was sealed, ciphertext may have left; what was offered, an engine may have sent.
    const std::size_t begun = base::is_planted(base::bug::sent_again) ? 0 : std::max(secure_ ? secure_->sealed_bytes : 0, maybe_left());
    bool fits = true;
    message_count moved;
    out_.each_whole(begun, [&](std::span<const std::byte> frame) {
        fits = fits && again.kept.keep(frame, worker_.loop().now());
        if (!fits) return;
        ++moved.messages;
        moved.bytes += frame.size();
    });
    again.moved = moved;
    dialed_->placed_bytes -= moved.bytes;  // counted once more when they are queued again
}

task<void> connection::come_back(connection& self) {
    reconnecting& again = *self.dialed_->again;
    do {
        pause nap(self.worker_, again.next_delay(self.worker_.loop()));
        co_await nap;
        while (self.send.writer_open && !again.kept.lends()) {  // in the queue of the connection that was, which goes with the next
            pause moment(self.worker_, a_moment);
            co_await moment;
        }
        try {
            task<result<>> dialing = dial(self, self.dialed_->address, self.dialed_->span, self.dialed_->how);
            const result<> dialed = co_await std::move(dialing);
            again.last_try = dialed ? std::error_code() : dialed.error();
        } catch (const std::bad_alloc&) {
            again.last_try = std::make_error_code(std::errc::not_enough_memory);
        }
    } while (again.last_try && !again.gives_up(self.worker_.loop().now()));
}

// Coming back ---------------------------------------------------------------------------------------------------------------------

void connection::tries_ended() noexcept {
    reconnecting& again = *dialed_->again;
    if (send.writer_open) {
        worker_.loop().set(again.end, worker_.loop().now() + a_moment);
        return;
    }
    const turn turn(worker_);
    again.work.reset();
    again.away = false;
    if (again.last_try) {
        give_up();
        return;
    }
    borrow();
    ++dialed_->reconnects;
    again.opened_at = worker_.loop().now();
    again.kept.hand_over(out_);
    input_end_ = make_error_code(errc::reconnected);
    push();
    deliver_posts();
    room_came();  // who flushed may have been told by now, and read on
    if (phase_ == phase::open && reading_.active() && input_end_ == errc::reconnected) reading_.finish(worker_, tell_return().error());
}

/// Lost for good.
void connection::give_up() noexcept {
    reconnecting& again = *dialed_->again;
    if (box_) box_->shut();
    again.dropped(drop_kept());
    close_reason_ = again.last_try;
    if (phase_ == phase::opening) phase_ = phase::closed;
    if (phase_ == phase::open) leave_stream();
    if (ending* const last = make_ending()) last->account = again.last;
    tell_waits(close_reason_);
}

/// Who waits may let go of the client: it goes after the last of them.
void connection::tell_waits(std::error_code why) noexcept {
    bool& telling = dialed_->again->telling;
    telling = true;
    flushing_.finish(worker_, why);
    reading_.finish(worker_, why);
    telling = false;
    if (released_ && phase_ == phase::closed) let_go();
}

message_count connection::drop_kept() noexcept {
    const message_count gone = dialed_->again->kept.drop_all();
    dialed_->placed_bytes += gone.bytes;
    return gone;
}

/// What is kept goes with a stream that nothing follows: it is unsent, and what was moved there is counted as that already.
void connection::count_kept(delivery& all) noexcept {
    if (!returns() || is_away()) return;
    const message_count gone = drop_kept();
    const message_count moved = std::exchange(dialed_->again->moved, {});
    all.bytes_unsent += gone.bytes - moved.bytes;
    all.messages_unsent += gone.messages - moved.messages;
}

void connection::drop_old() noexcept {
    const message_count gone = dialed_->again->kept.drop_old(worker_.loop().now());
    dialed_->placed_bytes += gone.bytes;
    dialed_->again->dropped(gone);
}

/// Its user closes it, or dials himself. What a close tells by then.
delivery connection::stay_away(std::error_code reason) noexcept {
    reconnecting& again = *dialed_->again;
    worker_.loop().cancel(again.end);
    again.work.reset();
    again.away = false;
    again.dropped(drop_kept());
    if (phase_ == phase::open) leave_stream();
    if (phase_ == phase::opening) phase_ = phase::closed;
    close_reason_ = reason;
    const delivery account = again.last;
    if (ending* const last = make_ending()) last->account = account;
    tell_waits(reason);
    return account;
}

/// The same for good: its peers end with it.
delivery connection::end_away(std::error_code reason) noexcept {
    if (box_) box_->shut();
    return stay_away(reason);
}

/// errc::reconnected, once.
result<> connection::tell_return() noexcept {
    input_end_ = {};
    dialed_->again->told = true;
    return failure(errc::reconnected);
}

delivery connection::last_delivery() const noexcept {
    const bool closed = ending_ && phase_ >= phase::closing && !is_away();
    return returns() && !closed ? dialed_->again->last : told();
}

// Meanwhile -----------------------------------------------------------------------------------------------------------------------

/// A read of a private loop, that has nothing to give by itself.
result<> connection::read_through(std::error_code why, std::chrono::nanoseconds due, const std::stop_token* stop) noexcept {
    if (why == errc::reconnected) return tell_return();
    if (!goes_away(true)) return failure(why);
    while (is_away()) {
        if (auto ran = run_until({.stop = stop}, due); !ran) return ran;
    }
    return input_end_ == errc::reconnected ? tell_return() : result<>(failure(why_no_more()));
}

/// The same of a look that does not wait.
result<> connection::look_through(std::error_code why) noexcept {
    if (why == errc::reconnected) return tell_return();
    if (!goes_away(true)) return failure(why);
    if (worker_.is_private()) worker_.loop().run_once(worker_.loop().now());
    if (is_away()) return failure(errc::no_data_yet);
    return input_end_ == errc::reconnected ? tell_return() : result<>(failure(why_no_more()));
}

result<> connection::flush_through(const operation& op) noexcept {
    if (!dialed_->again->keeps()) {
        if (worker_.is_private()) worker_.loop().run_once(worker_.loop().now());
        return failure(errc::reconnecting);
    }
    if (!worker_.is_private()) return failure(errc::would_block);
    const auto due = op.deadline.from(worker_.loop().now());
    for (;;) {
        while (is_away()) {
            if (auto ran = run_until({.stop = op.stop}, due); !ran) return ran;
        }
        const auto flushed = flush_here({.deadline = within(due - worker_.loop().now()), .stop = op.stop});
        if (flushed || !goes_away()) return flushed;
    }
}

/// Room for a message that no stream takes at present.
result<> connection::room_meanwhile(std::size_t payload_bytes) noexcept {
    if (payload_bytes > decoder.message_bytes_max()) return failure(errc::message_too_large);
    if (worker_.is_private() && is_away() && !send.writer_open && !pacing_) {  // a program that only writes has it come back, too
        worker_.loop().run_once(worker_.loop().now());
        if (!writes_wait()) return tells_writers() ? tell_return() : room_for(payload_bytes);
    }
    reconnecting& again = *dialed_->again;
    if (!again.keeps()) return failure(errc::reconnecting);
    const bool shut = output_failure_ && phase_ == phase::open;
    if (shut && out_.holds_memory() && send.next == nullptr) worker_.pool().release(out_.reopen());
    if (!shut) drop_old();
    return again.kept.make_room(payload_bytes + wire::header_bytes, worker_.loop().now());
}

/// The same for a message in a block of its own.
result<> connection::append_meanwhile(base::block& frame) noexcept {
    const std::span<const std::byte> bytes(frame.data() + frame.begin, frame.size());
    if (bytes.size() - wire::header_bytes > decoder.message_bytes_max()) return failure(errc::message_too_large);
    reconnecting& again = *dialed_->again;
    if (!again.keeps()) return failure(errc::reconnecting);
    if (auto kept = again.kept.keep(bytes, worker_.loop().now()); !kept) {
        if (kept.error() == errc::would_block) write_refused();
        return kept;
    }
    ++send.messages;
    worker_.pool().adopt(frame);
    worker_.pool().release(&frame);
    return {};
}

}  // namespace mnet::inline v1::mtcp::detail
