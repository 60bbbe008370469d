// See kept_messages.hpp.
#include "mtcp/kept_messages.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

constexpr std::size_t slice_bytes = (std::size_t{16} << 10) - sizeof(base::block);
constexpr int slices_an_age = 16;

}  // namespace

kept_messages::kept_messages(mnet::detail::send_window& window, base::block_pool& pool, std::size_t bytes_max,
                             std::chrono::nanoseconds age_max)
    : window_(window), pool_(pool), bytes_max_(bytes_max), age_max_(age_max) {}

message_count kept_messages::held() const noexcept {
    message_count all = sealed_;
    if (lent_) {
        const base::block& block = *slices_.back().block;
        all.messages += window_.messages - messages_seen_;
        all.bytes += static_cast<std::size_t>(window_.next - block.data()) - block.end;
    }
    return all;
}

/// The messages that were committed into the window are counted; it stays where it is.
void kept_messages::seal() noexcept {
    if (!lent_) return;
    sealed_ = held();
    slice& last = slices_.back();
    last.messages += window_.messages - std::exchange(messages_seen_, window_.messages);
    last.block->end = static_cast<std::size_t>(window_.next - last.block->data());
}

result<kept_messages::slice*> kept_messages::slice_for(std::size_t frame_bytes, std::chrono::nanoseconds now) noexcept {
    if (sealed_.bytes > bytes_max_) return failure(errc::would_block);
    if (!slices_.empty()) {
        slice& last = slices_.back();
        if (last.block->room() >= frame_bytes && now - last.since < age_max_ / slices_an_age) return &last;
    }
    base::block* const fresh = pool_.acquire(std::max(frame_bytes, slice_bytes));
    if (fresh == nullptr) return failure(std::errc::not_enough_memory);
    try {
        return &slices_.emplace_back(fresh, now, 0U);
    } catch (const std::bad_alloc&) {
        pool_.release(fresh);
        return failure(std::errc::not_enough_memory);
    }
}

result<> kept_messages::make_room(std::size_t frame_bytes, std::chrono::nanoseconds now) noexcept {
    MNET_ASSERT(!window_.writer_open, "commit or discard a writer before the next write");
    pool_.release(std::exchange(outlived_, nullptr));
    seal();
    const auto found = slice_for(frame_bytes, now);
    if (!found) {
        window_.limit = window_.next;
        return failure(found.error());
    }
    base::block& block = *(*found)->block;
    window_.next = block.data() + block.end;
    window_.limit = window_.next + frame_bytes;
    messages_seen_ = window_.messages;
    lent_ = true;
    return {};
}

result<> kept_messages::keep(std::span<const std::byte> frame, std::chrono::nanoseconds now) noexcept {
    seal();
    const auto found = slice_for(frame.size(), now);
    if (!found) return failure(found.error());
    slice& target = **found;
    std::memcpy(target.block->data() + target.block->end, frame.data(), frame.size());
    target.block->end += frame.size();
    ++target.messages;
    ++sealed_.messages;
    sealed_.bytes += frame.size();
    if (lent_) {  // it moves on with its slice, or stays behind
        lent_ = false;
        window_.next = window_.limit = nullptr;
    }
    return {};
}

message_count kept_messages::drop_first() noexcept {
    const slice first = slices_.front();
    slices_.pop_front();
    const message_count gone{.messages = first.messages, .bytes = first.block->size()};
    sealed_.messages -= gone.messages;
    sealed_.bytes -= gone.bytes;
    pool_.release(first.block);
    return gone;
}

message_count kept_messages::drop_old(std::chrono::nanoseconds now) noexcept {
    message_count gone;
    seal();
    while (!slices_.empty() && now - slices_.front().since > age_max_) {
        if (slices_.size() == 1 && lent_) {
            if (window_.writer_open) break;
            lent_ = false;
            window_.next = window_.limit = nullptr;
        }
        const message_count first = drop_first();
        gone.messages += first.messages;
        gone.bytes += first.bytes;
    }
    return gone;
}

message_count kept_messages::drop_all() noexcept {
    seal();
    const message_count gone = sealed_;
    if (std::exchange(lent_, false)) {
        window_.next = window_.limit = nullptr;
        if (window_.writer_open) {
            outlived_ = slices_.back().block;
            slices_.pop_back();
        }
    }
    while (!slices_.empty()) (void)drop_first();
    sealed_ = {};
    return gone;
}

kept_messages::~kept_messages() {
    (void)drop_all();
    pool_.release(outlived_);
}

void kept_messages::hand_over(outgoing& target) noexcept {
    MNET_ASSERT(!window_.writer_open, "who holds a writer commits it first");
    seal();
    if (std::exchange(lent_, false)) window_.next = window_.limit = nullptr;
    for (const slice& each : slices_) {
        if (each.block->empty()) {
            pool_.release(each.block);
            continue;
        }
        pool_.disown(*each.block);
        target.take_over(*each.block);
    }
    slices_.clear();
    sealed_ = {};
}

kept_messages::aside::aside(kept_messages* of) noexcept : of_(of != nullptr && of->lent_ ? of : nullptr) {
    if (of_ == nullptr) return;
    next_ = std::exchange(of_->window_.next, nullptr);
    limit_ = std::exchange(of_->window_.limit, nullptr);
    writer_open_ = std::exchange(of_->window_.writer_open, false);
}

kept_messages::aside::~aside() {
    if (of_ == nullptr) return;
    of_->window_.next = next_;
    of_->window_.limit = limit_;
    of_->window_.writer_open = writer_open_;
}

}  // namespace mnet::inline v1::mtcp::detail
