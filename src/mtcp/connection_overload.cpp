// A connection whose peer is too slow: what becomes of a message at the bound, how messages are dropped and counted, who waits for room, and
// when it is over.
#include "base/assert.hpp"
#include "mtcp/connection.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

overload_rules::overload_rules(const mnet::overload& option, std::size_t message_bytes_max, std::size_t unsent_bytes_max)
    : policy(option.policy),
      patience(std::max(option.patience, std::chrono::milliseconds(1))),
      soft_bytes(option.soft_bytes == 0 ? unsent_bytes_max / 2 : std::min(option.soft_bytes, unsent_bytes_max)) {
    if (!option.marker) return;
    const auto bytes = std::as_bytes(std::span(option.marker->substr(0, std::min<std::size_t>(message_bytes_max, wire::length_max))));
    marker = std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
}

/// The steps of it, for a connection `of`.
struct connection::overloading {
    static overloaded* state_of(connection& of) noexcept;
    static std::size_t in_flight(const connection& of) noexcept;
    static base::block* make_marker(connection& of) noexcept;
    static bool drop_oldest(connection& of) noexcept;
    static bool open_gap(connection& of, std::uint64_t left, std::size_t lent) noexcept;
    static void count(connection& of, const dropped& all) noexcept;
    static bool is_slow(const connection& of) noexcept;
    static void on_timer(void* of) noexcept;
    static void cut(connection& of) noexcept;
};

const overload_rules& connection::rules() const noexcept {
    return overload_ && overload_->rules ? *overload_->rules : limits_in_force().overload;
}

result<> connection::set_overload(const overload& option) noexcept {
    own();
    try {
        if (overloading::state_of(*this) == nullptr) return failure(std::errc::not_enough_memory);
        overload_->rules.emplace(option, decoder.message_bytes_max(), limits_in_force().unsent_bytes_max);
        box()->set_policy(option.policy);
    } catch (const std::bad_alloc&) {
        return failure(std::errc::not_enough_memory);
    }
    watch_backlog();
    return {};
}

/// Nullptr when the system has no memory.
overloaded* connection::overloading::state_of(connection& of) noexcept {
    if (!of.overload_) of.overload_.reset(new (std::nothrow) overloaded(&of, on_timer));
    return of.overload_.get();
}

/// How much of what is unsent the kernel may be lent: that can't be dropped any more.
std::size_t connection::offer_bytes_max() const noexcept {
    if (rules().policy != at_bound::drop_oldest) return std::numeric_limits<std::size_t>::max();
    return std::max(out_.bound() / 4, offered_whole_max);
}

// At the bound --------------------------------------------------------------------------------------------------------------------

/// What the rules say where a message finds no room. No error: there may be room now.
result<> connection::meet_bound(std::size_t payload_bytes, bool may_wait) noexcept {
    const auto now = worker_.loop().now();
    worker_.accounts().tell_overloaded(id_, now);
    tell_of_lagging();
    switch (rules().policy) {
        case at_bound::refuse:
            break;
        case at_bound::block:
            if (may_wait && worker_.is_private()) return wait_for_room({.deadline = within(rules().patience)});
            break;
        case at_bound::drop_oldest:
            if (overloading::drop_oldest(*this)) return {};
            return drop_newest({.messages = 1, .payload_bytes = payload_bytes});
        case at_bound::drop_newest:
            return drop_newest({.messages = 1, .payload_bytes = payload_bytes});
        case at_bound::disconnect:
            watch_backlog();
            if (overload_ && overload_->timer.armed() && now >= overload_->timer.due()) {
                overloading::cut(*this);
                return failure(close_reason_);
            }
            break;
    }
    return failure(errc::would_block);
}

/// Until there is room, or the rules say that there is none.
void connection::meet_bound_for(result<>& room, std::size_t payload_bytes, bool may_wait) noexcept {
    while (!room && room.error() == errc::would_block && sends()) {
        if (auto met = meet_bound(payload_bytes, may_wait); !met && sends()) {
            room = met;
            return;
        }
        room = room_for(payload_bytes);
    }
}

