// A connection's life in turns of its loop: the handler's run, bytes in, and bytes out.
#include "mtcp/connection.hpp"

#include "base/assert.hpp"
#include "base/planted.hpp"
#include "mtcp/network_core.hpp"
#include "mtcp/silence.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

connection::connection(worker& worker, std::uint64_t id, role whose, shape how, const limits& limits)
    : transport(limits.message_bytes_max),
      connection_state(whose, how),
      worker_(worker),
      id_(id),
      dialed_(whose == role::owned ? new dialing{.bounds = limits} : nullptr),
      out_(send, worker.pool(), limits.unsent_bytes_max),
      in_(receive, worker.pool()) {
    if (role_ == role::served) std::construct_at(&client_, client_access::make(*this));
    if (!worker_.is_private()) worker_.owner().store(std::this_thread::get_id(), std::memory_order_relaxed);
    worker_.join(*this);
}

connection::~connection() {
    MNET_ASSERT(phase_ == phase::closed || phase_ == phase::opening, "a connection ends after its stream");
    publish();
    handler_.reset();
    if (role_ == role::served) std::destroy_at(&client_);
    if (role_ == role::served) worker_.network()->forget(*this);
    if (box_) forget_box();
    if (dialed_) worker_.pool().release(dialed_->writers_block);
    static_cast<base::list_hook<borrower_tag>&>(*this).unlink();
    worker_.leave(*this);
}

void connection::adopt(std::unique_ptr<worker> own) noexcept { dialed_->own_worker = std::move(own); }

void connection::serve() noexcept {
    const turn turn(worker_);
    worker_.network()->enter(*this);
    tell_of_beginning();
    if (is_stopping()) {
        end(std::make_error_code(std::errc::operation_canceled));
    } else if (shape_ == shape::messages) {
        if (secure_) {
            borrow();
            pull();  // messages may have come with the handshake's end
        } else {
            worker_.loop().receive(*this);
        }
    } else {
        run_handler();
    }
}

void connection::run_handler() noexcept {
    handler_running_ = true;
    try {
        handler_ = worker_.network()->coroutine()(client_);
        handler_.start({[](void* self) noexcept { static_cast<connection*>(self)->handler_finished(); }, this});
    } catch (...) {
        handler_running_ = false;
        worker_.accounts().add(entry::handlers_threw, 1);
        end(make_error_code(errc::handler_threw));
    }
}

void connection::handler_finished() noexcept {
    // Called from inside the coroutine's last moment: its frame goes with the connection, later.
    handler_running_ = false;
    end(outcome_of([this] { return handler_.take(); }));
    if (phase_ == phase::closed) {
        (void)worker_.mail()->post([this] { let_go(); });
    }
}

void connection::serve_blocking() noexcept {
    own();
    if ((memory_ || secure_) && !wait_for_greeting()) return;
    handler_running_ = true;
    worker_.network()->enter(*this);
    tell_of_beginning();
    const std::error_code reason = outcome_of([this] { return worker_.network()->blocking()(client_); });
    handler_running_ = false;
    own();
    if (phase_ == phase::closed) {
        let_go();
    } else {
        end(reason);
    }
}

/// Whether the peer came; else the connection ends by itself.
bool connection::wait_for_greeting() noexcept {
    handler_running_ = true;  // it may end and close in one turn of the loop, and is looked at behind it
    if (secure_) begin_handshake();
    const bool& greeted = memory_ ? memory_->greeted : secure_->greeted;
    while (phase_ == phase::open && !greeted && !worker_.stopping()) worker_.loop().run_once(io::never);
    handler_running_ = false;
    if (greeted && phase_ == phase::open) return true;
    if (phase_ == phase::open) leave_stream();
    if (phase_ == phase::closed) let_go();
    return false;
}

template <typename Handler>
std::error_code connection::outcome_of(Handler handler) noexcept {
    try {
        const result<> outcome = handler();
        return outcome ? make_error_code(errc::already_closed) : outcome.error();
    } catch (...) {
        worker_.accounts().add(entry::handlers_threw, 1);
        return make_error_code(errc::handler_threw);
    }
}

// Input ---------------------------------------------------------------------------------------------------------------------------

std::span<std::byte> connection::lend() noexcept {
    if (memory_) return memory_->bells;
    borrow();
    if (phase_ > phase::open) return worker_.room_for_waste();  // what still comes is thrown away
    if (secure_) return lend_for_ciphertext();
    if (decoder.ready(receive)) return in_.lend(1);
    const wire::decoded next = decoder.next(receive);
    return in_.lend(next.bytes_missing);
}

