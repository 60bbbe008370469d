// Blocks in a row, the last one being written: opened, offered, taken, given back.
#include "mtcp/outgoing.hpp"

#include "base/assert.hpp"
#include "base/planted.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// Four segments of the loopback device (snd_mss, tcp(7)): the kernel cuts a send into segments, and one that leaves a little piece at its end
/// costs a seventh more. A window of small frames ends just below.
constexpr std::size_t four_segments = std::size_t{4} * 65483;

std::uint64_t frames_between(const base::block& block, std::size_t start, std::size_t end) noexcept {
    std::uint64_t frames = 0;
    for (; start < end; ++frames) start += wire::header_bytes + wire::load_length(block.data() + start);
    return frames;
}

}  // namespace

std::size_t frame_start(const base::block& block, std::size_t position) noexcept {
    std::size_t start = 0;
    while (start < position) {
        const std::size_t next = start + wire::header_bytes + wire::load_length(block.data() + start);
        if (next > position) break;
        start = next;
    }
    return start;
}

outgoing::outgoing(mnet::detail::send_window& window, base::block_pool& pool, std::size_t unsent_bytes_max) noexcept
    : window_(window), pool_(pool), unsent_bytes_max_(unsent_bytes_max + (base::is_planted(base::bug::off_by_one_at_bound) ? 1 : 0)) {}

outgoing::~outgoing() {
    drop_all();
    pool_.release(tail_);
}

void outgoing::set_limit(std::size_t frame_bytes) noexcept {
    // Inside the limit no write needs to ask; at the bound each one has to, and one frame is let through when it may.
    const std::size_t position = static_cast<std::size_t>(window_.next - tail_->data());
    const std::size_t unsent = unsent_bytes();
    const std::size_t allowance = std::max(frame_bytes, unsent_bytes_max_ > unsent ? unsent_bytes_max_ - unsent : 0);
    const std::size_t room = tail_->capacity - position;
    const std::size_t well_sent = four_segments > position ? four_segments - position : 0;
    window_.limit = window_.next + std::min({room, allowance, std::max(frame_bytes, well_sent)});
}

void outgoing::set_bound(std::size_t unsent_bytes_max) noexcept {
    unsent_bytes_max_ = unsent_bytes_max + (base::is_planted(base::bug::off_by_one_at_bound) ? 1 : 0);
    if (tail_ != nullptr && window_.next != nullptr && !window_.writer_open) set_limit(0);
}

void outgoing::open_window(base::block* fresh, std::size_t frame_bytes) noexcept {
    fresh->begin = fresh->end = 0;
    fresh->next = nullptr;
    tail_ = fresh;
    window_.next = fresh->data();
    set_limit(frame_bytes);
    MNET_ASSERT(window_.limit >= window_.next + frame_bytes, "a fresh window holds the frame that it was opened for");
}

result<> outgoing::make_room(std::size_t frame_bytes) noexcept {
    MNET_ASSERT(!window_.writer_open, "commit or discard a writer before the next write");
    if (above_bound()) return failure(errc::would_block);
    MNET_ASSERT(frozen_end_ == nullptr, "a frozen queue takes no message");
    if (tail_ != nullptr && window_.next != nullptr) {
        const bool empty = window_bytes() == 0;
        if (empty && tail_->begin > 0) {  // all sent, and no writer in it: start over
            tail_->begin = 0;
            window_.next = tail_->data();
        }
        const auto position = static_cast<std::size_t>(window_.next - tail_->data());
        if (position + frame_bytes <= std::min(tail_->capacity, position == 0 ? tail_->capacity : four_segments)) {
            set_limit(frame_bytes);
            return {};
        }
        base::block* const fresh = acquire(frame_bytes);
        if (fresh == nullptr) return failure(std::errc::not_enough_memory);
        if (empty) {
            pool_.release(std::exchange(tail_, nullptr));
        } else {
            tail_->end = static_cast<std::size_t>(window_.next - tail_->data());
            enqueue(*tail_);
        }
        open_window(fresh, frame_bytes);
        return {};
    }
    base::block* const fresh = acquire(frame_bytes);
    if (fresh == nullptr) return failure(std::errc::not_enough_memory);
    open_window(fresh, frame_bytes);
    return {};
}

/// Where the frame begins that is the first to be unsent, if only in part.
std::size_t outgoing::first_frame(const base::block& block) noexcept { return frame_start(block, block.begin); }

std::size_t outgoing::frame_bytes_at(const base::block& block, std::size_t start) noexcept {
    return wire::header_bytes + wire::load_length(block.data() + start);
}