void connection::overloading::count(connection& of, const dropped& all) noexcept {
    of.overload_->messages_dropped += all.messages;
    of.overload_->payload_bytes_dropped += all.payload_bytes;
    of.worker_.accounts().add(entry::messages_dropped, all.messages);
    of.worker_.accounts().add(entry::payload_bytes_dropped, all.payload_bytes);
    if (all.messages > 0) of.tell_of_drops(all.messages, all.payload_bytes);
}

base::block* connection::overloading::make_marker(connection& of) noexcept {
    const std::vector<std::byte>& marker = *of.rules().marker;
    base::block* const made = of.worker_.pool().acquire(wire::header_bytes + marker.size());
    if (made == nullptr) return nullptr;
    wire::store_length(made->data(), static_cast<std::uint32_t>(marker.size()));
    if (!marker.empty()) std::memcpy(made->data() + wire::header_bytes, marker.data(), marker.size());
    made->begin = 0;
    made->end = wire::header_bytes + marker.size();
    return made;
}

/// Unsent bytes that are on their way all the same: the kernel has them lent, or they are encrypted.
std::size_t connection::overloading::in_flight(const connection& of) noexcept {
    if (of.memory_) return 0;
    if (of.secure_) return of.secure_->sealed_bytes;
    return of.sending_ ? of.sending.size() : 0;
}

/// Drops the oldest messages of the queue until it keeps to the bound. False: it can't be had.
bool connection::overloading::drop_oldest(connection& of) noexcept {
    overloaded* const state = state_of(of);
    if (state == nullptr) return false;
    const std::uint64_t left = of.out_.done_bytes() - state->frame_bytes_dropped();
    const std::size_t lent = in_flight(of);
    auto& gap = state->front_gap;
    if (gap && gap->at < left + lent) gap.reset();  // what is behind it leaves already: the next gap is another
    if (!gap && !open_gap(of, left, lent)) return false;
    const std::uint64_t told_until = gap->at + gap->marker_bytes;
    of.worker_.ends_of_messages().forget_behind(of.stream_number(), of.queue_position() + lent);  // what was noted there will not be there
    const dropped all = of.out_.drop_behind(told_until - left, of.rules().marker.get());
    count(of, all);
    const std::uint64_t frame_bytes = all.payload_bytes + all.messages * wire::header_bytes;
    std::erase_if(state->ends_told_until, [&](std::uint64_t end) {  // those that have left, and those that were among the dropped
        return end < left || (end > told_until && end - told_until <= frame_bytes);
    });
    state->move_ends(told_until, 0 - frame_bytes);
    of.count_unsent();
    return !of.out_.above_bound();
}

/// A gap behind what is on its way. False: there is nothing to drop, or no memory for that.
bool connection::overloading::open_gap(connection& of, std::uint64_t left, std::size_t lent) noexcept {
    const auto boundary = of.out_.part_after(lent);
    if (!boundary || *boundary >= of.out_.unsent_bytes()) return false;
    const std::uint64_t here = left + *boundary;
    if (of.overload_->goes_on_at(here)) {
        of.overload_->front_gap = {.at = here, .marker_bytes = 0};
        return true;
    }
    std::size_t marker_bytes = 0;
    if (of.rules().marker) {
        base::block* const marker = make_marker(of);
        if (marker == nullptr) return false;
        marker_bytes = marker->size();
        const bool gap_at_end = of.overload_->end_gap == of.send.messages;
        of.out_.insert(*marker, *boundary);
        if (gap_at_end) of.overload_->end_gap = of.send.messages;
        of.overload_->move_ends(here, marker_bytes);
    }
    of.overload_->front_gap = {.at = here, .marker_bytes = marker_bytes};
    of.overload_->front_told_until = here + marker_bytes;
    ++of.overload_->gaps;
    of.worker_.accounts().add(entry::gaps, 1);
    return true;
}

