// What a connection in shared memory writes: in place as long as there is room, queued and copied over when there was none.
//
// While something is queued, no window of the memory is open: messages keep their order.
#include "base/assert.hpp"
#include "base/pause_processor.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/memory.hpp"

#include <mnet/wire/frame.hpp>

#include <chrono>
#include <cstring>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// How long large messages must have been absent before their pages go back: paging in a MiB anew costs more than sending it.
constexpr std::chrono::seconds pages_kept{1};

/// What was copied out of memory that the peer can write.
bool holds_whole_frames(const base::block& copied) noexcept {
    std::size_t end = 0;
    while (copied.end - end >= wire::header_bytes) {
        const std::size_t frame_bytes = wire::header_bytes + wire::load_length(copied.data() + end);
        if (frame_bytes > copied.end - end) return false;
        end += frame_bytes;
    }
    return end == copied.end;
}

}  // namespace

/// The short way from one window of the memory to the next, while the peer keeps up. False: nothing has changed, take the long way.
bool connection::next_place(std::size_t payload_bytes) noexcept {
    const std::size_t frame_bytes = payload_bytes + wire::header_bytes;
    const bool pages_are_known = memory_->pages_in_use || frame_bytes < shm::large_from;
    const bool simple = phase_ == phase::open && !output_failure_ && !sending_ && memory_->out.is_open() && pages_are_known;
    if (!simple || payload_bytes > decoder.message_bytes_max()) return false;
    const std::size_t bytes = memory_->out.unkept_bytes(send.next);
    const auto window = memory_->out.next(send.next, frame_bytes);
    if (window.empty()) return false;
    counted_.wire_bytes_sent += bytes;
    memory_->placed_bytes += bytes;
    send.next = window.data();
    send.limit = window.data() + window.size();
    borrow();
    if (memory_->out.has_batch() && memory_->out.publish()) ring();
    return true;
}

/// Makes a window of the memory the send window. False when there is no room for it.
bool connection::write_in_place(std::size_t frame_bytes) noexcept {
    if (out_.unsent_bytes() > 0) return false;
    if (!leave_place()) return false;
    if (out_.unsent_bytes() > 0) return false;
    out_.settle();
    const auto window = memory_->out.open(frame_bytes);
    if (window.empty()) return false;
    send.next = window.data();
    send.limit = window.data() + window.size();
    if (frame_bytes >= shm::large_from && !std::exchange(memory_->pages_in_use, true)) {
        worker_.loop().set(memory_->giving_back, worker_.loop().now() + pages_kept);
    }
    return true;
}

void connection::keep_in_place() noexcept {
    if (!memory_->out.is_open()) return;
    const std::size_t bytes = memory_->out.unkept_bytes(send.next);
    if (bytes == 0 || !memory_->out.keep(send.next)) return;
    counted_.wire_bytes_sent += bytes;
    memory_->placed_bytes += bytes;
    if (!send.writer_open) send.next = memory_->out.go_on();
}

/// Ends the memory's window; what could not be kept there is queued. False, and nothing changed, when there is no memory for that.
bool connection::leave_place() noexcept {
    if (!memory_->out.is_open()) return true;
    keep_in_place();
    const std::size_t left = memory_->out.unkept_bytes(send.next);
    base::block* queued = nullptr;
    if (left > 0) {
        queued = worker_.pool().acquire(left);
        if (queued == nullptr) return false;
        std::memcpy(queued->data(), send.next - left, left);
        queued->begin = 0;
        queued->end = left;
        worker_.pool().disown(*queued);
    }
    memory_->out.shut();
    send.next = send.limit = nullptr;
    if (overload_) overload_->pass_by();
    if (queued == nullptr) return true;
    if (holds_whole_frames(*queued)) {
        out_.take_over(*queued);
    } else {  // the peer wrote over them: that is heard of when the memory is attended to
        base::delete_block(queued);
        out_.count_dropped(left);
        memory_->out.distrust();
    }
    return true;
}

