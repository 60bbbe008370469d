// What two processes find in the memory that they share: a control part, and for each side a place where it alone writes. Plain integers
// that both sides touch only through std::atomic_ref.
//
//     control: wishes and counts of side 0, of side 1; run queue of side 0, of side 1
//     data of side 0: small part, large part
//     data of side 1: small part, large part
//
// A side puts bytes into its data and then tells of them by a run: where they lie, how many, and what they are. A run is one 64-bit word in
// a queue of `runs_max`; it carries the lap of the queue, so that the one word, stored last, is the whole announcement: the reader polls the
// word itself, and no count beside it. A few bytes travel beside their word: one cache line goes over then, and not a second one after it.
//
// Nothing in here is trusted: what the other side can write is loaded once, checked, and only then used (receiver.cpp, sender.cpp).
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace mnet::inline v1::shm {

inline constexpr std::size_t cache_line_bytes = 64;
inline constexpr std::size_t page_bytes = 4096;

/// How much a side can have on its way, in runs; one more is kept for the end.
inline constexpr std::size_t runs_max = 256;

enum class side : std::uint8_t { first, second };  // who made the memory, who was given it

constexpr std::size_t index_of(side which) noexcept { return which == side::first ? 0 : 1; }
constexpr side other(side which) noexcept { return which == side::first ? side::second : side::first; }

/// How large the parts of each side's data are, in bytes; multiples of a page.
struct geometry {
    std::uint32_t small_bytes = 0;
    std::uint32_t large_bytes = 0;

    constexpr std::size_t side_bytes() const noexcept { return std::size_t{small_bytes} + large_bytes; }
    friend bool operator==(const geometry&, const geometry&) = default;
};

/// What a run's 27 bits can tell of.
inline constexpr std::size_t side_bytes_max = (std::size_t{1} << 27U) - page_bytes;
inline constexpr std::size_t small_bytes_min = std::size_t{64} << 10U;

constexpr bool is_possible(const geometry& sizes) noexcept {
    return sizes.small_bytes >= small_bytes_min && sizes.small_bytes % page_bytes == 0 && sizes.large_bytes % page_bytes == 0 &&
           sizes.side_bytes() <= side_bytes_max;
}

struct run {
    /// whole: whole frames, read where they lie. piece: bytes of a frame that lies in several runs, to be put together elsewhere.
    /// finish: no more will come. beside: whole frames that lie beside the word.
    enum class kind : std::uint8_t { whole, piece, finish, beside };

    kind what = kind::whole;
    std::uint32_t offset = 0;  // in the writer's data
    std::uint32_t bytes = 0;

    friend bool operator==(const run&, const run&) = default;
};

/// The lap of the run with that number, counted from 0; never the 0 of fresh memory at the queue's first turn.
constexpr std::uint8_t lap_of(std::uint64_t number) noexcept { return static_cast<std::uint8_t>(number / runs_max + 1); }

/// From the low bits up: lap 8, kind 2, offset 27, bytes 27.
constexpr std::uint64_t pack(const run& what, std::uint8_t lap) noexcept {
    return std::uint64_t{lap} | std::uint64_t{static_cast<std::uint8_t>(what.what)} << 8U | std::uint64_t{what.offset} << 10U |
           std::uint64_t{what.bytes} << 37U;
}
constexpr std::uint8_t lap_in(std::uint64_t word) noexcept { return static_cast<std::uint8_t>(word); }

/// Of any word whatever.
constexpr run unpack(std::uint64_t word) noexcept {
    constexpr std::uint64_t twenty_seven_bits = (std::uint64_t{1} << 27U) - 1;
    return {.what = static_cast<run::kind>(word >> 8U & 3U),
            .offset = static_cast<std::uint32_t>(word >> 10U & twenty_seven_bits),
            .bytes = static_cast<std::uint32_t>(word >> 37U & twenty_seven_bits)};
}

/// A place in a queue: the word, and so many bytes beside it as are left of its cache line.
struct alignas(cache_line_bytes) place {
    std::uint64_t word;
    std::array<std::byte, cache_line_bytes - sizeof(std::uint64_t)> beside;
};
inline constexpr std::size_t beside_max = sizeof(place::beside);

/// How many bytes lie beside the word of that number, if nothing else is told there; 0 where something else is, or nothing, or a lie.
constexpr std::size_t bytes_beside(std::uint64_t word, std::uint64_t number) noexcept {
    constexpr std::uint64_t all_but_bytes = (std::uint64_t{1} << 37U) - 1;
    const std::uint64_t bytes = word >> 37U;
    return (word & all_but_bytes) == pack({.what = run::kind::beside}, lap_of(number)) && bytes <= beside_max ? bytes : 0;
}

using queue = std::array<place, runs_max>;

/// Where two frames meet lie the end of the one, the length of the other and its beginning: both sides fetch these lines ahead of time, of frames from
/// this size on. Shorter ones follow each other so closely that the processor sees it by itself.
inline constexpr std::size_t fetched_ahead_from = 1024;
inline constexpr std::size_t meeting_bytes = 12;  // to either side of it

/// Why a side that sleeps wants to be woken.
enum wish : std::uint32_t { for_nothing = 0, for_input = 1, for_room = 2 };

/// Written by its owner; `wishes` is also taken back by the other side, when it wakes the owner.
struct side_state {
    alignas(cache_line_bytes) std::uint64_t taken;  // how many runs of the other side it is through with
    alignas(cache_line_bytes) std::uint32_t wishes;
};

struct control {
    std::array<side_state, 2> sides;
    std::array<queue, 2> queues;  // of the runs that side 0, that side 1 wrote
};

inline constexpr std::size_t control_bytes = (sizeof(control) + page_bytes - 1) / page_bytes * page_bytes;

constexpr std::size_t segment_bytes(const geometry& sizes) noexcept { return control_bytes + 2 * sizes.side_bytes(); }

static_assert(std::atomic_ref<std::uint64_t>::is_always_lock_free && std::atomic_ref<std::uint32_t>::is_always_lock_free,
              "locks of one process say nothing to another");

}  // namespace mnet::inline v1::shm