void connection::take_input(const result<std::size_t>& bytes) noexcept {
    if (secure_) {
        take_ciphertext(bytes);
        if (phase_ == phase::open) (void)decrypt();
    } else if (!bytes) {
        input_end_ = told_apart(bytes.error());
    } else if (*bytes == 0) {
        // A kernel tells its error once: who sent may have heard it already.
        input_end_ = make_error_code(output_failure_ == errc::peer_silent ? errc::peer_silent : errc::end_of_stream);
    } else {
        in_.received(*bytes);
        counted_.wire_bytes_received += *bytes;
    }
}

void connection::received(result<std::size_t> bytes) noexcept {
    const turn turn(worker_);
    borrow();
    if (memory_) {
        bell_rang(bytes);
        return;
    }
    if (is_shaking_hands()) {
        take_ciphertext(bytes);
        input_end_ ? handshake_failed(input_end_) : shake_hands();
        return;
    }
    if (phase_ == phase::draining) {
        throw_away(bytes);
        return;
    }
    take_input(bytes);
    if (phase_ == phase::open) input_arrived();
}

void connection::input_arrived() noexcept {
    if (shape_ == shape::messages) {
        pull();
    } else if (reading_.active()) {
        if ((memory_ && next_run()) || decoder.ready(receive) || has_more(at_once) || input_end_) {
            if (input_end_ && !decoder.ready(receive) && goes_away()) return;  // and the coroutine waits on
            turn_ends_at = decoder.messages() + messages_a_turn_max;
            reading_.finish(worker_, {});
        } else {
            ask_for_input();
        }
    }
}

/// What ends reading once the window holds no whole message; nothing when more may come.
std::error_code connection::why_no_more() noexcept {
    if (phase_ != phase::open) return close_reason_ ? close_reason_ : make_error_code(errc::already_closed);
    const errc at_end = decoder.end_of_stream(receive);
    if (at_end != errc::end_of_stream && at_end != errc::truncated) return make_error_code(at_end);  // corrupt
    if (!input_end_) return {};
    const bool inside_a_frame = at_end == errc::truncated;
    // A reset is told once (socket(7), SO_ERROR): if to a send, a receive sees the end alone.
    if (!inside_a_frame && input_end_ == errc::end_of_stream && output_failure_ == std::errc::connection_reset) return output_failure_;
    if (input_end_ == errc::end_of_stream || (inside_a_frame && input_end_ == std::errc::connection_reset)) return make_error_code(at_end);
    return input_end_;
}

/// Calls the per-message handler for what is there, and leaves what is more than a turn's share to the next turn.
void connection::pull() noexcept {
    auto& handler = worker_.network()->on_message();
    turn_ends_at = decoder.messages() + messages_a_turn_max;
    asked_for_room_ = true;
    while (phase_ == phase::open) {
        // Within its window a handler stays under the bound.
        if (std::exchange(asked_for_room_, false) && pause_if_above_bound()) return;
        if (decoder.messages() >= turn_ends_at && (decoder.ready(receive) || (memory_ && memory_->in.has_next()))) {
            go_on_later();
            return;
        }
        if (memory_ && receive.empty() && memory_->in.has_next()) (void)take_run();
        const wire::decoded next = decoder.next(receive);
        if (next.what == wire::decoded::kind::message) {
            handler(client_, message_access::make(next.payload, decoder));
            continue;
        }
        if (next.what == wire::decoded::kind::needs_more && has_more({})) continue;
        const bool more_to_come = next.what == wire::decoded::kind::needs_more && !input_end_ && phase_ == phase::open;
        if (more_to_come) {
            ask_for_input();
        } else {
            end(why_no_more());
        }
        return;
    }
}

/// Its turn is over, with messages left.
void connection::go_on_later() noexcept {
    unfinished_ = true;
    worker_.loop().call_again();
}

/// What a turn left.
void connection::resume() noexcept {
    const turn turn(worker_);
    borrow();
    unfinished_ = false;
    if (phase_ == phase::open && !paused_) input_arrived();
}

bool connection::pause_if_above_bound() noexcept {
    if (!out_.above_bound()) return false;
    push();
    if (!out_.above_bound() || output_failure_ || rules().drops()) return false;
    paused_ = true;
    ++counted_.pauses;
    worker_.accounts().add(entry::pauses, 1);
    tell_of_lagging();
    worker_.accounts().tell_overloaded(id_, worker_.loop().now());
    return true;
}

// Output --------------------------------------------------------------------------------------------------------------------------

