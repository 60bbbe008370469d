// Where a frame lies while it arrives: in the window, moved to the window's front, or apart in a block that doubles.
#include "mtcp/incoming.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

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
    const std::size_t bytes = window_.size();
    const std::size_t frame_bytes = bytes + bytes_missing;
    if (frame_bytes > pool_.window_bytes()) {
        // Assembled apart, in memory that doubles as bytes arrive, and no further than the frame's end.
        if (block_ == nullptr || static_cast<std::size_t>(block_->data() + block_->capacity - window_.end) == 0 ||
            (window_.begin != block_->data() && block_->capacity <= pool_.window_bytes())) {
            const std::size_t target_bytes = std::min(frame_bytes, std::max(2 * bytes, pool_.window_bytes()));
            if (block_ != nullptr && window_.begin == block_->data() && block_->capacity > pool_.window_bytes()) {
                block_->end = bytes;
                base::block* const grown = pool_.grow(block_, target_bytes);
                if (grown == nullptr) return {};
                block_ = grown;
                window_ = {.begin = grown->data(), .end = grown->data() + bytes};
            } else if (!move_to(pool_.acquire(target_bytes))) {
                return {};
            }
        }
    } else if (block_ == nullptr || block_->capacity != pool_.window_bytes()) {
        if (!move_to(pool_.acquire_window())) return {};
    } else if (window_.begin != block_->data()) {
        // A small remainder moves for the price of a cache line or two, a large one only when its frame would not fit behind it.
        constexpr std::size_t cheap_to_move = 4096;
        const auto behind = static_cast<std::size_t>(block_->data() + block_->capacity - window_.end);
        if (bytes <= cheap_to_move || behind < bytes_missing) {
            if (bytes > 0) std::memmove(block_->data(), window_.begin, bytes);
            window_ = {.begin = block_->data(), .end = block_->data() + bytes};
        }
    }
    std::byte* const end = block_->data() + (window_.end - block_->data());
    auto room = static_cast<std::size_t>(block_->data() + block_->capacity - end);
    if (frame_bytes > pool_.window_bytes()) room = std::min(room, bytes_missing);
    MNET_ASSERT(room > 0, "there is always room for the next byte of a frame");
    return {end, room};
}

void incoming::settle() noexcept {
    if (block_ == nullptr) return;
    const std::size_t bytes = window_.size();
    if (bytes == 0) {
        drop();
    } else if (bytes <= block_->capacity / 8) {
        (void)move_to(pool_.acquire(bytes));  // without memory for it, it stays where it is
    }
}

void incoming::drop() noexcept {
    pool_.release(std::exchange(block_, nullptr));
    window_ = {};
}

}  // namespace mnet::inline v1::mtcp::detail