void outgoing::enqueue(base::block& filled) noexcept {
    queued_bytes_ += filled.size();
    base::block** last = &head_;
    while (*last != nullptr) last = &(*last)->next;
    *last = &filled;
}

void outgoing::append(base::block& frame) noexcept {
    MNET_ASSERT(!window_.writer_open, "commit or discard a writer before the next message");
    take_over(frame);
    ++window_.messages;
}

void outgoing::take_over(base::block& frames) noexcept {
    MNET_ASSERT(frozen_end_ == nullptr, "a frozen queue takes no message");
    pool_.adopt(frames);
    if (window_bytes() > 0) {  // the rest of the window is given up: messages leave in the order of their commits
        tail_->end = static_cast<std::size_t>(window_.next - tail_->data());
        enqueue(*std::exchange(tail_, nullptr));
        window_.next = window_.limit = nullptr;
    }
    enqueue(frames);
    if (tail_ != nullptr) set_limit(0);
}

std::size_t outgoing::fronts(std::span<std::span<const std::byte>> pieces) const noexcept {
    std::size_t count = 0;
    for (const base::block* block = head_; block != nullptr && count < pieces.size(); block = block->next) {
        pieces[count++] = {block->data() + block->begin, block->size()};
    }
    if (const std::size_t bytes = window_bytes(); bytes > 0 && count < pieces.size())
        pieces[count++] = {tail_->data() + tail_->begin, bytes};
    return count;
}

void outgoing::taken(std::size_t bytes) noexcept {
    MNET_ASSERT(bytes <= front().size(), "the kernel takes at most what it was offered");
    done_bytes_ += bytes;
    if (head_ == nullptr) {
        if (bytes == 0) return;
        tail_->begin += bytes;
        if (window_bytes() == 0 && !window_.writer_open && frozen_end_ == nullptr) {
            tail_->begin = 0;
            window_.next = tail_->data();
            set_limit(0);
        }
        return;
    }
    head_->begin += bytes;
    queued_bytes_ -= bytes;
    if (head_->empty()) pool_.release(std::exchange(head_, head_->next));
}

void outgoing::compact() noexcept {
    const std::size_t bytes = window_bytes();
    if (head_ != nullptr || bytes == 0 || frozen_end_ != nullptr || window_.writer_open || !pool_.is_worth_a_move(*tail_, bytes)) return;
    const std::size_t start = frame_start(*tail_, tail_->begin);
    const std::size_t end = tail_->begin + bytes;
    base::block* const small = pool_.acquire(end - start);
    if (small == nullptr) return;  // then it stays where it is
    std::memcpy(small->data(), tail_->data() + start, end - start);
    small->begin = tail_->begin - start;
    small->end = end - start;
    small->next = nullptr;
    head_ = small;
    queued_bytes_ = bytes;
    tail_->begin = 0;
    window_.next = tail_->data();
    set_limit(0);
}

void outgoing::settle() noexcept {
    if (tail_ == nullptr || frozen_end_ != nullptr || window_.writer_open || window_bytes() > 0) return;
    pool_.release(std::exchange(tail_, nullptr));
    window_.next = window_.limit = nullptr;
}

void outgoing::drop_all() noexcept {
    while (head_ != nullptr) pool_.release(std::exchange(head_, head_->next));
    queued_bytes_ = 0;
}

void outgoing::freeze() noexcept {
    if (frozen_end_ == nullptr) frozen_end_ = window_.next;
    window_.next = window_.limit = nullptr;
}

void outgoing::shut() noexcept {
    freeze();
    done_bytes_ += unsent_bytes();
    drop_all();
    frozen_end_ = nullptr;
    if (!window_.writer_open) pool_.release(std::exchange(tail_, nullptr));
}

base::block* outgoing::reopen() noexcept {
    MNET_ASSERT(head_ == nullptr && window_.next == nullptr, "only a shut queue is reopened");
    base::block* const last = std::exchange(tail_, nullptr);
    if (std::exchange(window_.writer_open, false)) return last;
    pool_.release(last);
    return nullptr;
}

std::uint64_t outgoing::unsent_messages(std::size_t done) const noexcept {
    std::uint64_t messages = 0;
    const auto count = [&](const base::block& block, std::size_t end) {
        const std::size_t skipped = std::min(done, end - block.begin);
        done -= skipped;
        messages += frames_between(block, frame_start(block, block.begin + skipped), end);
    };
    for (const base::block* block = head_; block != nullptr; block = block->next) count(*block, block->end);
    if (const std::size_t bytes = window_bytes(); bytes > 0) count(*tail_, tail_->begin + bytes);
    return messages;
}

}  // namespace mnet::inline v1::mtcp::detail
