// Windows, runs and their end, seen from the side that writes.
#include "shm/sender.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace mnet::inline v1::shm {

sender::sender(const segment& where) noexcept
    : where_(where),
      data_(where.data_of(where.mine()).data()),
      data_end_(data_ + where.sizes().side_bytes()),
      small_(where.sizes().small_bytes),
      large_(where.sizes().large_bytes),
      places_(where.queue_of(where.mine())) {}

std::span<std::byte> sender::open(std::size_t frame_bytes) noexcept {
    MNET_ASSERT(window_ == nullptr, "one window at a time");
    arena& target = part(is_large(frame_bytes));
    if (frame_bytes > target.size()) return {};
    arena::place found{};
    if (has_places(1)) found = target.reserve(frame_bytes, extent_for(frame_bytes));
    if (found.room == 0) {
        refresh();
        if (has_places(1)) found = target.reserve(frame_bytes, extent_for(frame_bytes));
        if (found.room == 0) return {};
    }
    return place_window(found, frame_bytes);
}

std::span<std::byte> sender::next_elsewhere(const std::byte* end, std::size_t frame_bytes) noexcept {
    const bool large = is_large(frame_bytes);
    arena& target = part(large);
    refresh();
    const bool in_the_way = !has_places(2) || is_far_ahead(frame_bytes) || frame_bytes > target.size();
    if (in_the_way) return {};
    const std::size_t bytes = unkept_bytes(end);
    const bool behind_this_one = large == window_is_large_ && bytes > 0;
    const std::size_t extent = extent_for(frame_bytes);
    const arena::place found = behind_this_one ? target.behind(static_cast<std::size_t>(end - data_) - base_of(large), frame_bytes, extent)
                                               : target.reserve(frame_bytes, extent);
    if (found.room == 0) return {};
    if (bytes > 0) add_window(bytes);
    const auto window = place_window(found, frame_bytes);
    allow_repeats(found, frame_bytes);
    return window;
}

/// How much of its part such a frame and those behind it go round in.
std::size_t sender::extent_for(std::size_t frame_bytes) const noexcept {
    return is_large(frame_bytes) ? large_ahead_max * frame_bytes : small_.size();
}

std::span<std::byte> sender::place_window(const arena::place& found, std::size_t frame_bytes) noexcept {
    const std::size_t width = std::min(found.room, width_for(frame_bytes));
    window_is_large_ = is_large(frame_bytes);
    large_used_ = large_used_ || window_is_large_;
    return place_window(base_of(window_is_large_) + found.offset, width, frame_bytes);
}

/// Windows behind this one need no look at anything, as long as there are few of them and they stay in the same stretch of free memory.
void sender::allow_repeats(const arena::place& found, std::size_t frame_bytes) noexcept {
    const std::size_t extent = extent_for(frame_bytes);
    const std::size_t end = found.offset + found.room;
    free_until_ = base_of(window_is_large_) + (extent > found.offset ? std::min(end, extent) : end);
    repeats_ = std::min<std::size_t>(batch_runs - 1, runs_max - 2 - (kept_ - taken_));
    if (window_is_large_)
        repeats_ = std::min<std::size_t>(repeats_, (extent - std::min(extent, large_untaken_bytes_)) / width_for(frame_bytes));
}

bool sender::keep(const std::byte* end) noexcept {
    const std::size_t bytes = unkept_bytes(end);
    if (bytes == 0) return true;
    if (!has_places(1)) refresh();
    if (!has_places(1)) return false;
    repeats_ = 0;
    again_ = nullptr;
    if (bytes <= beside_max) {
        std::memcpy(places_[kept_ % runs_max].beside.data(), window_, bytes);
        add(run::kind::beside, false, 0, bytes);
        again_ = window_;
    } else {
        add_window(bytes);
    }
    window_ += bytes;
    return true;
}

std::byte* sender::go_on() noexcept {
    const auto behind = [this] { return std::min(data_ + aligned(static_cast<std::size_t>(window_ - data_)), window_end_); };
    window_ = again_ != nullptr ? again_ : behind();
    return window_;
}

void sender::shut() noexcept {
    window_ = window_end_ = again_ = nullptr;
    repeats_ = 0;
}

std::size_t sender::copy(std::span<const std::byte> bytes) noexcept {
    MNET_ASSERT(window_ == nullptr, "what is copied comes behind what was written in place");
    std::size_t copied = 0;
    while (copied < bytes.size() && has_room()) {
        const std::size_t left = bytes.size() - copied;
        const arena::place found = small_.reserve(std::min(left, room_worth_copying), small_.size());
        const std::size_t taken = std::min({left, found.room, small_window_bytes});
        if (taken == 0) break;
        std::memcpy(data_ + found.offset, bytes.data() + copied, taken);
        add(run::kind::piece, false, found.offset, taken);
        copied += taken;
    }
    return copied;
}

void sender::finish() noexcept {
    MNET_ASSERT(kept_ - taken_ < runs_max, "the end has a place of its own");
    add(run::kind::finish, false, 0, 0);
}

void sender::store_pending() noexcept {
    std::uint64_t number = kept_ - pending_;
    for (std::size_t index = 0; index < pending_; ++index, ++number) {
        std::atomic_ref(places_[number % runs_max].word).store(batch_[index], std::memory_order_release);
    }
    unasked_ = unasked_ || pending_ > 0;
    pending_ = pending_bytes_ = 0;
}

bool sender::publish() noexcept {
    store_pending();
    return unasked_ && has_to_wake();
}

void sender::refresh() noexcept {
    const std::uint64_t told = std::atomic_ref(where_.state_of(other(where_.mine())).taken).load(std::memory_order_acquire);
    const std::uint64_t shown = kept_ - pending_;
    if (told < taken_ || told > shown) {
        lied_ = true;
        return;
    }
    for (; taken_ < told; ++taken_) {
        const piece& done = pieces_[taken_ % runs_max];
        untaken_bytes_ -= done.bytes;
        if (done.large) large_untaken_bytes_ -= done.bytes;
        if (done.bytes > 0 && !done.beside) part(done.large).release(done.end);
    }
}

bool sender::has_room() noexcept {
    const auto there_is_some = [this] { return has_places(1) && small_.reserve(room_worth_copying, small_.size()).room > 0; };
    if (there_is_some()) return true;
    refresh();
    return there_is_some();
}

bool sender::large_part_rests() noexcept {
    refresh();
    const bool in_use = !large_.empty() || (window_ != window_end_ && window_is_large_);  // a window that is full holds nothing to come
    return !std::exchange(large_used_, false) && !in_use;
}

}  // namespace mnet::inline v1::shm
