// Where a frame lies while it arrives: in the window, moved to the window's front, or apart in a block that doubles.
#include "mtcp/incoming.hpp"

#include "base/assert.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// Frames above a window and up to here are followed by more of their kind, so their memory, if the pool still has it, is the next window:
/// nothing is moved, nor paged in anew.
constexpr std::size_t large_reused_max = std::size_t{2} << 20;

}  // namespace

bool incoming::move_to(base::block* target) noexcept {
    if (target == nullptr) return false;
    const std::size_t bytes = window_.size();
    MNET_ASSERT(target->capacity >= bytes, "a window moves to where it fits");
    if (bytes > 0) std::memcpy(target->data(), window_.begin, bytes);
    pool_.release(std::exchange(block_, target));
    window_ = {.begin = target->data(), .end = target->data() + bytes};
    return true;
}

std::span<std::byte> incoming::lend(std::size_t bytes_missing) noexcept {
    const std::size_t frame_bytes = window_.size() + bytes_missing;
    const std::size_t window_bytes = pool_.window_bytes();
    const bool header_known = window_.size() >= wire::header_bytes;
    if (header_known) large_frame_bytes_ = frame_bytes > window_bytes && frame_bytes <= large_reused_max ? frame_bytes : 0;
    const std::size_t wanted = std::max(frame_bytes, large_frame_bytes_);

    const bool large_is_there = fits(wanted) || (wanted > window_bytes && move_to(pool_.acquire_kept(wanted)));
    if (large_is_there || (frame_bytes <= window_bytes && fits(window_bytes))) {
        make_room_behind(bytes_missing);
    } else if (frame_bytes > window_bytes) {
        if (!grow(frame_bytes)) return {};
    } else if (!move_to(pool_.acquire_window())) {
        return {};
    }
    std::byte* const end = block_->data() + (window_.end - block_->data());
    auto room = static_cast<std::size_t>(block_->data() + block_->capacity - end);
    if (frame_bytes > window_bytes) room = std::min(room, bytes_missing);
    MNET_ASSERT(room > 0, "there is always room for the next byte of a frame");
    return {end, room};
}

/// Whether the block is right for a frame of so many bytes: a window, or, for more, whatever holds it.
bool incoming::fits(std::size_t frame_bytes) const noexcept {
    if (block_ == nullptr) return false;
    return frame_bytes > pool_.window_bytes() ? block_->capacity >= frame_bytes : block_->capacity == pool_.window_bytes();
}

/// A small remainder moves to the front for the price of a cache line or two, a large one only when its frame would not fit behind it.
void incoming::make_room_behind(std::size_t bytes_missing) noexcept {
    constexpr std::size_t cheap_to_move = 4096;
    const std::size_t bytes = window_.size();
    if (window_.begin == block_->data()) return;
    const auto behind = static_cast<std::size_t>(block_->data() + block_->capacity - window_.end);
    if (bytes > cheap_to_move && behind >= bytes_missing) return;
    if (bytes > 0) std::memmove(block_->data(), window_.begin, bytes);
    window_ = {.begin = block_->data(), .end = block_->data() + bytes};
}

/// Room for more of a frame that is larger than a window: assembled apart, in memory that doubles as bytes arrive, and no further than the
/// frame's end.
bool incoming::grow(std::size_t frame_bytes) noexcept {
    const std::size_t bytes = window_.size();
    const bool apart = block_ != nullptr && block_->capacity > pool_.window_bytes();
    const bool at_front = block_ != nullptr && window_.begin == block_->data();
    if (block_ != nullptr && window_.end < block_->data() + block_->capacity && (at_front || apart)) return true;
    const std::size_t target_bytes = std::min(frame_bytes, std::max(2 * bytes, pool_.window_bytes()));
    if (!apart || !at_front) return move_to(pool_.acquire(target_bytes));
    block_->end = bytes;
    base::block* const grown = pool_.grow(block_, target_bytes);
    if (grown == nullptr) return false;
    block_ = grown;
    window_ = {.begin = grown->data(), .end = grown->data() + bytes};
    return true;
}

void incoming::settle() noexcept {
    if (block_ == nullptr) return;
    const std::size_t bytes = window_.size();
    if (bytes == 0) {
        drop();
    } else if (pool_.is_worth_a_move(*block_, bytes)) {
        (void)move_to(pool_.acquire(bytes));  // without memory for it, it stays where it is
    }
}

base::block* incoming::part_with_read() noexcept {
    const bool read_here = block_ != nullptr && window_.begin >= block_->data() && window_.begin <= block_->data() + block_->capacity;
    const std::size_t bytes = read_here ? window_.size() : 0;
    base::block* const target = bytes > 0 ? pool_.acquire(bytes) : nullptr;
    if (bytes > 0 && target == nullptr) return nullptr;
    if (bytes > 0) std::memcpy(target->data(), window_.begin, bytes);
    if (target != nullptr) {
        window_ = {.begin = target->data(), .end = target->data() + bytes};
    } else if (read_here) {
        window_ = {};
    }
    return std::exchange(block_, target);
}

void incoming::drop() noexcept {
    pool_.release(std::exchange(block_, nullptr));
    window_ = {};
}

}  // namespace mnet::inline v1::mtcp::detail
