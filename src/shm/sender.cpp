// Windows, runs and their end, seen from the side that writes.
#include "shm/sender.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace mnet::inline v1::shm {

sender::sender(const segment& where) noexcept
    : where_(where), data_(where.data_of(where.mine()).data()), small_(where.sizes().small_bytes), large_(where.sizes().large_bytes) {}

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

std::span<std::byte> sender::next(const std::byte* end, std::size_t frame_bytes) noexcept {
    const bool large = is_large(frame_bytes);
    arena& target = part(large);
    if (pending_ == batch_runs - 1) refresh();  // once a batch
    const bool in_the_way = !has_places(2) || (large && target.pieces() >= large_ahead_max) || frame_bytes > target.size();
    if (in_the_way) return {};
    const std::size_t bytes = unkept_bytes(end);
    const bool behind_this_one = large == window_is_large_ && bytes > 0;
    const std::size_t extent = extent_for(frame_bytes);
    const arena::place found = behind_this_one ? target.behind(static_cast<std::size_t>(end - data_) - base_of(large), frame_bytes, extent)
                                               : target.reserve(frame_bytes, extent);
    if (found.room == 0) return {};
    if (bytes > 0) add_window(bytes);
    return place_window(found, frame_bytes);
}

/// How much of its part such a frame and those behind it go round in.
std::size_t sender::extent_for(std::size_t frame_bytes) const noexcept {
    return is_large(frame_bytes) ? large_ahead_max * frame_bytes : small_.size();
}

std::span<std::byte> sender::place_window(const arena::place& found, std::size_t frame_bytes) noexcept {
    window_is_large_ = is_large(frame_bytes);
    window_ = data_ + base_of(window_is_large_) + found.offset;
    const std::size_t bytes = window_is_large_ ? frame_bytes : std::max(std::min(found.room, small_window_bytes), frame_bytes);
    window_end_ = window_ + bytes;
    if (window_is_large_) {
        large_used_ = true;
        look_ahead(frame_bytes);
    }
    return {window_, bytes};
}

/// The next long frame is likely as long as this one: its ends are fetched from the other processor's cache while this one is written.
void sender::look_ahead(std::size_t frame_bytes) noexcept {
    constexpr std::size_t ahead = 4;
    const std::size_t stride = (frame_bytes + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes;
    const std::byte* const next = window_ + ahead * stride;
    if (next + frame_bytes > data_ + where_.sizes().side_bytes()) return;
    __builtin_prefetch(next, 1);
    __builtin_prefetch(next + frame_bytes - sizeof(std::uint64_t), 1);
    __builtin_prefetch(next + frame_bytes - 1, 1);
}

bool sender::keep(const std::byte* end) noexcept {
    const std::size_t bytes = unkept_bytes(end);
    if (bytes == 0) return true;
    if (!has_places(1)) refresh();
    if (!has_places(1)) return false;
    add_window(bytes);
    window_ += bytes;
    return true;
}

std::byte* sender::align() noexcept {
    const auto position = static_cast<std::size_t>(window_ - data_);
    const std::size_t next = (position + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes;
    window_ = std::min(data_ + next, window_end_);
    return window_;
}

void sender::shut() noexcept { window_ = window_end_ = nullptr; }

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

/// The window's first bytes as a run.
void sender::add_window(std::size_t bytes) noexcept {
    add(run::kind::whole, window_is_large_, static_cast<std::size_t>(window_ - data_) - base_of(window_is_large_), bytes);
}

void sender::add(run::kind what, bool large, std::size_t offset, std::size_t bytes) noexcept {
    if (pending_ == batch_.size()) store_pending();
    const auto count = static_cast<std::uint32_t>(bytes);
    const auto end = static_cast<std::uint32_t>(offset + bytes);
    pieces_[kept_ % runs_max] = {.large = large, .end = end, .bytes = count};
    batch_[pending_++] = {.what = what, .offset = static_cast<std::uint32_t>(base_of(large) + offset), .bytes = count};
    ++kept_;
    untaken_bytes_ += bytes;
    if (bytes > 0) part(large).commit(end);
}

void sender::store_pending() noexcept {
    auto& queue = where_.queue_of(where_.mine());
    std::uint64_t number = kept_ - pending_;
    for (std::size_t index = 0; index < pending_; ++index, ++number) {
        std::atomic_ref(queue[number % runs_max]).store(pack(batch_[index], lap_of(number)), std::memory_order_release);
    }
    unasked_ = unasked_ || pending_ > 0;
    pending_ = 0;
}

bool sender::publish() noexcept {
    store_pending();
    if (!unasked_) return false;
    unasked_ = false;
    return where_.take_wish(for_input);
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
        if (done.bytes > 0) part(done.large).release(done.end);
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
