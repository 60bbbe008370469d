// The receiving half of a connection: the memory behind the decoder's window. It lends room behind what has arrived, keeps a frame that is
// not whole in one piece, and gives the memory back when nothing is left.
//
// Memory grows with the bytes received, never with those announced: a frame larger than a window is assembled in a block that doubles, or
// in one that is there already because a frame before it needed it.
#pragma once
#include "base/block_pool.hpp"

#include <mnet/wire/decoder.hpp>

#include <cstddef>
#include <span>

namespace mnet::inline v1::mtcp::detail {

class incoming {
public:
    incoming(wire::window& window, base::block_pool& pool) noexcept : window_(window), pool_(pool) {}
    incoming(const incoming&) = delete;
    incoming& operator=(const incoming&) = delete;
    ~incoming() { drop(); }

    bool holds_memory() const noexcept { return block_ != nullptr; }

    /// Room for more bytes behind the window, which begins with a frame that misses `bytes_missing`. Moves the window: messages taken from it
    /// end. Empty when there is no memory.
    std::span<std::byte> lend(std::size_t bytes_missing) noexcept;

    /// `bytes` of the room lent were filled.
    void received(std::size_t bytes) noexcept { window_.end += bytes; }

    /// Gives memory back; a small remainder moves to a block of its size. Not while a message is in use.
    void settle() noexcept;

    /// Forgets what was not read.
    void drop() noexcept;

    /// Gives away the block that messages were read from; what was not read moves to another. Nullptr where there is none, or no memory.
    base::block* part_with_read() noexcept;

private:
    bool move_to(base::block* target) noexcept;
    bool fits(std::size_t frame_bytes) const noexcept;
    void make_room_behind(std::size_t bytes_missing) noexcept;
    bool grow(std::size_t frame_bytes) noexcept;

    wire::window& window_;
    base::block_pool& pool_;
    base::block* block_ = nullptr;
    std::size_t large_frame_bytes_ = 0;  // of the frame before, when it was larger than a window
};

}  // namespace mnet::inline v1::mtcp::detail
