// The writing half of a side: hands out windows of shared memory, tells the other side of what was committed in them, and finds out what it is
// through with.
//
// Frames below `large_from` share windows of the small part, which stays in the processor's caches. A longer frame gets a window of its own in
// the large part: it costs the same whatever its size, since nothing of it moves. What fits neither is copied in pieces.
//
// Runs are told of in batches: `keep` adds one, `publish` shows them all, and says whether the other side sleeps on them.
//
// Thread: the side's.
#pragma once
#include "shm/arena.hpp"
#include "shm/layout.hpp"
#include "shm/segment.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mnet::inline v1::shm {

/// Frames from this size on lie in the large part.
inline constexpr std::size_t large_from = std::size_t{16} << 10U;

/// A window of small frames; what lies in it is shown at its end at the latest.
inline constexpr std::size_t small_window_bytes = std::size_t{16} << 10U;

class sender {
public:
    explicit sender(const segment& where) noexcept;
    sender(const sender&) = delete;
    sender& operator=(const sender&) = delete;

    /// A window of at least `frame_bytes`; empty when there is no room now, or never for a frame so long. Not while one is open.
    std::span<std::byte> open(std::size_t frame_bytes) noexcept;
    bool is_open() const noexcept { return window_ != nullptr; }

    /// `keep`, `shut` and `open` in one, as long as nothing stands in the way; empty, and nothing changed, when something does: then take
    /// those. While a window is open.
    std::span<std::byte> next(const std::byte* end, std::size_t frame_bytes) noexcept;

    /// So many long frames are on their way that the next had better wait for one to be taken: memory that is used in turns stays in the
    /// processor's caches, and in its table of pages, only as long as there is little of it.
    bool runs_ahead(std::size_t frame_bytes) noexcept {
        if (frame_bytes < large_from || large_.pieces() < large_ahead_max) return false;
        refresh();
        return large_.pieces() >= large_ahead_max;
    }

    /// Bytes of the window, up to `end`, that were not kept yet.
    std::size_t unkept_bytes(const std::byte* end) const noexcept {
        return window_ == nullptr ? 0 : static_cast<std::size_t>(end - window_);
    }

    /// Whole frames end at `end`: a run of them. The window goes on behind. False when there is no place for another run.
    bool keep(const std::byte* end) noexcept;

    /// The window goes on at the next cache line, so that who writes there doesn't disturb who reads before it. Where it goes on.
    std::byte* align() noexcept;

    /// Ends the window; what was not kept in it is forgotten.
    void shut() noexcept;

    /// Copies bytes of frames, that may be cut anywhere; gives how many there was room for. Not while a window is open.
    std::size_t copy(std::span<const std::byte> bytes) noexcept;

    /// No more will come.
    void finish() noexcept;

    /// Enough is kept to show it.
    bool has_batch() const noexcept { return pending_ >= batch_runs; }

    /// Shows what was kept. True: the other side sleeps on it, and has to be woken by the caller.
    bool publish() noexcept;

    /// Whether `copy` would take something.
    bool has_room() noexcept;

    /// The other side says that it is through with runs that never were.
    bool lied() const noexcept { return lied_; }

    /// Bytes that the other side is not through with.
    std::uint64_t untaken_bytes() noexcept {
        refresh();
        return untaken_bytes_;
    }

    /// Nothing lies in the large part, and nothing was written there since this was last asked.
    bool large_part_rests() noexcept;

private:
    static constexpr std::size_t batch_runs = 8;
    static constexpr std::size_t large_ahead_max = 32;
    static constexpr std::size_t room_worth_copying = 4096;

    struct piece {
        bool large = false;
        std::uint32_t end = 0;  // in its part
        std::uint32_t bytes = 0;
    };

    arena& part(bool large) noexcept { return large ? large_ : small_; }
    std::size_t base_of(bool large) const noexcept { return large ? small_.size() : 0; }
    static bool is_large(std::size_t frame_bytes) noexcept { return frame_bytes >= large_from; }
    /// For so many runs, and the end behind them.
    bool has_places(std::uint64_t runs) const noexcept { return kept_ - taken_ + runs < runs_max; }
    std::size_t extent_for(std::size_t frame_bytes) const noexcept;
    std::span<std::byte> place_window(const arena::place& found, std::size_t frame_bytes) noexcept;
    void refresh() noexcept;
    void look_ahead(std::size_t frame_bytes) noexcept;
    void add_window(std::size_t bytes) noexcept;
    void add(run::kind what, bool large, std::size_t offset, std::size_t bytes) noexcept;
    void store_pending() noexcept;

    const segment& where_;
    std::byte* const data_;
    arena small_;
    arena large_;
    std::array<piece, runs_max> pieces_{};  // kept and not taken, by number
    std::array<run, batch_runs> batch_{};   // kept and not shown
    std::size_t pending_ = 0;               // of them
    std::uint64_t kept_ = 0;                // runs, ever
    std::uint64_t taken_ = 0;               // the other side is through with so many
    std::uint64_t untaken_bytes_ = 0;
    std::byte* window_ = nullptr;  // its part that was not kept begins here
    std::byte* window_end_ = nullptr;
    bool window_is_large_ = false;
    bool unasked_ = false;  // runs were shown, and nobody looked whether the other side sleeps
    bool large_used_ = false;
    bool lied_ = false;
};

}  // namespace mnet::inline v1::shm
