// Memory that the kernel receives into and chooses a piece of when bytes arrive (io_uring_register_buf_ring(3)): so that thousands of idle
// clients wait with none. Where the kernel fills a buffer by several receives (Linux 6.12), small messages lie densely.
#pragma once
#include "io/uring/ring.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace mnet::inline v1::io::uring {

class provided_buffers {
public:
    static constexpr std::uint16_t group = 0;

    struct shape {
        unsigned count;  // a power of two
        std::size_t bytes_each;
    };

    provided_buffers() noexcept = default;
    provided_buffers(const provided_buffers&) = delete;
    provided_buffers& operator=(const provided_buffers&) = delete;
    ~provided_buffers();

    /// Gives `kind.count` buffers to the kernel. False: it does not take them.
    bool open(ring& target, const shape& kind) noexcept;

    bool incremental() const noexcept { return incremental_; }
    std::size_t total_bytes() const noexcept { return kind_.count * kind_.bytes_each; }

    /// What a receive has put somewhere in here; until `give_back`.
    std::span<const std::byte> piece(const completion& received) const noexcept;
    void give_back(const completion& received) noexcept;

private:
    bool announce(ring& target, std::uint16_t flags) noexcept;
    void add(std::uint16_t index) noexcept;
    void forget() noexcept;

    shape kind_{};
    std::size_t mapped_bytes_ = 0;
    io_uring_buf_ring* ring_ = nullptr;  // in front of the buffers, in the same mapping
    std::byte* data_ = nullptr;
    bool incremental_ = false;
    std::vector<std::size_t> filled_{};  // by buffer, when incremental
};

}  // namespace mnet::inline v1::io::uring
