// A connection whose frames go through shared memory: windows of that memory in place of the pool's, and a bell in place of the kernel's events.
//
// What finds no room there queues up in the pool's blocks, as it does in front of a socket, and is copied over when room comes; so a peer that
// doesn't read meets the same bounds (connection_memory_output.cpp).
#include "base/assert.hpp"
#include "base/pause_processor.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/memory.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// A thread that polls memory sees no event of the kernel: so often it looks for those too.
constexpr unsigned polls_an_event = 64;

/// An answer of a thread that polls, too, comes within so many looks.
constexpr unsigned looks_for_an_answer = 64;
constexpr unsigned short_waits_in_a_row = 64;

}  // namespace

memory::memory(connection& owner, shm::segment with, const shm::peer& who, std::string where) noexcept
    : of(owner), segment(std::move(with)), peer(who), address(std::move(where)), giving_back(&owner, [](void* self) noexcept {
          static_cast<connection*>(self)->give_back_pages();
      }) {}

bool memory::is_time_for_events() noexcept {
    base::pause_processor();
    return ++idle_polls % polls_an_event == 0;
}

bool memory::answer_comes() noexcept {
    const bool is_answer = std::exchange(has_asked, false);
    for (unsigned left = is_answer ? answers.pauses() : 0; left > 0; --left) base::pause_processor();
    unsigned looks_in_vain = 0;
    while (!in.has_next()) {
        if (++looks_in_vain == looks_for_an_answer) return false;
        base::pause_processor();
    }
    if (is_answer) answers.came_after(looks_in_vain);
    return true;
}

result<> connection::share(met&& with) noexcept {
    was_met_ = true;
    memory_.reset(new (std::nothrow) memory(*this, std::move(with.shared), with.with, std::move(with.address)));
    if (!memory_) return failure(std::errc::not_enough_memory);
    auto attached = attach(with.bell.release());
    if (!attached) {
        memory_.reset();
        return attached;
    }
    worker_.share(*memory_);
    worker_.loop().receive(*this);
    if (role_ == role::owned) {
        memory_->greeted = true;
        tell_of_beginning();
        ring();
    }
    return {};
}

// The bell ------------------------------------------------------------------------------------------------------------------------

void connection::ring() noexcept {
    static constexpr std::byte bell{1};
    if (phase_ >= phase::closing || memory_->gone) return;
    if (memory_->bell_pending) {
        memory_->bell_again = true;
        return;
    }
    const auto rung = worker_.loop().send(*this, {&bell, 1});
    memory_->bell_pending = !rung.has_value();
    if (rung && !*rung) bell_failed(rung->error());
}

void connection::bell_left(const result<std::size_t>& bytes) noexcept {
    memory_->bell_pending = false;
    if (!bytes) return bell_failed(bytes.error());
    if (std::exchange(memory_->bell_again, false)) ring();
}

/// The peer would sleep on: it is told by the bell's end, and its own end comes back. A peer that has closed is about to be heard of.
void connection::bell_failed(std::error_code why) noexcept {
    if (why == std::errc::broken_pipe) return;
    memory_->bell_failure = why;
    (void)worker_.loop().finish(*this);
}

void connection::bell_rang(const result<std::size_t>& bytes) noexcept {
    if (!bytes || *bytes == 0) {
        const std::error_code how = memory_->bell_failure ? memory_->bell_failure : make_error_code(errc::end_of_stream);
        memory_->gone = bytes ? how : bytes.error();
    } else {
        worker_.loop().receive(*this);
        if (!std::exchange(memory_->greeted, true)) {
            if (role_ == role::served && shape_ != shape::direct) serve();
            return;
        }
    }
    if (!memory_->greeted && phase_ == phase::open) {
        if (memory_->gone != errc::end_of_stream) worker_.accounts().add(entry::clients_failed, 1);
        leave_stream();  // it never came
        return;
    }
    attend_memory();
}

