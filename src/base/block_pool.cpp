// See block_pool.hpp. The size of a piece of memory says where it came from and which list it belongs to, so a block carries neither.
#include "base/block_pool.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>

#include "base/assert.hpp"

namespace mnet::inline v1::base {

namespace {

/// The thread sanitizer does not see mremap(2): to it the pages would still be those of the thread that had their addresses before.
#if defined(__has_feature)
constexpr bool pages_may_move = !__has_feature(thread_sanitizer);
#else
constexpr bool pages_may_move = true;
#endif

static_assert(sizeof(block) % alignof(std::max_align_t) == 0, "data is aligned for everything");

constexpr std::size_t smallest_total = 512;
constexpr std::size_t mapped_above = std::size_t{64} * 1024;  // larger pieces go back to the kernel at once, and grow by remapping

std::size_t total_of(const block& sized) noexcept { return sizeof(block) + sized.capacity; }
bool is_mapped(std::size_t total_bytes) noexcept { return total_bytes > mapped_above; }

std::size_t to_pages(std::size_t bytes) noexcept {
    static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}

block* from_system(std::size_t total_bytes) noexcept {
    if (!is_mapped(total_bytes)) return static_cast<block*>(::operator new(total_bytes, std::nothrow));
    void* const mapped = ::mmap(nullptr, total_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapped == MAP_FAILED ? nullptr : static_cast<block*>(mapped);
}

void to_system(block* released) noexcept {
    const std::size_t total_bytes = total_of(*released);
    unpoison(released->data(), released->capacity);
    if (is_mapped(total_bytes)) {
        ::munmap(released, total_bytes);
    } else {
        ::operator delete(released);
    }
}

}  // namespace

block* new_block(std::size_t data_bytes) noexcept {
    if (data_bytes > SIZE_MAX / 4) return nullptr;
    const std::size_t needed = data_bytes + sizeof(block);
    const std::size_t total_bytes = is_mapped(needed) ? to_pages(needed) : std::max(std::bit_ceil(needed), smallest_total);
    block* const memory = from_system(total_bytes);
    if (memory == nullptr) return nullptr;
    return ::new (memory) block{.next = nullptr, .capacity = total_bytes - sizeof(block), .begin = 0, .end = 0};
}

void delete_block(block* unpooled) noexcept {
    if (unpooled != nullptr) to_system(unpooled);
}

block_pool::block_pool(std::size_t window_bytes, std::size_t retained_bytes_max) noexcept
    : window_bytes_(std::max(window_bytes, smallest_total)),
      window_total_(window_bytes_ + sizeof(block)),
      retained_bytes_max_(retained_bytes_max) {
    if (is_mapped(window_total_)) window_total_ = to_pages(window_total_);
    window_bytes_ = window_total_ - sizeof(block);
}

block_pool::~block_pool() {
    MNET_ASSERT(bytes_in_use_ == 0, "every block goes back before its pool goes");
    trim();
}

// 0 when no address space could hold it. What is larger than a small window, and small, comes from the heap in whole pages.
std::size_t block_pool::total_for(std::size_t data_bytes) const noexcept {
    if (data_bytes > SIZE_MAX / 4) return 0;
    const std::size_t needed = data_bytes + sizeof(block);
    if (needed > window_total_) return to_pages(needed);
    const std::size_t power = std::max(std::bit_ceil(needed), smallest_total);
    return power > window_total_ / 2 ? window_total_ : power;  // the last power of two would be a second list of almost windows
}

std::size_t block_pool::list_of(std::size_t total_bytes) const noexcept {
    if (total_bytes > window_total_) return classes_max + 1;
    if (total_bytes == window_total_) return classes_max;
    MNET_ASSERT(std::has_single_bit(total_bytes) && total_bytes >= smallest_total, "a class below the window is a power of two");
    return static_cast<std::size_t>(std::countr_zero(total_bytes / smallest_total));
}

// The last one kept of its class. Among the larger ones the first that fits without wasting more than half of it.
block* block_pool::take_kept(std::size_t total_bytes) noexcept {
    block** link = &kept_[list_of(total_bytes)];
    while (*link != nullptr && (total_of(**link) < total_bytes || total_of(**link) / 2 > total_bytes)) link = &(*link)->next;
    block* const taken = *link;
    if (taken == nullptr) return nullptr;
    *link = taken->next;
    MNET_ASSERT(bytes_retained_ >= total_of(*taken), "what is kept was counted");
    bytes_retained_ -= total_of(*taken);
    unpoison(taken->data(), taken->capacity);
    return taken;
}

block* block_pool::acquire(std::size_t data_bytes) noexcept {
    if (block* const kept = acquire_kept(data_bytes)) return kept;
    const std::size_t total_bytes = total_for(data_bytes);
    if (total_bytes == 0) return nullptr;
    ++requests_;
    return made(from_system(total_bytes), total_bytes);
}

block* block_pool::acquire_kept(std::size_t data_bytes) noexcept {
    const std::size_t total_bytes = total_for(data_bytes);
    if (total_bytes == 0) return nullptr;
    block* const kept = take_kept(total_bytes);
    return kept == nullptr ? nullptr : made(kept, total_of(*kept));
}

block* block_pool::made(block* memory, std::size_t total_bytes) noexcept {
    if (memory == nullptr) return nullptr;
    bytes_in_use_ += total_bytes;
    return ::new (memory) block{.next = nullptr, .capacity = total_bytes - sizeof(block), .begin = 0, .end = 0};
}

void block_pool::keep(block* released, block*& first) noexcept {
    bytes_retained_ += total_of(*released);
    poison(released->data(), released->capacity);  // who still reads a message in there, shall hear of it
    released->next = first;
    first = released;
}

void block_pool::adopt(block& unpooled) noexcept { bytes_in_use_ += total_of(unpooled); }

void block_pool::disown(block& acquired) noexcept {
    MNET_ASSERT(bytes_in_use_ >= total_of(acquired), "a block is disowned by the pool it came from, once");
    bytes_in_use_ -= total_of(acquired);
}

/// Whether a block of that size would be acquired again; one that was adopted may have another.
bool block_pool::is_of_a_class(std::size_t total_bytes) const noexcept {
    return total_bytes >= window_total_ || (std::has_single_bit(total_bytes) && total_bytes <= window_total_ / 2);
}

void block_pool::release(block* released) noexcept {
    if (released == nullptr) return;
    const std::size_t total_bytes = total_of(*released);
    MNET_ASSERT(bytes_in_use_ >= total_bytes, "a block goes back to the pool it came from, once");
    bytes_in_use_ -= total_bytes;
    if (total_bytes == window_total_ && bytes_retained_ + total_bytes <= retained_bytes_max_) [[likely]] {
        keep(released, kept_[classes_max]);
        return;
    }
    if (!is_of_a_class(total_bytes)) {
        to_system(released);
        return;
    }
    keep(released, kept_[list_of(total_bytes)]);
    shrink_kept(retained_bytes_max_);
}

block* block_pool::grow(block* grown, std::size_t data_bytes) noexcept {
    MNET_ASSERT(grown->begin <= grown->end && grown->end <= grown->capacity, "what a block holds lies within its capacity");
    if (data_bytes <= grown->capacity) return grown;
    const std::size_t total_before = total_of(*grown);
    const std::size_t total_after = total_for(data_bytes);
    if (pages_may_move && total_after != 0 && is_mapped(total_before)) {
        ++requests_;
        void* const moved = ::mremap(grown, total_before, total_after, MREMAP_MAYMOVE);
        if (moved == MAP_FAILED) return nullptr;
        auto* const result = static_cast<block*>(moved);
        result->capacity = total_after - sizeof(block);
        bytes_in_use_ += total_after - total_before;
        return result;
    }
    block* const result = acquire(data_bytes);
    if (result == nullptr) return nullptr;
    result->next = grown->next;
    result->begin = grown->begin;
    result->end = grown->end;
    std::memcpy(result->data(), grown->data(), grown->end);
    release(grown);
    return result;
}

void block_pool::trim() noexcept {
    shrink_kept(0);
    MNET_ASSERT(bytes_retained_ == 0, "nothing is kept after a trim");
}

// The biggest first: from the last list down, and within the last, where sizes differ, by search.
void block_pool::shrink_kept(std::size_t bytes_max) noexcept {
    for (std::size_t list = kept_.size(); bytes_retained_ > bytes_max && list > 0;) {
        block** biggest = &kept_[list - 1];
        if (*biggest == nullptr) {
            --list;
            continue;
        }
        for (block** link = biggest; *link != nullptr; link = &(*link)->next) {
            if ((*link)->capacity > (*biggest)->capacity) biggest = link;
        }
        block* const returned = *biggest;
        *biggest = returned->next;
        bytes_retained_ -= total_of(*returned);
        to_system(returned);
    }
}

}  // namespace mnet::inline v1::base
