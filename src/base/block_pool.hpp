// Memory for windows, and for the bytes that wait outside of them: half frames, what the kernel would not take, messages larger than a window.
//
// Blocks come in size classes, powers of two from 512 bytes up to the window; larger ones are mapped to the page. What is released is kept,
// the last one first out again because it is warm, until the kept bytes reach a bound: then the biggest goes back to the system first.
// One thread: a pool belongs to a loop.
#pragma once
#include "base/poison.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace mnet::inline v1::base {

/// Sits in front of its data, in the same piece of memory. `[begin, end)` of the data is the owner's to use; the pool sets both to 0 when it
/// hands a block out, and `next` to nullptr.
struct block {
    block* next = nullptr;
    std::size_t capacity = 0;  // of data, in bytes
    std::size_t begin = 0;
    std::size_t end = 0;

    std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    const std::byte* data() const noexcept { return reinterpret_cast<const std::byte*>(this + 1); }

    std::size_t size() const noexcept { return end - begin; }
    bool empty() const noexcept { return begin == end; }
    std::size_t room() const noexcept { return capacity - end; }
};

/// A block that is no pool's; nullptr when the system has no memory. From any thread, as `delete_block` is.
[[nodiscard]] block* new_block(std::size_t data_bytes) noexcept;
void delete_block(block* unpooled) noexcept;

class block_pool {
public:
    /// `window_bytes`: data bytes of a window, at least 512; large ones are rounded up to whole pages, see `window_bytes()`. `retained_bytes_max`: how much released memory is kept at most, headers included;
    /// 0 keeps none.
    block_pool(std::size_t window_bytes, std::size_t retained_bytes_max) noexcept;
    block_pool(const block_pool&) = delete;
    block_pool& operator=(const block_pool&) = delete;
    ~block_pool();  // every block was released (asserted)

    /// A block of at least `data_bytes`; nullptr when the system has no memory.
    [[nodiscard]] block* acquire(std::size_t data_bytes) noexcept;
    [[nodiscard]] block* acquire_window() noexcept {
        block* const kept = kept_[classes_max];
        if (kept == nullptr) return acquire(window_bytes_);
        kept_[classes_max] = kept->next;
        bytes_retained_ -= window_total_;
        bytes_in_use_ += window_total_;
        unpoison(kept->data(), kept->capacity);
        kept->next = nullptr;
        kept->begin = kept->end = 0;
        return kept;
    }

    /// The same out of what is kept; nullptr when nothing kept is as large. Takes nothing from the system.
    [[nodiscard]] block* acquire_kept(std::size_t data_bytes) noexcept;

    /// Takes a block over that is no pool's, as if it had been acquired here; and the other way round.
    void adopt(block& unpooled) noexcept;
    void disown(block& acquired) noexcept;

    /// nullptr is fine and does nothing.
    void release(block* released) noexcept;

    /// A block of at least `data_bytes` with `begin`, `end`, `next` and the bytes `[0, end)` of `grown`, which is gone then, or is the result.
    /// nullptr when the system has no memory: `grown` stays as it is. Large blocks move as pages, without a copy (mremap(2)).
    [[nodiscard]] block* grow(block* grown, std::size_t data_bytes) noexcept;

    /// Gives all that is kept back to the system.
    void trim() noexcept;

    /// Whether `bytes`, held by `holder`, are so few that a block acquired for them is worth the move.
    bool is_worth_a_move(const block& holder, std::size_t bytes) const noexcept {
        return bytes <= holder.capacity / 8 && total_for(bytes) < sizeof(block) + holder.capacity;
    }

    std::size_t window_bytes() const noexcept { return window_bytes_; }

    /// Bytes of acquired blocks, headers and rounding included.
    std::size_t bytes_in_use() const noexcept { return bytes_in_use_; }

    /// Bytes of released blocks that are kept, headers and rounding included.
    std::size_t bytes_retained() const noexcept { return bytes_retained_; }

    /// Times that the system was asked for memory, or for more of it.
    std::uint64_t requests() const noexcept { return requests_; }

private:
    static constexpr std::size_t classes_max = 40;  // of powers of two below the window

    std::size_t total_for(std::size_t data_bytes) const noexcept;
    std::size_t list_of(std::size_t total_bytes) const noexcept;
    bool is_of_a_class(std::size_t total_bytes) const noexcept;
    void keep(block* released, block*& first) noexcept;
    block* take_kept(std::size_t total_bytes) noexcept;
    block* made(block* memory, std::size_t total_bytes) noexcept;
    void shrink_kept(std::size_t bytes_max) noexcept;

    std::size_t window_bytes_;
    std::size_t window_total_;
    std::size_t retained_bytes_max_;
    std::size_t bytes_in_use_ = 0;
    std::size_t bytes_retained_ = 0;
    std::uint64_t requests_ = 0;
    std::array<block*, classes_max + 2> kept_{};  // by class; the last but one is the window's, the last everything larger
};

/// Gives its block back to the pool that it names.
struct block_releaser {
    block_pool* pool = nullptr;
    void operator()(block* released) const noexcept { pool->release(released); }
};
using block_owner = std::unique_ptr<block, block_releaser>;

}  // namespace mnet::inline v1::base
