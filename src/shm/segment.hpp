// The memory that two processes share: a memfd (memfd_create(2)), which has no name in any file system and goes with its last user, however
// that ends. It is sealed against growing and shrinking before it is handed over, so that no peer can take pages away from under a reader.
//
// Pages become resident when they are first written, and go back when `give_back` says that nobody needs what is in them.
//
// Thread: one at a time for each process.
#pragma once
#include "base/unique_fd.hpp"
#include "shm/layout.hpp"

#include <mnet/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace mnet::inline v1::shm {

class segment {
public:
    segment() noexcept = default;
    segment(segment&& other) noexcept;
    segment& operator=(segment&& other) noexcept;
    ~segment();

    /// Makes fresh memory, and the descriptor to hand over; who makes it is the first side.
    /// Errors: std::errc::invalid_argument (impossible sizes), the kernel's (too_many_files_open, not_enough_memory, ...).
    static result<segment> make(const geometry& sizes, base::unique_fd& descriptor) noexcept;

    /// Maps what a peer handed over; who does is the second side. Errors: std::errc::invalid_argument (impossible sizes, another size than
    /// it should have, not sealed, or of huge pages), the kernel's.
    static result<segment> open(const geometry& sizes, base::unique_fd descriptor) noexcept;

    side mine() const noexcept { return mine_; }
    const geometry& sizes() const noexcept { return sizes_; }
    control& shared() const noexcept { return *reinterpret_cast<control*>(memory_); }
    side_state& state_of(side which) const noexcept { return shared().sides[index_of(which)]; }
    queue& queue_of(side which) const noexcept { return shared().queues[index_of(which)]; }
    std::span<std::byte> data_of(side which) const noexcept {
        return {memory_ + control_bytes + index_of(which) * sizes_.side_bytes(), sizes_.side_bytes()};
    }

    /// The pages of the large part of this side's data go back to the kernel; what was in them is zero from now on.
    void give_back_large() const noexcept;

    /// Wakes: this side says what it sleeps for, and looks once more before it does; the other side asks, after it has published, whether it
    /// has to wake.
    void wish(std::uint32_t wishes) const noexcept;
    /// Takes the other side's wish; true: it has to be woken for it, by whoever asked.
    bool take_wish(std::uint32_t which) const noexcept;

private:
    static result<segment> map(const geometry& sizes, int descriptor, side mine) noexcept;
    void unmap() noexcept;

    std::byte* memory_ = nullptr;
    geometry sizes_{};
    side mine_ = side::first;
};

}  // namespace mnet::inline v1::shm
