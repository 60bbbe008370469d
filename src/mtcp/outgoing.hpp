// The sending half of a connection: what was committed and the kernel has not taken yet. Messages are written in place at the send
// window's end; full blocks queue up in front of it. Every block begins with a whole frame, and no frame lies in two blocks.
//
// It sends nothing itself: its owner offers `front()` to the kernel and tells what was `taken`. The memory of a front that was offered
// stays in place until then.
#pragma once
#include "base/block_pool.hpp"

#include <mnet/detail/transport.hpp>
#include <mnet/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

/// Messages that were taken out of a queue.
struct dropped {
    std::uint64_t messages = 0;
    std::uint64_t payload_bytes = 0;
};

/// Where the frame lies that `position` is in the middle of; `position` itself between two frames.
std::size_t frame_start(const base::block& block, std::size_t position) noexcept;

class outgoing {
public:
    outgoing(mnet::detail::send_window& window, base::block_pool& pool, std::size_t unsent_bytes_max) noexcept;
    outgoing(const outgoing&) = delete;
    outgoing& operator=(const outgoing&) = delete;
    ~outgoing();

    /// Committed and not taken, lengths included.
    std::size_t unsent_bytes() const noexcept { return queued_bytes_ + window_bytes(); }
    /// Committed ever, lengths included: taken, unsent and dropped.
    std::uint64_t committed_bytes() const noexcept { return done_bytes_ + unsent_bytes(); }
    /// Of these, taken or dropped.
    std::uint64_t done_bytes() const noexcept { return done_bytes_; }
    bool above_bound() const noexcept { return unsent_bytes() > unsent_bytes_max_; }
    std::size_t bound() const noexcept { return unsent_bytes_max_; }
    /// From now on.
    void set_bound(std::size_t unsent_bytes_max) noexcept;
    bool half_left() const noexcept { return unsent_bytes() <= unsent_bytes_max_ / 2; }
    bool holds_memory() const noexcept { return tail_ != nullptr; }

    /// Makes the window hold a frame of `frame_bytes`. Errors: errc::would_block (above the bound), std::errc::not_enough_memory.
    result<> make_room(std::size_t frame_bytes) noexcept;

    /// Queues a block that holds one whole frame, and takes it over.
    void append(base::block& frame) noexcept;

    /// The same of whole frames that were committed, and counted, elsewhere. A writer may be open there.
    void take_over(base::block& frames) noexcept;

    /// The oldest unsent bytes that lie in a row; empty when there are none.
    std::span<const std::byte> front() const noexcept {
        if (head_ != nullptr) return {head_->data() + head_->begin, head_->size()};
        const std::size_t bytes = window_bytes();
        if (bytes == 0) return {};
        return {tail_->data() + tail_->begin, bytes};
    }

    /// The same with what follows it: fills `pieces`, as far as there are any; gives how many.
    std::size_t fronts(std::span<std::span<const std::byte>> pieces) const noexcept;

    /// `bytes` of `front()` are with the kernel.
    void taken(std::size_t bytes) noexcept;

    // Dropping, which needs that no writer is open (outgoing_dropping.cpp):

    /// Makes blocks begin behind the first `kept_bytes` that are unsent, and the rest of the frame that these end in: gives how many bytes are
    /// before that, nothing where there is no memory.
    std::optional<std::size_t> part_after(std::size_t kept_bytes) noexcept;

    /// Puts a block that holds one whole frame, and came from the pool, where blocks begin.
    void insert(base::block& frame, std::size_t boundary) noexcept;

    /// Drops the first messages behind `boundary`, where blocks begin, until the bound is kept or none is left; and then those that say the same
    /// as `marker` (if not null), which would stand behind another.
    dropped drop_behind(std::size_t boundary, const std::vector<std::byte>* marker) noexcept;

    /// One that was dropped before it was committed counts all the same.
    void count_dropped(std::uint64_t frame_bytes) noexcept { done_bytes_ += frame_bytes; }

    /// Moves a small remainder out of a window, so that the window can go back. Not while a front is offered.
    void compact() noexcept;

    /// Gives back what holds nothing.
    void settle() noexcept;

    /// No message is committed any more, an open writer's neither; what was committed can still be sent. Until `reopen`.
    void freeze() noexcept;

    /// Freezes, and forgets what is unsent. Not while a front is offered. Memory that a writer points into stays until `reopen` or the end.
    void shut() noexcept;
    /// Gives the block that an open writer points into, which is the caller's from then on; nullptr where none is open.
    [[nodiscard]] base::block* reopen() noexcept;

    /// Calls it with each unsent message that has not begun to leave, as a frame, the oldest first; not with those of the first `behind` bytes.
    template <typename Call>
    void each_whole(std::size_t behind, Call call) const {
        std::size_t position = 0;
        const auto of = [&](const base::block& block, std::size_t end) {
            for (std::size_t start = first_frame(block); start < end; start += frame_bytes_at(block, start)) {
                if (start >= block.begin && position + (start - block.begin) >= behind)
                    call(std::span<const std::byte>(block.data() + start, frame_bytes_at(block, start)));
            }
            position += end - block.begin;
        };
        for (const base::block* block = head_; block != nullptr; block = block->next) of(*block, block->end);
        if (const std::size_t bytes = window_bytes(); bytes > 0) of(*tail_, tail_->begin + bytes);
    }

    /// How many messages are unsent, in whole or in part, that don't end among the first `done` unsent bytes. Walks all of them.
    std::uint64_t unsent_messages(std::size_t done = 0) const noexcept;

private:
    std::size_t window_bytes() const noexcept {
        const std::byte* const end = frozen_end_ != nullptr ? frozen_end_ : window_.next;
        if (end == nullptr || tail_ == nullptr) return 0;  // a window that is not ours
        return static_cast<std::size_t>(end - tail_->data()) - tail_->begin;
    }
    base::block* acquire(std::size_t frame_bytes) noexcept {
        if (frame_bytes <= pool_.window_bytes() && unsent_bytes_max_ >= pool_.window_bytes()) return pool_.acquire_window();
        return pool_.acquire(std::max(frame_bytes, std::min(unsent_bytes_max_, pool_.window_bytes())));  // no more than can be used
    }
    static std::size_t first_frame(const base::block& block) noexcept;
    static std::size_t frame_bytes_at(const base::block& block, std::size_t start) noexcept;
    void open_window(base::block* fresh, std::size_t frame_bytes) noexcept;
    void set_limit(std::size_t frame_bytes) noexcept;
    void enqueue(base::block& filled) noexcept;
    void drop_all() noexcept;
    base::block** link_at(std::size_t boundary) noexcept;

    mnet::detail::send_window& window_;
    base::block_pool& pool_;
    std::size_t unsent_bytes_max_;
    base::block* head_ = nullptr;      // full blocks, oldest first, up to `tail_`
    base::block* tail_ = nullptr;      // the window's block; its committed bytes end at window_.next
    std::byte* frozen_end_ = nullptr;  // once frozen, where the window's committed bytes end
    std::size_t queued_bytes_ = 0;     // unsent, in the blocks before `tail_`
    std::uint64_t done_bytes_ = 0;     // taken or dropped
};

}  // namespace mnet::inline v1::mtcp::detail
