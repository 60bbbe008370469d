// Both sides of shared memory in one process, each with a mapping of its own, and what a lying one would do to the other.
#pragma once
#include "base/unique_fd.hpp"
#include "shm/receiver.hpp"
#include "shm/segment.hpp"
#include "shm/sender.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace mnet::inline v1::shm::tests {

using mnet::base::unique_fd;

inline constexpr geometry usual{.small_bytes = small_bytes_min, .large_bytes = std::uint32_t{1} << 20U};

/// Memory that was made and handed over: the first side's and the second side's view of it.
struct two_sides {
    explicit two_sides(const geometry& sizes = usual) {
        unique_fd descriptor;
        auto made = segment::make(sizes, descriptor);
        if (!made) ADD_FAILURE() << made.error().message();
        first = *std::move(made);
        auto opened = segment::open(sizes, std::move(descriptor));
        if (!opened) ADD_FAILURE() << opened.error().message();
        second = *std::move(opened);
    }

    segment first;
    segment second;
};

/// A channel from the first side to the second.
struct one_way : two_sides {
    explicit one_way(const geometry& sizes = usual) : two_sides(sizes) {}

    sender out{first};
    receiver in{second};
};

/// What a peer would write into the first side's queue if it were free to: here the test is the first side's process gone bad.
inline void tell(const segment& liar, std::uint64_t number, std::uint64_t word) {
    std::atomic_ref(liar.queue_of(liar.mine())[number % runs_max].word).store(word, std::memory_order_release);
}
inline void tell(const segment& liar, std::uint64_t number, const run& what) { tell(liar, number, pack(what, lap_of(number))); }

/// A peer that says it is through with so many runs.
inline void claim_taken(const segment& liar, std::uint64_t runs) {
    std::atomic_ref(liar.state_of(liar.mine()).taken).store(runs, std::memory_order_release);
}

/// Opens a window, fills it, keeps it as a run, shuts it; false when there was no room.
inline bool put(sender& out, std::span<const std::byte> bytes) {
    const auto window = out.open(bytes.size());
    if (window.empty()) return false;
    std::memcpy(window.data(), bytes.data(), bytes.size());
    const bool kept = out.keep(window.data() + bytes.size());
    out.shut();
    return kept;
}

inline std::vector<std::byte> filled(std::size_t count, unsigned salt) {
    std::vector<std::byte> result(count);
    for (std::size_t index = 0; index < count; ++index) result[index] = static_cast<std::byte>(index * 31 + index / 251 + salt);
    return result;
}

inline bool same(std::span<const std::byte> left, std::span<const std::byte> right) {
    return left.size() == right.size() && (left.empty() || std::memcmp(left.data(), right.data(), left.size()) == 0);
}

}  // namespace mnet::inline v1::shm::tests
