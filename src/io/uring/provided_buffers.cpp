// One mapping: the ring of descriptors, then the buffers.
#include "io/uring/provided_buffers.hpp"

#include "base/assert.hpp"
#include "io/uring/kernel_additions.hpp"

#include <sys/mman.h>

#include <bit>
#include <new>
#include <utility>

namespace mnet::inline v1::io::uring {

namespace {

constexpr std::size_t page_bytes = 4096;

std::uint16_t index_of(const completion& received) noexcept {
    return static_cast<std::uint16_t>(received.flags >> IORING_CQE_BUFFER_SHIFT);
}

}  // namespace

provided_buffers::~provided_buffers() { forget(); }

void provided_buffers::forget() noexcept {
    if (ring_ != nullptr) ::munmap(std::exchange(ring_, nullptr), mapped_bytes_);
}

bool provided_buffers::announce(ring& target, std::uint16_t flags) noexcept {
    io_uring_buf_reg description{};
    description.ring_addr = reinterpret_cast<std::uintptr_t>(ring_);
    description.ring_entries = kind_.count;
    description.bgid = group;
    description.pad = flags;
    return io_uring_register_buf_ring(&target.raw(), &description, 0) == 0;
}

bool provided_buffers::open(ring& target, const shape& kind) noexcept {
    MNET_ASSERT(std::has_single_bit(kind.count), "the ring's length is a power of two");
    forget();
    kind_ = kind;
    try {
        filled_.assign(kind.count, 0);
    } catch (const std::bad_alloc&) {
        return false;
    }
    const std::size_t ring_bytes = (kind.count * sizeof(io_uring_buf) + page_bytes - 1) / page_bytes * page_bytes;
    mapped_bytes_ = ring_bytes + total_bytes();
    void* const mapped = ::mmap(nullptr, mapped_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return false;
    ring_ = static_cast<io_uring_buf_ring*>(mapped);
    data_ = static_cast<std::byte*>(mapped) + ring_bytes;
    incremental_ = announce(target, buffer_ring_incremental);
    if (!incremental_ && !announce(target, 0)) {
        forget();
        return false;
    }
    io_uring_buf_ring_init(ring_);
    for (unsigned index = 0; index < kind.count; ++index) add(static_cast<std::uint16_t>(index));
    return true;
}

void provided_buffers::add(std::uint16_t index) noexcept {
    io_uring_buf_ring_add(ring_, data_ + index * kind_.bytes_each, static_cast<unsigned>(kind_.bytes_each), index,
                          io_uring_buf_ring_mask(kind_.count), 0);
    io_uring_buf_ring_advance(ring_, 1);
}

std::span<const std::byte> provided_buffers::piece(const completion& received) const noexcept {
    const std::uint16_t index = index_of(received);
    const auto bytes = static_cast<std::size_t>(received.result);
    MNET_ASSERT((received.flags & IORING_CQE_F_BUFFER) != 0 && index < kind_.count, "the kernel says which buffer it has filled");
    MNET_ASSERT(filled_[index] + bytes <= kind_.bytes_each, "a buffer is filled up to its end");
    return {data_ + index * kind_.bytes_each + filled_[index], bytes};
}

void provided_buffers::give_back(const completion& received) noexcept {
    const std::uint16_t index = index_of(received);
    if (incremental_ && (received.flags & completion_buffer_more) != 0) {
        filled_[index] += static_cast<std::size_t>(received.result);
        return;
    }
    filled_[index] = 0;
    add(index);
}

}  // namespace mnet::inline v1::io::uring