/// Whether the memory has something that the connection waits for.
bool connection::memory_has_news() noexcept {
    if (phase_ == phase::draining) return (!message_is_in_use() && memory_->in.has_next()) || (sending_ && memory_->out.has_room());
    if (phase_ != phase::open || !memory_->greeted) return false;
    if (sending_ && memory_->out.has_room()) return true;
    if (!sending_ && flushing_.active() && unsent_bytes() == 0) return true;
    if (!sending_ && (paused_ || (posts_waiting_ && sends())) && !send.writer_open && out_.half_left()) return true;
    const bool wants_input = shape_ == shape::messages ? !paused_ && !unfinished_ : reading_.active() && !decoder.ready(receive);
    return wants_input && !input_end_ && memory_->in.has_next();
}

/// For a worker that polls, and has found news.
void connection::memory_came() noexcept {
    const turn turn(worker_);
    borrow();
    attend_memory();
}

/// Says what it would be woken for; false when that is there already.
bool connection::may_sleep(bool for_input) noexcept {
    std::uint32_t wishes = sending_ ? shm::for_room : shm::for_nothing;
    if (for_input || phase_ == phase::draining || reading_.active() || (shape_ == shape::messages && !paused_)) wishes |= shm::for_input;
    memory_->segment.wish(wishes);
    const bool news = memory_has_news() || (for_input && memory_->in.has_next());
    if (news) woke();
    return !news;
}

void connection::woke() noexcept { memory_->segment.wish(shm::for_nothing); }

/// What still comes; but a message that lies there is its user's.
void connection::throw_away_memory() noexcept {
    if (message_is_in_use()) return;
    for (auto bytes = memory_->in.next().bytes; bytes.data() != nullptr; bytes = memory_->in.next().bytes) {
        ending_->account.bytes_unread += bytes.size();
    }
}

void connection::attend_memory() noexcept {
    if (phase_ == phase::draining) {
        throw_away_memory();
        wake_for_room();
        if (memory_->gone) output_lost(memory_->gone);
        if (sending_) push();
        drained_some();
        return;
    }
    if (phase_ != phase::open) return;
    if (memory_->gone) output_lost(memory_->gone);
    if (memory_->out.lied()) told_lies();
    if (sending_ && !output_failure_) push();
    if (!sending_ && (flushing_.active() || paused_ || posts_waiting_ || limits_in_force().budget))
        room_came();  // a push at the end of a turn may have taken the last of it, and told nobody
    if (phase_ == phase::open && !paused_ && !unfinished_) input_arrived();
}

void connection::told_lies() noexcept {
    input_end_ = make_error_code(errc::protocol_violation);
    output_lost(input_end_);
}

/// The peer takes nothing any more, ever.
void connection::output_lost(std::error_code why) noexcept {
    if (output_failure_) return;
    leave_place();
    sending_ = false;
    output_failed(why == errc::end_of_stream ? std::make_error_code(std::errc::broken_pipe) : why);
    if (phase_ == phase::open) room_came();
}

// Input ---------------------------------------------------------------------------------------------------------------------------

/// The short way from one run of whole frames to the next, while the peer is ahead. False: take the long way.
bool connection::next_run() noexcept {
    if (!receive.empty() || in_.holds_memory() || input_end_) return false;
    const auto bytes = memory_->in.next_whole();
    if (bytes.empty()) return false;
    wake_for_room();
    receive = {.begin = bytes.data(), .end = bytes.data() + bytes.size()};
    counted_.wire_bytes_received += bytes.size();
    return decoder.ready(receive);
}

/// The same of a peer that is expected to answer within a moment, for a reader whom nobody else waits for: looks again and again, for less than it
/// takes to ask what else there is to be done, unless there is something. Now and then the long way has its turn all the same: it keeps the books.
bool connection::next_run_soon(const operation& op) noexcept {
    const bool is_asked = phase_ != phase::open || is_stopping() || worker_.mail()->has_calls() || is_withdrawn(op);
    const bool is_turn_over = decoder.messages() >= turn_ends_at;
    if (is_asked || is_turn_over || sending_ || posts_waiting_ || ++memory_->short_waits % short_waits_in_a_row == 0) return false;
    if (receive.empty()) {  // while there is time for it
        memory_->in.end_last();
        wake_for_room();
    }
    const bool may_wait = worker_.polls_for_one() && op.deadline.from({}).count() > 0;
    if (may_wait ? !memory_->answer_comes() : !memory_->in.has_next()) return false;
    memory_->out.fetch_place();
    return next_run();
}

