// What a client asks of its connection: room, input, and that its output is with the kernel; blocking on a private loop, as coroutines on
// a shared one.
#include "base/assert.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/memory.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <optional>
#include <stop_token>

namespace mnet::inline v1::mtcp::detail {

namespace {

bool is_refusal(const result<>& room) noexcept {
    return !room && (room.error() == errc::would_block || room.error() == std::errc::timed_out);
}

}  // namespace

// Writing -------------------------------------------------------------------------------------------------------------------------

result<> connection::make_room(std::size_t payload_bytes) noexcept {
    own();
    asked_for_room_ = true;
    if (tells_writers()) return tell_return();
    if (memory_ && next_place(payload_bytes)) return {};
    auto room = room_by_rules(payload_bytes, true);
    if (is_refusal(room)) write_refused();
    return room;
}

void connection::write_refused() noexcept {
    ++counted_.writes_refused;
    worker_.accounts().add(entry::writes_refused, 1);
    tell_of_lagging();
}

/// Whether a message may be committed now; sends what is committed first.
result<> connection::may_send(std::size_t payload_bytes) noexcept {
    if (phase_ != phase::open) return failure(close_reason_ ? close_reason_ : make_error_code(errc::already_closed));
    if (output_failure_) return failure(output_failure_);
    if (payload_bytes > decoder.message_bytes_max()) return failure(errc::message_too_large);
    borrow();
    if (memory_) {
        show_batch();
    } else {
        push();
    }
    if (!memory_ && sending_ && worker_.is_private() && !out_.above_bound()) let_the_peer_catch_up();
    if (phase_ != phase::open) return failure(close_reason_);
    if (output_failure_) return failure(output_failure_);
    return {};
}

result<> connection::room_for(std::size_t payload_bytes) noexcept {
    if (returns() && writes_wait()) return room_meanwhile(payload_bytes);
    if (auto may = may_send(payload_bytes); !may) return returns() && writes_wait() ? room_meanwhile(payload_bytes) : may;
    count_unsent();
    const std::size_t frame_bytes = payload_bytes + wire::header_bytes;
    return memory_ && !out_.above_bound() ? room_in_memory(frame_bytes) : out_.make_room(frame_bytes);
}

result<> connection::append(base::block& frame) noexcept {
    own();
    asked_for_room_ = true;
    if (tells_writers()) return tell_return();
    if (returns() && writes_wait()) return append_meanwhile(frame);
    const std::size_t payload_bytes = frame.size() - wire::header_bytes;
    if (auto may = may_send(payload_bytes); !may) return returns() && writes_wait() ? append_meanwhile(frame) : may;
    count_unsent();
    while (out_.above_bound()) {
        const auto met = meet_bound(payload_bytes, true);
        if (!sends()) return append(frame);  // lost or cut meanwhile: that says so
        if (is_refusal(met)) write_refused();
        if (!met) return met;
    }
    if (memory_) {
        if (copy_in_place(frame)) return {};
        if (!leave_place()) return failure(std::errc::not_enough_memory);
    }
    out_.append(frame);
    return {};
}

base::block* connection::give_block(std::size_t payload_bytes) noexcept {
    own();
    base::block* const given = worker_.pool().acquire(wire::header_bytes + payload_bytes);
    if (given != nullptr) worker_.pool().disown(*given);
    return given;
}

/// A blocking sender that runs ahead of its peer by more than a window would go on through cold memory, up to twice as slow: so it polls for
/// a moment first, as it would for input.
void connection::let_the_peer_catch_up() noexcept {
    if (pacing_ || send.writer_open) return;
    pacing_ = true;
    const auto windows = static_cast<int>(out_.unsent_bytes() / worker_.pool().window_bytes());
    const auto until = worker_.loop().now() + spin_for(limits_in_force(), 1) * windows;
    while (phase_ == phase::open && sending_ && out_.unsent_bytes() >= worker_.pool().window_bytes() && worker_.loop().now() < until) {
        worker_.loop().run_once(worker_.loop().now());
        if (sending_) worker_.loop().give_way();
    }
    pacing_ = false;
}

result<> connection::flush(const operation& op) noexcept {
    if (!returns()) return flush_here(op);
    own();
    if (is_away()) return flush_through(op);
    const auto flushed = flush_here(op);
    return flushed || flushed.error() == errc::would_block || !goes_away() ? flushed : flush_through(op);
}

result<> connection::flush_here(const operation& op) noexcept {
    own();
    if (phase_ != phase::open) return failure(close_reason_ ? close_reason_ : make_error_code(errc::already_closed));
    if (worker_.is_private()) {
        push();
    } else {
        const turn turn(worker_);  // outside of the loop's own turns, the window goes back at once
        push();
    }
    if (worker_.is_private() && (worker_.mail()->has_calls() || worker_.stopping() || (memory_ && memory_->is_time_for_events()))) attend();
    if (output_failure_) return failure(output_failure_);
    if (phase_ != phase::open) return failure(close_reason_);
    if (unsent_bytes() == 0) return {};
    if (!worker_.is_private()) return failure(errc::would_block);
    const auto due = op.deadline.from(worker_.loop().now());
    while (unsent_bytes() > 0) {
        publish();
        if (auto ran = run_until(op, due); !ran) return ran;
        if (output_failure_) return failure(output_failure_);
        if (phase_ != phase::open) return failure(close_reason_);
    }
    return {};
}

bool connection::start_flush(std::coroutine_handle<> waiting, const operation& op) noexcept {
    if (worker_.is_private()) {
        const auto flushed = flush(op);
        flushing_.set_outcome(flushed ? std::error_code{} : flushed.error());
        return false;
    }
    const auto flushed = flush(op);
    const bool left_over = !flushed && flushed.error() == errc::would_block;
    if (!left_over) {
        flushing_.set_outcome(flushed ? std::error_code{} : flushed.error());
        return false;
    }
    waits_for_room_ = false;
    return flushing_.begin(worker_, waiting, op);
}

result<> connection::finish_flush() noexcept {
    if (flushing_.outcome()) return failure(flushing_.outcome());
    return {};
}

// Reading -------------------------------------------------------------------------------------------------------------------------

void connection::withdraw_receive() noexcept {
    if (phase_ == phase::open && !memory_ && !is_shaking_hands()) worker_.loop().cancel_receive(*this);
}

/// What `fill_now` says when the kernel has nothing.
result<> connection::nothing_yet() noexcept {
    const std::error_code reason = why_no_more();
    return failure(reason ? reason : make_error_code(errc::no_data_yet));
}

/// One try: at least a byte more in the window, an end, or errc::no_data_yet.
result<> connection::fill_now() noexcept {
    if (memory_ && receive.empty() && take_run()) return {};
    if (const std::error_code reason = why_no_more()) return failure(reason);
    if (memory_) {
        if (take_run()) return {};
        return failure(errc::no_data_yet);
    }
    if (secure_) return fill_with_plaintext();
    const auto room = lend();
    if (room.empty()) return failure(std::errc::not_enough_memory);
    const result<std::size_t> bytes = worker_.loop().try_receive(*this, room);
    if (!bytes && bytes.error() == std::errc::resource_unavailable_try_again) return failure(errc::no_data_yet);
    take_input(bytes);
    return {};
}

result<> connection::try_fill() noexcept {
    if (returns() || phase_ > phase::open) let_go_of_message();
    if (!returns()) return try_fill_here();
    own();
    const auto filled = is_away() ? failure(close_reason_) : try_fill_here();
    return filled || filled.error() == errc::no_data_yet ? filled : look_through(filled.error());
}

result<> connection::try_fill_here() noexcept {
    own();
    if (memory_ && !worker_.mail()->has_calls() && next_run()) return {};
    result<> filled = fill_now();
    while (filled && !decoder.ready(receive)) filled = fill_now();
    const bool nothing_yet = !filled && filled.error() == errc::no_data_yet;
    if (!filled && !nothing_yet) return filled;
    // A polling loop runs nothing else: give what waits on this loop its turn.
    const bool something_waits = worker_.mail()->has_calls() || (nothing_yet && (out_.unsent_bytes() > 0 || posts_waiting_)) ||
                                 (nothing_yet && memory_ && worker_.is_private() && memory_->is_time_for_events()) ||
                                 (nothing_yet && poll_for_frame());
    if (worker_.is_private() && something_waits) {
        push();
        attend();
        if (begun_ != nullptr) begun_->awaited = false;
        if (nothing_yet && input_end_) return failure(why_no_more());          // its frame came too slowly
        if (filled && !decoder.ready(receive)) return failure(why_no_more());  // it was asked to close
    }
    if (nothing_yet && is_stopping()) return failure(std::errc::operation_canceled);
    return filled;
}

result<> connection::fill(const operation& op) noexcept {
    if (returns() || phase_ > phase::open) let_go_of_message();
    if (!returns() || !worker_.is_private()) return fill_here(op);
    own();
    const auto due = op.deadline.from(worker_.loop().now());
    const auto filled = is_away() ? failure(close_reason_) : fill_here(op);
    return filled ? filled : read_through(filled.error(), due, op.stop);
}

result<> connection::fill_here(const operation& op) noexcept {
    if (!worker_.is_private()) return failure(errc::blocks_the_loop);
    own();
    push();
    if (memory_ && next_run_soon(op)) return {};
    std::optional<std::chrono::nanoseconds> due;
    constexpr unsigned polls_a_way = 4;
    unsigned polls = 0;
    const auto spin = spin_for(limits_in_force(), 1);
    std::chrono::nanoseconds spin_until{0};
    while (!decoder.ready(receive)) {
        if (is_stopping()) return failure(std::errc::operation_canceled);
        const bool told_by_loop = !memory_ && !(secure_ && secure_->has_input()) && spin.count() == 0 && worker_.loop().emptied(*this);
        const auto filled = told_by_loop ? nothing_yet() : fill_now();
        if (filled) {
            if (worker_.mail()->has_calls()) attend();
            continue;
        }
        if (filled.error() != errc::no_data_yet) return filled;
        const auto now = worker_.loop().now();
        if (!due) {
            due = op.deadline.from(now);
            spin_until = std::min(*due, now + spin);
        }
        if (!memory_ && now < spin_until && !sending_ && !worker_.mail()->has_calls() && !is_withdrawn(op)) {
            if (++polls % polls_a_way == 0) worker_.loop().give_way();
            continue;
        }
        if (is_stopping()) return failure(std::errc::operation_canceled);
        if (posts_waiting_ && !send.writer_open && out_.half_left()) {  // they waited for a writer that has committed meanwhile
            deliver_posts();
            push();
            continue;
        }
        publish();
        ask_for_input();
        const auto ran = run_for_input(op, *due);
        withdraw_receive();
        if (!ran && !decoder.ready(receive)) return ran;
        if (posts_waiting_) deliver_posts();
        push();
        if (spin.count() > 0 && !memory_) spin_until = std::min(*due, worker_.loop().now() + spin);
    }
    return {};
}

/// For a client that never has to wait, because its peer is fast: what others ask of its loop gets its turn all the same.
void connection::attend() noexcept {
    worker_.loop().run_once(worker_.loop().now());
    if (posts_waiting_) deliver_posts();
    push();
}

/// Runs the private loop once; says why there is no use in running it again.
result<> connection::run_until(const operation& op, std::chrono::nanoseconds due, bool for_input) noexcept {
    if (is_withdrawn(op)) return failure(std::errc::operation_canceled);
    if (worker_.loop().now() >= due) return failure(std::errc::timed_out);
    std::optional<std::stop_callback<stop_signal>> on_stop;
    if (op.stop != nullptr) on_stop.emplace(*op.stop, stop_signal{worker_.mail().get()});
    if (memory_ && !is_away()) {
        run_for_memory(due, for_input);
    } else {
        worker_.loop().run_once(due);
    }
    return {};
}

bool connection::start_fill(std::coroutine_handle<> waiting, const operation& op) noexcept {
    if (worker_.is_private()) {
        const auto filled = fill(op);
        reading_.set_outcome(filled ? std::error_code{} : filled.error());
        return false;
    }
    let_go_of_message();
    if (is_away() && !worker_.stopping()) return reading_.begin(worker_, waiting, op);
    turn_ends_at = std::min(turn_ends_at, decoder.messages() + messages_a_turn_max);  // of a first step, which no input has begun
    const bool is_ready = decoder.ready(receive);
    if (is_ready && is_stopping()) {  // what has arrived is read to its end
        reading_.set_outcome({});
        return false;
    }
    // In memory the next message may lie in a run of its own.
    const bool turn_is_over = is_ready || (memory_ && decoder.messages() >= turn_ends_at && memory_->in.has_next());
    if (!turn_is_over && phase_ == phase::open && has_more(op)) {
        reading_.set_outcome({});
        return false;
    }
    if (const std::error_code reason = turn_is_over ? std::error_code{} : why_no_more()) {
        if (reason == errc::reconnected) {
            (void)tell_return();
        } else if (!worker_.stopping() && goes_away(true) && is_away()) {
            return reading_.begin(worker_, waiting, op);
        }
        const std::error_code why = phase_ > phase::open ? close_reason_ : reason;  // who flushed, and was told first, may have closed it
        reading_.set_outcome(is_away() ? std::make_error_code(std::errc::operation_canceled) : why);
        return false;
    }
    if (is_stopping() && !turn_is_over) {
        reading_.set_outcome(std::make_error_code(std::errc::operation_canceled));
        return false;
    }
    const turn turn(worker_);  // a coroutine's first step may run outside of the loop: what it committed leaves all the same
    borrow();
    if (!reading_.begin(worker_, waiting, op)) return false;
    if (turn_is_over) {
        go_on_later();
    } else {
        ask_for_input();
    }
    return true;
}

result<> connection::finish_fill() noexcept {
    if (reading_.outcome()) {
        if (!worker_.is_private()) withdraw_receive();
        return failure(close_reason_ == errc::too_slow ? close_reason_ : reading_.outcome());
    }
    if (decoder.ready(receive)) return {};
    return failure(why_no_more());
}

void connection::abandon(std::coroutine_handle<> waiting) noexcept {
    if (reading_.is_of(waiting)) {
        reading_.abandon();
        withdraw_receive();
    }
    if (flushing_.is_of(waiting)) flushing_.abandon();
}

// Looking -------------------------------------------------------------------------------------------------------------------------

void connection::own() noexcept {
    if (worker_.is_private()) worker_.owner().store(std::this_thread::get_id(), std::memory_order_relaxed);
    MNET_ASSERT(is_mine(), "a client is used by one thread at a time: its handler's; others use a peer of it");
}

/// A client that is nobody's becomes the caller's: of two threads that close it at the same time, one does and the other asks it to.
bool connection::is_mine() noexcept {
    auto owner = std::thread::id{};
    return worker_.owner().compare_exchange_strong(owner, std::this_thread::get_id(), std::memory_order_relaxed) ||
           owner == std::this_thread::get_id();
}

}  // namespace mnet::inline v1::mtcp::detail
