// The writing half of a side: hands out windows of shared memory, tells the other side of what was committed in them, and finds out what it is
// through with.
//
// Frames below `large_from` lie in the small part, which stays in the processor's caches; longer ones in the large part: such a frame costs the
// same whatever its size, since nothing of it moves. Frames of a kind share a window, and with it the cost of finding room, of telling and of
// being told; the first long one has a window to itself. What fits neither part is copied in pieces.
//
// Runs are told of in batches: `keep` adds one, `publish` shows them all, and says whether the other side sleeps on them.
//
// Thread: the side's.
#pragma once
#include "shm/arena.hpp"
#include "shm/layout.hpp"
#include "shm/segment.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mnet::inline v1::shm {

/// Frames from this size on lie in the large part.
inline constexpr std::size_t large_from = std::size_t{8} << 10U;

/// A window has room for so many frames like the one that it was opened for; for more of the shortest, and for fewer where that would be more than
/// an eighth of the small part, or a quarter of the large one.
inline constexpr std::size_t frames_a_window = 8;
inline constexpr std::size_t small_window_bytes = std::size_t{16} << 10U;

/// g++ makes a prefetch for reading of its builtin unless told of the processor: the line then comes twice.
inline void prefetch_to_write(const void* where) noexcept {
#if defined(__x86_64__)
    asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(where)));
#else
    __builtin_prefetch(where, 1);
#endif
}

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
    std::span<std::byte> next(const std::byte* end, std::size_t frame_bytes) noexcept {
        const std::size_t bytes = unkept_bytes(end);
        const std::size_t start = aligned(static_cast<std::size_t>(end - data_));
        const bool as_before = repeats_ > 0 && bytes > 0 && is_large(frame_bytes) == window_is_large_ && start + frame_bytes <= free_until_;
        if (!as_before) return next_elsewhere(end, frame_bytes);
        --repeats_;
        add_window(bytes);
        return place_window(start, std::min(free_until_ - start, width_for(frame_bytes)), frame_bytes);
    }

    /// So many long frames are on their way that the next had better wait for one to be taken: memory that is used in turns stays in the
    /// processor's caches, and in its table of pages, only as long as there is little of it.
    bool runs_ahead(std::size_t frame_bytes) noexcept {
        if (!is_far_ahead(frame_bytes)) return false;
        refresh();
        return is_far_ahead(frame_bytes);
    }

    /// Bytes of the window, up to `end`, that were not kept yet.
    std::size_t unkept_bytes(const std::byte* end) const noexcept {
        return window_ == nullptr ? 0 : static_cast<std::size_t>(end - window_);
    }

    /// Whole frames end at `end`: a run of them. The window goes on behind. False when there is no place for another run.
    bool keep(const std::byte* end) noexcept;

    /// Where a window goes on that nobody has a pointer into: at the next cache line, so that who writes there doesn't disturb who reads before it;
    /// where it was, when what was kept last lies beside its word.
    std::byte* go_on() noexcept;

    /// Ends the window; what was not kept in it is forgotten.
    void shut() noexcept;

    /// Copies bytes of frames, that may be cut anywhere; gives how many there was room for. Not while a window is open.
    std::size_t copy(std::span<const std::byte> bytes) noexcept;

    /// No more will come.
    void finish() noexcept;

    /// Enough is kept to show it.
    bool has_batch() const noexcept { return pending_ >= batch_runs || pending_bytes_ >= small_.size() / 2; }

    /// `keep`, `go_on` and the showing part of `publish` in one, for the few bytes of an answer that somebody waits for. False, and nothing changed,
    /// where they don't fit beside their word, or runs were kept before them. Whoever calls it publishes, or asks `has_to_wake` himself.
    bool show(const std::byte* end) noexcept {
        const std::size_t bytes = unkept_bytes(end);
        const bool simple = bytes - 1 < beside_max && pending_ == 0 && has_places(1) && window_end_ - window_ >= std::ptrdiff_t{beside_max};
        if (!simple) return false;
        place& target = places_[kept_ % runs_max];
        put_beside(target);
        const auto count = static_cast<std::uint32_t>(bytes);
        std::atomic_ref(target.word).store(pack({.what = run::kind::beside, .bytes = count}, lap_of(kept_)), std::memory_order_release);
        pieces_[kept_ % runs_max] = {.beside = true, .end = count, .bytes = count};
        ++kept_;
        untaken_bytes_ += bytes;
        repeats_ = 0;
        again_ = nullptr;
        unasked_ = true;
        return true;
    }

    /// An answer is about to be shown: its cache line is fetched, for writing, while it is being written.
    void fetch_place() const noexcept { prefetch_to_write(&places_[kept_ % runs_max]); }

    /// The other side sleeps on what was shown, and has to be woken by the caller.
    bool has_to_wake() noexcept {
        unasked_ = false;
        return where_.take_wish(for_input);
    }

    /// A window is open, and nothing before `end` is kept back.
    bool has_all_shown(const std::byte* end) const noexcept { return window_ == end && is_open() && pending_ == 0 && !unasked_; }

    /// Shows what was kept. True: the other side sleeps on it, and has to be woken by the caller.
    bool publish() noexcept;

    /// Whether `copy` would take something.
    bool has_room() noexcept;

    /// The other side says that it is through with runs that never were.
    bool lied() const noexcept { return lied_; }
    /// Somebody else has found that it did.
    void distrust() noexcept { lied_ = true; }

    /// Bytes that the other side is not through with.
    std::uint64_t untaken_bytes() noexcept {
        refresh();
        return untaken_bytes_;
    }

    /// Nothing lies in the large part, and nothing was written there since this was last asked.
    bool large_part_rests() noexcept;