/// The next run becomes the receive window, or is added to the frame that is put together there. False when there is none.
bool connection::take_run() noexcept {
    using kind = shm::receiver::arrival::kind;
    if (input_end_) return false;
    const auto gone = memory_->gone;  // before looking: what the peer published before its end is seen
    const auto arrived = memory_->in.next();
    wake_for_room();
    switch (arrived.what) {
        case kind::nothing:
            input_end_ = gone;
            return static_cast<bool>(input_end_);
        case kind::whole:
            if (receive.empty()) {
                in_.drop();
                receive = {.begin = arrived.bytes.data(), .end = arrived.bytes.data() + arrived.bytes.size()};
                counted_.wire_bytes_received += arrived.bytes.size();
                return true;
            }
            break;  // it begins inside a frame
        case kind::piece:
            if (add_piece(arrived.bytes)) return true;
            break;
        case kind::finish:
            input_end_ = make_error_code(errc::end_of_stream);
            return true;
        case kind::lie:
            break;
    }
    told_lies();
    return true;
}

bool connection::add_piece(std::span<const std::byte> bytes) noexcept {
    if (!in_.holds_memory() && !receive.empty()) return false;  // the rest of a run that ended inside a frame
    if (!in_.holds_memory()) receive = {};
    counted_.wire_bytes_received += bytes.size();
    while (!bytes.empty()) {
        std::size_t missing = 1;
        if (!decoder.ready(receive)) {
            const wire::decoded next = decoder.next(receive);
            missing = next.what == wire::decoded::kind::needs_more ? next.bytes_missing : 1;
        }
        const auto room = in_.lend(missing);
        if (room.empty()) {
            input_end_ = std::make_error_code(std::errc::not_enough_memory);
            return true;
        }
        const std::size_t count = std::min(room.size(), bytes.size());
        std::memcpy(room.data(), bytes.data(), count);
        in_.received(count);
        bytes = bytes.subspan(count);
    }
    return true;
}

/// Makes the decoder ready for the receive window, if the memory has what that takes, or is about to. Who has read all that there is shows his answers
/// first: the peer may wait for them.
bool connection::fetch(const operation& op) noexcept {
    if (memory_->in.has_next()) {
        if (next_run()) return true;
    } else {
        push();
        if (worker_.polls_for_one() && next_run_soon(op)) return true;
    }
    while (!decoder.ready(receive)) {
        if (!take_run()) return false;
        if (input_end_) return decoder.ready(receive);
    }
    return true;
}

void connection::wake_for_room() noexcept {
    if (memory_->in.has_to_wake()) ring();
}

// Waiting -------------------------------------------------------------------------------------------------------------------------

/// Runs a private loop once for a connection in shared memory: polls for a moment, then sleeps until the bell rings.
void connection::run_for_memory(std::chrono::nanoseconds due, bool for_input) noexcept {
    const auto until = std::min(due, worker_.loop().now() + spin_for(limits_in_force(), 1));
    do {
        for (unsigned polls = 0; polls < polls_an_event; ++polls) {
            if (for_input && memory_->in.has_next()) return;  // its reader takes it
            if (memory_has_news()) {
                const turn turn(worker_);
                attend_memory();
                return;
            }
            base::pause_processor();
        }
    } while (worker_.loop().now() < until);
    publish();
    if (!may_sleep(for_input)) {
        const turn turn(worker_);
        attend_memory();
        return;
    }
    worker_.loop().receive(*this);
    worker_.loop().run_once(due);
    woke();
}

}  // namespace mnet::inline v1::mtcp::detail
