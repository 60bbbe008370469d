// The reading half of a side: one run after the other, each checked before it is given out, and given back when the next is asked for.
//
// The bytes of a run lie in memory that the peer can still write: whoever reads them twice may read two things. Their place and number don't
// change: those were copied and checked.
//
// Thread: the side's.
#pragma once
#include "shm/layout.hpp"
#include "shm/segment.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mnet::inline v1::shm {

class receiver {
public:
    explicit receiver(const segment& where) noexcept;
    receiver(const receiver&) = delete;
    receiver& operator=(const receiver&) = delete;

    struct arrival {
        enum class kind : std::uint8_t { nothing, whole, piece, finish, lie };

        kind what = kind::nothing;
        std::span<const std::byte> bytes{};
    };

    /// The next run; the one before it ends, and its memory goes back to the other side. A lie (what no honest side would write) is told
    /// again and again.
    arrival next() noexcept;

    /// The same for a run of whole frames; empty, and nothing has changed, when something else comes next, or nothing.
    std::span<const std::byte> next_whole() noexcept {
        const std::uint64_t word = word_of(begun_);
        const std::size_t bytes = bytes_beside(word, begun_);
        if (bytes == 0 || lied_) return next_in_data(word);
        end_last();
        return begin_beside(bytes);
    }

    /// The run given out last ends, before the next is asked for: by who has time now and won't then.
    void end_last() noexcept {
        if (!in_use_) return;
        in_use_ = false;
        const bool is_much_large = large_unreported_ > 0 && large_unreported_ >= large_report_bytes_;
        const bool is_much = small_unreported_ > where_.sizes().small_bytes / report_parts || is_much_large;
        if (begun_ - told_ >= report_runs || is_much) give_back();
    }

    /// Whether `next` would give something.
    bool has_next() const noexcept { return lap_in(word_of(begun_)) == lap_of(begun_); }

    /// The other side sleeps, wanted room, and got it: it has to be woken. Says so once.
    bool has_to_wake() noexcept {
        const bool has_to = wake_;
        wake_ = false;
        return has_to;
    }

private:
    /// Runs are reported as done together: each report takes a cache line from the writer. And by so many long frames, or a quarter of its memory,
    /// so that it never stands still for want of a report.
    static constexpr std::uint64_t report_runs = 8;
    static constexpr std::size_t report_frames = 8;
    static constexpr std::size_t report_parts = 4;

    std::uint64_t word_of(std::uint64_t number) const noexcept {
        return std::atomic_ref(queue_[number % runs_max].word).load(std::memory_order_acquire);
    }

    bool is_honest(const run& told) const noexcept {
        return told.bytes > 0 && told.offset <= data_.size() && told.bytes <= data_.size() - told.offset;
    }

    std::span<const std::byte> next_in_data(std::uint64_t word) noexcept;
    std::span<const std::byte> begin(const run& told) noexcept;
    std::span<const std::byte> begin_beside(std::size_t bytes) noexcept {
        in_use_ = true;
        return std::span(queue_[begun_++ % runs_max].beside).first(bytes);
    }

    static std::size_t guess(std::span<const std::byte> bytes) noexcept;
    void look_ahead(const run& told, std::size_t frame_bytes) const noexcept;
    void look_at(std::size_t offset, std::size_t bytes, std::size_t frame_bytes) const noexcept;
    void give_back() noexcept;

    const segment& where_;
    place* const queue_;
    std::span<const std::byte> data_;
    std::uint64_t begun_ = 0;           // runs given out, ever
    std::uint64_t told_ = 0;            // the other side knows that we are through with so many
    std::size_t small_unreported_ = 0;  // bytes, of each part
    std::size_t large_unreported_ = 0;
    std::size_t large_report_bytes_ = 0;
    bool in_use_ = false;
    bool wake_ = false;
    bool lied_ = false;
};

}  // namespace mnet::inline v1::shm