private:
    static constexpr std::size_t batch_runs = 8;
    static constexpr std::size_t large_ahead_max = 32;  // frames
    static constexpr std::size_t room_worth_copying = 4096;

    struct piece {
        bool beside = false;
        bool large = false;
        std::uint32_t end = 0;  // in its part
        std::uint32_t bytes = 0;
    };

    static constexpr std::size_t aligned(std::size_t offset) noexcept { return (offset + cache_line_bytes - 1) & ~(cache_line_bytes - 1); }
    arena& part(bool large) noexcept { return large ? large_ : small_; }
    std::size_t base_of(bool large) const noexcept { return large ? small_.size() : 0; }
    static bool is_large(std::size_t frame_bytes) noexcept { return frame_bytes >= large_from; }
    /// For so many runs, and the end behind them.
    bool has_places(std::uint64_t runs) const noexcept { return kept_ - taken_ + runs < runs_max; }
    std::size_t extent_for(std::size_t frame_bytes) const noexcept;
    bool is_far_ahead(std::size_t frame_bytes) const noexcept {
        return is_large(frame_bytes) && large_untaken_bytes_ >= large_ahead_max * frame_bytes;
    }
    /// Of a window behind the present one, or the one before.
    std::size_t width_for(std::size_t frame_bytes) const noexcept {
        const bool large = is_large(frame_bytes);
        if (large && !window_is_large_) return frame_bytes;
        return std::min(std::max(frames_a_window * frame_bytes, small_window_bytes), large ? large_.size() / 4 : small_.size() / 8);
    }
    std::span<std::byte> next_elsewhere(const std::byte* end, std::size_t frame_bytes) noexcept;
    std::span<std::byte> place_window(const arena::place& found, std::size_t frame_bytes) noexcept;
    void allow_repeats(const arena::place& found, std::size_t frame_bytes) noexcept;
    void refresh() noexcept;
    void store_pending() noexcept;

    std::span<std::byte> place_window(std::size_t start, std::size_t width, std::size_t frame_bytes) noexcept {
        window_ = data_ + start;
        again_ = nullptr;
        const std::size_t bytes = std::max(width, frame_bytes);
        window_end_ = window_ + bytes;
        if (frame_bytes >= fetched_ahead_from) look_ahead(bytes, frame_bytes);
        return {window_, bytes};
    }

    /// The next window is likely for frames as long as these: where they meet is fetched from the other processor's cache, for writing, while these
    /// are written.
    void look_ahead(std::size_t window_bytes, std::size_t frame_bytes) noexcept {
        const std::byte* where = window_ + aligned(window_bytes);
        const std::byte* const end = std::min<const std::byte*>(where + window_bytes, data_end_ - meeting_bytes);
        for (; where < end; where += frame_bytes) {
            prefetch_to_write(where - meeting_bytes);
            prefetch_to_write(where + meeting_bytes);
        }
    }

    /// The window's first bytes, a place's worth whatever of them is a frame's: a few instructions. In the parts in which the first frame was just
    /// written: a load that spans two stores waits until both have left the processor's store buffer.
    void put_beside(place& target) const noexcept {
        std::memcpy(target.beside.data(), window_, wire::header_bytes);
        std::memcpy(target.beside.data() + wire::header_bytes, window_ + wire::header_bytes, beside_max - wire::header_bytes);
    }

    /// The window's first bytes as a run.
    void add_window(std::size_t bytes) noexcept {
        add(run::kind::whole, window_is_large_, static_cast<std::size_t>(window_ - data_) - base_of(window_is_large_), bytes);
    }

    void add(run::kind what, bool large, std::size_t offset, std::size_t bytes) noexcept {
        if (pending_ == batch_.size()) store_pending();
        const auto count = static_cast<std::uint32_t>(bytes);
        const auto end = static_cast<std::uint32_t>(offset + bytes);
        pieces_[kept_ % runs_max] = {.beside = what == run::kind::beside, .large = large, .end = end, .bytes = count};
        batch_[pending_++] =
            pack({.what = what, .offset = static_cast<std::uint32_t>(base_of(large) + offset), .bytes = count}, lap_of(kept_));
        ++kept_;
        untaken_bytes_ += bytes;
        pending_bytes_ += bytes;
        if (large) large_untaken_bytes_ += bytes;
        if (bytes > 0 && what != run::kind::beside) part(large).commit(end);
    }

    const segment& where_;
    std::byte* const data_;
    const std::byte* const data_end_;
    arena small_;
    arena large_;
    queue& places_;
    std::array<piece, runs_max> pieces_{};           // kept and not taken, by number
    std::array<std::uint64_t, batch_runs> batch_{};  // the words of those kept and not shown
    std::size_t pending_ = 0;                        // of them
    std::size_t pending_bytes_ = 0;
    std::uint64_t kept_ = 0;   // runs, ever
    std::uint64_t taken_ = 0;  // the other side is through with so many
    std::uint64_t untaken_bytes_ = 0;
    std::uint64_t large_untaken_bytes_ = 0;  // of these, in the large part
    std::byte* window_ = nullptr;            // its part that was not kept begins here
    std::byte* window_end_ = nullptr;
    std::byte* again_ = nullptr;  // the window may go on here: what was kept last lies elsewhere
    std::size_t free_until_ = 0;  // of the data: the next windows may lie behind this one, up to here
    std::size_t repeats_ = 0;     // so many of them, before looking what the other side is through with
    bool window_is_large_ = false;
    bool unasked_ = false;  // runs were shown, and nobody looked whether the other side sleeps
    bool large_used_ = false;
    bool lied_ = false;
};

}  // namespace mnet::inline v1::shm