/// Messages that come behind all others, and don't. Always an error: message_dropped, or why that could not be done properly.
result<> connection::drop_newest(const dropped& what) noexcept {
    overloaded* const state = overloading::state_of(*this);
    if (state == nullptr || (memory_ && !leave_place())) return failure(std::errc::not_enough_memory);
    const std::uint64_t left = out_.done_bytes() - state->frame_bytes_dropped();
    if (state->end_gap != send.messages && !state->goes_on_at(left + out_.unsent_bytes())) {
        try {
            std::erase_if(state->ends_told_until, [&](std::uint64_t end) { return end < left; });
            state->ends_told_until.reserve(state->ends_told_until.size() + 1);
        } catch (const std::bad_alloc&) {
            return failure(std::errc::not_enough_memory);
        }
        if (rules().marker) {
            base::block* const marker = overloading::make_marker(*this);
            if (marker == nullptr) return failure(std::errc::not_enough_memory);
            worker_.pool().disown(*marker);
            out_.append(*marker);
        }
        state->ends_told_until.push_back(left + out_.unsent_bytes());
        ++overload_->gaps;
        worker_.accounts().add(entry::gaps, 1);
    }
    send.messages += what.messages;  // so that sent is received and dropped
    out_.count_dropped(what.payload_bytes + what.messages * wire::header_bytes);
    overloading::count(*this, what);
    state->end_gap = send.messages;
    return failure(errc::message_dropped);
}

// Waiting for room ----------------------------------------------------------------------------------------------------------------

result<> connection::wait_for_room(const operation& op) noexcept {
    own();
    const auto due = op.deadline.from(worker_.loop().now());
    if (worker_.is_private()) {
        push();
    } else {
        const turn turn(worker_);
        push();
    }
    for (;;) {
        if (returns() && writes_wait()) return failure(errc::reconnecting);
        if (phase_ != phase::open) return failure(close_reason_ ? close_reason_ : make_error_code(errc::already_closed));
        if (output_failure_) return failure(output_failure_);
        count_unsent();
        if (!out_.above_bound()) return {};
        if (!worker_.is_private()) return failure(errc::blocks_the_loop);
        publish();
        if (auto ran = run_until(op, due); !ran) return ran;
    }
}

bool connection::start_room(std::coroutine_handle<> waiting, const operation& op) noexcept {
    operation bounded = op;
    if (rules().policy == at_bound::block && op.deadline.is_never()) bounded.deadline = within(rules().patience);
    const auto room = wait_for_room(bounded);
    const bool has_to_wait = !room && room.error() == errc::blocks_the_loop;
    if (!has_to_wait) {
        flushing_.set_outcome(room ? std::error_code{} : room.error());
        return false;
    }
    waits_for_room_ = true;
    return flushing_.begin(worker_, waiting, bounded);
}

// Too slow for too long -----------------------------------------------------------------------------------------------------------

/// Tells the budget, and learns how much of it is left for this client.
void connection::charge_budget() noexcept {
    const auto& budget = limits_in_force().budget;
    const std::size_t unsent = out_.unsent_bytes();
    if (unsent > 0 || overload_) {
        overloaded* const state = overloading::state_of(*this);
        if (state == nullptr) return;  // its own bound holds
        state->charged.open(budget);
        state->charged.set(unsent);
    }
    // As much as is left once it has that: what it writes from here on is less for itself, too.
    out_.set_bound(std::min(limits_in_force().unsent_bytes_max, (budget->left() + unsent) / 2));
}

bool connection::overloading::is_slow(const connection& of) noexcept {
    const bool watched = of.phase_ == phase::open && of.rules().policy == at_bound::disconnect;
    return watched && of.out_.unsent_bytes() > std::min(of.rules().soft_bytes, of.out_.bound());
}

/// Sets and clears the timer of `disconnect`, by the level.
void connection::watch_backlog() noexcept {
    count_unsent();
    if (!overloading::is_slow(*this)) {
        if (overload_ && overload_->timer.armed()) worker_.loop().cancel(overload_->timer);
    } else if (overloaded* const state = overloading::state_of(*this); state != nullptr && !state->timer.armed()) {
        worker_.loop().set(state->timer, worker_.loop().now() + rules().patience);
    }
}

void connection::overloading::on_timer(void* of) noexcept {
    auto& due = *static_cast<connection*>(of);
    const turn turn(due.worker_);
    if (due.phase_ != phase::open) return;
    due.push();
    if (is_slow(due)) cut(due);
}

void connection::overloading::cut(connection& of) noexcept {
    const auto now = of.worker_.loop().now();
    of.worker_.accounts().add(entry::clients_too_slow, 1);
    of.worker_.accounts().tell_overloaded(of.id_, now);
    of.begin_close(make_error_code(errc::too_slow), now, false);
}

}  // namespace mnet::inline v1::mtcp::detail