/// Polls until `condition` holds, or for as long as a thread may; longer, when much is queued that has to be copied. The reader may wait for
/// this very processor, and gets it.
template <typename Condition>
void connection::wait_for_reader(Condition condition) noexcept {
    constexpr unsigned polls_a_look_at_the_clock = 64;
    const auto windows = static_cast<int>(1 + out_.unsent_bytes() / worker_.pool().window_bytes());
    const auto until = worker_.loop().now() + windows * spin_for(limits_in_force(), 1);
    while (phase_ == phase::open && !output_failure_) {
        for (unsigned polls = 0; polls < polls_a_look_at_the_clock; ++polls) {
            if (condition()) return;
            base::pause_processor();
        }
        if (worker_.loop().now() >= until) return;
        worker_.loop().give_way();
    }
}

/// Room for a frame: in the memory, or, when a moment's patience brings none, in front of it.
result<> connection::room_in_memory(std::size_t frame_bytes) noexcept {
    const bool can_wait = worker_.is_private() && spin_for(limits_in_force(), 1).count() > 0;
    if (can_wait && memory_->out.runs_ahead(frame_bytes)) {
        push();
        wait_for_reader([&] { return !memory_->out.runs_ahead(frame_bytes); });
    }
    if (write_in_place(frame_bytes)) return {};
    const bool worth_it = !memory_->reader_rests || memory_->out.has_room();
    if (can_wait && worth_it && frame_bytes <= memory_->segment.sizes().side_bytes()) {
        bool written = false;
        wait_for_reader([&] {
            push();
            written = write_in_place(frame_bytes);
            return written;
        });
        memory_->reader_rests = !written;
        if (written) return {};
    }
    if (!leave_place()) return failure(std::errc::not_enough_memory);
    return out_.make_room(frame_bytes);
}

/// A block goes over in one copy where it has a place of its own.
bool connection::copy_in_place(base::block& frame) noexcept {
    if (!write_in_place(frame.size())) return false;
    std::memcpy(send.next, frame.data() + frame.begin, frame.size());
    send.next += frame.size();
    ++send.messages;
    worker_.pool().adopt(frame);
    worker_.pool().release(&frame);
    return true;
}

/// What was written in place so far is shown at a batch's end, and all of it when somebody waits for it.
void connection::show_batch() noexcept {
    keep_in_place();
    if (memory_->out.has_batch()) push_into_memory();
}

/// The short way for a window that holds an answer and nothing else.
bool connection::show_answer() noexcept {
    const std::size_t bytes = memory_->out.unkept_bytes(send.next);
    if (!memory_->out.show(send.next)) return false;
    counted_.wire_bytes_sent += bytes;
    memory_->placed_bytes += bytes;
    send.next -= bytes;  // a copy of them is shown
    worker_.ends_of_messages().note(stream_number(), counted_.wire_bytes_sent, committed_messages());
    sending_ = false;
    memory_->has_asked = true;
    if (memory_->out.has_to_wake()) ring();
    return true;
}

void connection::push_into_memory() noexcept {
    if (phase_ == phase::opening || phase_ >= phase::closing || output_failure_) return;
    if (memory_->out.has_all_shown(send.next)) {
        sending_ = unsent_bytes() > 0;
        return;
    }
    if (memory_->out.is_open()) {
        if (!send.writer_open && show_answer()) return;
        keep_in_place();
    } else {
        for (auto bytes = out_.front(); !bytes.empty(); bytes = out_.front()) {
            const std::size_t copied = memory_->out.copy(bytes);
            if (copied == 0) break;
            out_.taken(copied);
            counted_.wire_bytes_sent += copied;
        }
    }
    if (memory_->out.publish()) ring();
    note_milestone();
    sending_ = unsent_bytes() > 0;
}

/// Pages of the large part, once no message has used them for a while.
void connection::give_back_pages() noexcept {
    if (!send.writer_open) (void)leave_place();  // a window that nobody writes into holds pages, too
    if (memory_->out.large_part_rests()) {
        memory_->segment.give_back_large();
        memory_->pages_in_use = false;
    } else if (phase_ == phase::open) {
        worker_.loop().set(memory_->giving_back, worker_.loop().now() + pages_kept);
    }
}

}  // namespace mnet::inline v1::mtcp::detail