/// Offers what is committed to the kernel, as much as it takes.
void connection::push_into_stream() noexcept {
    if (secure_) {
        push_ciphertext();
        return;
    }
    if (sending_ || phase_ == phase::opening || phase_ >= phase::closing) return;
    auto bytes = offer();
    if (bytes.empty()) return;
    note_milestone();
    for (; !bytes.empty(); bytes = offer()) {
        if (worker_.loop().sends_later(bytes.size())) out_.compact();  // it stays where it is until then: not in a window
        const auto taken = worker_.loop().send(*this, out_.front().first(bytes.size()));
        if (!taken) {
            sending_ = true;
            return;
        }
        if (!*taken) {
            output_failed(taken->error());
            return;
        }
        out_.taken(**taken);
        counted_.wire_bytes_sent += **taken;
        if (**taken < bytes.size() && !worker_.is_private()) out_.compact();
    }
}

void connection::sent(result<std::size_t> bytes) noexcept {
    const turn turn(worker_);
    borrow();  // what is written from here on fits the window that is there, and would not ask for one
    if (memory_) return bell_left(bytes);
    sending_ = false;
    bool tells = true;
    if (bytes && secure_) {
        ciphertext_left(*bytes);
        push();
    } else if (bytes) {
        out_.taken(base::is_planted(base::bug::lost_remainder) ? out_.front().size() : *bytes);
        counted_.wire_bytes_sent += *bytes;
        if constexpr (base::is_planted(base::bug::dropped_wake_up)) tells = out_.unsent_bytes() == 0;
        push();
    } else {
        output_failed(bytes.error());
    }
    if (phase_ == phase::draining) {
        drained_some();
    } else if (is_shaking_hands()) {
        shake_hands();
    } else {
        if (tells) room_came();
        if (secure_ && phase_ == phase::open && !paused_ && !unfinished_ && secure_->has_input()) input_arrived();  // it had stalled
    }
}

/// Bytes have left: who waited for that goes on. Posts come last: what they commit may leave at once when the turn ends, and then there is no
/// answer that would tell the others.
void connection::room_came() noexcept {
    count_unsent();
    if (output_failure_ && returns()) {
        if (goes_away()) return;  // a flush goes on with the return, or has ended with the loss
        flushing_.finish(worker_, make_error_code(errc::reconnecting));
    }
    const bool room_wanted = waits_for_room_ && out_.half_left();
    if (flushing_.active() && (unsent_bytes() == 0 || output_failure_ || room_wanted)) flushing_.finish(worker_, output_failure_);
    if (paused_ && phase_ == phase::open && (out_.half_left() || output_failure_)) {
        paused_ = false;
        pull();
    }
    if (posts_waiting_ && out_.half_left()) deliver_posts();
}

void connection::output_failed(std::error_code why) noexcept {
    MNET_ASSERT(!sending_, "a send fails by its answer");
    if (returns()) keep_unsent();
    if (ending* const told = make_ending()) {
        told->account.bytes_unsent += out_.unsent_bytes();
        told->maybe_left = maybe_left();
        told->account.messages_unsent += out_.unsent_messages(told->maybe_left);
    }
    output_failure_ = told_apart(why);
    if (secure_) secure_->forget_output();
    {
        const kept_messages::aside aside(kept());
        out_.shut();
    }
    // One that is gone tells who receives, after what came before. One that had no memory for our bytes (ENOBUFS) stands, and never would.
    if (input_end_ || why == std::errc::connection_reset || why == std::errc::broken_pipe) return;
    input_end_ = output_failure_;
    if (!worker_.is_private() && phase_ == phase::open && !is_shaking_hands()) go_on_later();
}

// Turns ---------------------------------------------------------------------------------------------------------------------------

void connection::borrow() noexcept {
    if (!worker_.is_private()) worker_.borrowed(*this);
}

bool connection::message_is_in_use() const noexcept {
    const bool held = phase_ == phase::open || handler_running_ || (role_ == role::owned && !released_);
    return shape_ != shape::messages && held && !left_ && !reading_.active();
}

void connection::settle() noexcept {
    push();
    while (posts_waiting_ && !sending_ && sends() && out_.half_left() && !send.writer_open) {
        deliver_posts();
        push();
    }
    out_.settle();
    if (!message_is_in_use()) in_.settle();
    if (secure_) settle_ciphertext();
    if (begun_ == nullptr && is_inside_a_frame()) watch_frame();
    publish();
}

}  // namespace mnet::inline v1::mtcp::detail
