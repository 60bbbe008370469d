// Room for bytes that are used up in the order in which they were written: a circle whose pieces never straddle its end, and that starts over
// at its beginning whenever it is empty, so that little traffic touches little memory.
//
// One piece at a time is being written: `reserve` says where it could lie, `commit` keeps it. Pieces are released oldest first.
#pragma once
#include "shm/layout.hpp"

#include <cstddef>
#include <cstdint>

namespace mnet::inline v1::shm {

class arena {
public:
    explicit arena(std::size_t bytes) noexcept : size_(bytes) {}

    struct place {
        std::size_t offset = 0;
        std::size_t room = 0;  // 0: there is none at present
    };

    /// The next piece's place, at the start of a cache line: room for `bytes` at least. Behind `extent` it goes back to the beginning as soon as
    /// there is room: memory that is used again soon is still in the processor's caches.
    place reserve(std::size_t bytes, std::size_t extent) noexcept {
        if (used_ == 0) head_ = tail_ = 0;
        return behind(head_, bytes, extent);
    }

    /// The same for a piece that would come behind one that ends at `head`.
    place behind(std::size_t head, std::size_t bytes, std::size_t extent) const noexcept {
        const std::size_t start = (head + cache_line_bytes - 1) / cache_line_bytes * cache_line_bytes;
        if (head < tail_) {
            const std::size_t end = tail_ - 1;  // a full circle would look like an empty one
            return start + bytes <= end ? place{start, end - start} : place{};
        }
        const bool better_early = start + bytes > extent && bytes < tail_;
        if (start + bytes <= size_ && !better_early) return {start, size_ - start};
        return bytes < tail_ ? place{0, tail_ - 1} : place{};
    }

    /// A piece was written that ends there.
    void commit(std::size_t end) noexcept {
        head_ = end;
        ++used_;
    }

    /// The oldest piece, which ends there, is not needed any more.
    void release(std::size_t end) noexcept {
        tail_ = end;
        --used_;
    }

    bool empty() const noexcept { return used_ == 0; }
    std::size_t pieces() const noexcept { return used_; }
    std::size_t size() const noexcept { return size_; }

private:
    std::size_t size_;
    std::size_t head_ = 0;  // where the next piece may begin
    std::size_t tail_ = 0;  // where the oldest piece begins, or earlier
    std::size_t used_ = 0;  // pieces
};

}  // namespace mnet::inline v1::shm
