// The reading half of a side: one run after the other, each checked before it is given out, and given back when the next is asked for.
//
// The bytes of a run lie in memory that the peer can still write: whoever reads them twice may read two things. Their place and number don't
// change: those were copied and checked.
//
// Thread: the side's.
#pragma once
#include "shm/layout.hpp"
#include "shm/segment.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
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
        const run told = unpack(word);
        const bool whole = told.what == run::kind::whole && is_honest(told);
        if (lap_in(word) != lap_of(begun_) || lied_ || !(whole || is_beside(told))) return {};
        done_with_last();
        return whole ? begin(told) : begin_beside(told);
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

    static bool is_beside(const run& told) noexcept {
        return told.what == run::kind::beside && told.offset == 0 && told.bytes > 0 && told.bytes <= beside_max;
    }

    void done_with_last() noexcept {
        if (!in_use_) return;
        in_use_ = false;
        const bool is_much_large = large_unreported_ > 0 && large_unreported_ >= large_report_bytes_;
        const bool is_much = small_unreported_ > where_.sizes().small_bytes / report_parts || is_much_large;
        if (begun_ - told_ >= report_runs || is_much) give_back();
    }

    std::span<const std::byte> begin(const run& told) noexcept {
        ++begun_;
        in_use_ = true;
        const auto bytes = data_.subspan(told.offset, told.bytes);
        const std::size_t frame_bytes = guess(bytes);
        (told.offset < where_.sizes().small_bytes ? small_unreported_ : large_unreported_) += told.bytes;
        large_report_bytes_ = std::min<std::size_t>(where_.sizes().large_bytes / report_parts, report_frames * frame_bytes);
        if (frame_bytes >= fetched_ahead_from) look_ahead(told, frame_bytes);
        return bytes;
    }

    std::span<const std::byte> begin_beside(const run& told) noexcept {
        in_use_ = true;
        return std::span(queue_[begun_++ % runs_max].beside).first(told.bytes);
    }

    /// How long the frames of a run are, if they are all as long as the first. Nothing but speed may depend on it.
    static std::size_t guess(std::span<const std::byte> bytes) noexcept {
        return bytes.size() < wire::header_bytes ? bytes.size() : wire::header_bytes + wire::load_length(bytes.data());
    }

    /// Where frames meet, the lines come from the other processor's cache while others are worked on: of this run, and of the next where that was
    /// told of together with it. Its word is not checked yet, and a prefetch of any address does no harm.
    void look_ahead(const run& told, std::size_t frame_bytes) const noexcept {
        look_at(told.offset + frame_bytes, told.bytes - std::min<std::size_t>(told.bytes, frame_bytes), frame_bytes);
        const std::uint64_t word = std::atomic_ref(queue_[begun_ % runs_max].word).load(std::memory_order_relaxed);
        if (lap_in(word) != lap_of(begun_)) return;
        const run soon = unpack(word);
        look_at(soon.offset, soon.bytes, frame_bytes);
    }
    void look_at(std::size_t offset, std::size_t bytes, std::size_t frame_bytes) const noexcept {
        const std::byte* where = data_.data() + offset;
        for (std::size_t frames = 0; frames < report_frames && bytes > 0; ++frames) {
            __builtin_prefetch(where - meeting_bytes);
            __builtin_prefetch(where + meeting_bytes);
            where += frame_bytes;
            bytes -= std::min(bytes, frame_bytes);
        }
        __builtin_prefetch(where - meeting_bytes);
    }

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
