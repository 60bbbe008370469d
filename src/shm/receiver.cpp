// Runs and their end, seen from the side that reads.
#include "shm/receiver.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <atomic>

namespace mnet::inline v1::shm {

receiver::receiver(const segment& where) noexcept
    : where_(where), queue_(where.queue_of(other(where.mine())).data()), data_(where.data_of(other(where.mine()))) {}

receiver::arrival receiver::next() noexcept {
    if (lied_) return {.what = arrival::kind::lie};
    end_last();
    const std::uint64_t word = word_of(begun_);
    if (lap_in(word) != lap_of(begun_)) {
        if (told_ != begun_) give_back();
        return {};
    }
    const run told = unpack(word);
    switch (told.what) {
        case run::kind::whole:
            if (is_honest(told)) return {.what = arrival::kind::whole, .bytes = begin(told)};
            break;
        case run::kind::piece:
            if (is_honest(told)) return {.what = arrival::kind::piece, .bytes = begin(told)};
            break;
        case run::kind::beside:
            if (const std::size_t bytes = bytes_beside(word, begun_)) return {.what = arrival::kind::whole, .bytes = begin_beside(bytes)};
            break;
        case run::kind::finish:
            if (told.bytes != 0) break;
            ++begun_;
            in_use_ = true;
            return {.what = arrival::kind::finish};
    }
    lied_ = true;
    return {.what = arrival::kind::lie};
}

/// `next_whole`, of a run that doesn't lie beside its word.
std::span<const std::byte> receiver::next_in_data(std::uint64_t word) noexcept {
    const run told = unpack(word);
    if (lap_in(word) != lap_of(begun_) || lied_ || told.what != run::kind::whole || !is_honest(told)) return {};
    end_last();
    return begin(told);
}

std::span<const std::byte> receiver::begin(const run& told) noexcept {
    ++begun_;
    in_use_ = true;
    const auto bytes = data_.subspan(told.offset, told.bytes);
    const std::size_t frame_bytes = guess(bytes);
    (told.offset < where_.sizes().small_bytes ? small_unreported_ : large_unreported_) += told.bytes;
    large_report_bytes_ = std::min<std::size_t>(where_.sizes().large_bytes / report_parts, report_frames * frame_bytes);
    if (frame_bytes >= fetched_ahead_from) look_ahead(told, frame_bytes);
    return bytes;
}

/// How long the frames of a run are, if they are all as long as the first. Nothing but speed may depend on it.
std::size_t receiver::guess(std::span<const std::byte> bytes) noexcept {
    return bytes.size() < wire::header_bytes ? bytes.size() : wire::header_bytes + wire::load_length(bytes.data());
}

/// Where frames meet, the lines come from the other processor's cache while others are worked on: of this run, and of the next where that was
/// told of together with it. Its word is not checked yet, and a prefetch of any address does no harm.
void receiver::look_ahead(const run& told, std::size_t frame_bytes) const noexcept {
    look_at(told.offset + frame_bytes, told.bytes - std::min<std::size_t>(told.bytes, frame_bytes), frame_bytes);
    const std::uint64_t word = std::atomic_ref(queue_[begun_ % runs_max].word).load(std::memory_order_relaxed);
    if (lap_in(word) != lap_of(begun_)) return;
    const run soon = unpack(word);
    look_at(soon.offset, soon.bytes, frame_bytes);
}

void receiver::look_at(std::size_t offset, std::size_t bytes, std::size_t frame_bytes) const noexcept {
    const std::byte* where = data_.data() + offset;
    for (std::size_t frames = 0; frames < report_frames && bytes > 0; ++frames) {
        __builtin_prefetch(where - meeting_bytes);
        __builtin_prefetch(where + meeting_bytes);
        where += frame_bytes;
        bytes -= std::min(bytes, frame_bytes);
    }
    __builtin_prefetch(where - meeting_bytes);
}

void receiver::give_back() noexcept {
    told_ = begun_;
    small_unreported_ = large_unreported_ = 0;
    std::atomic_ref(where_.state_of(where_.mine()).taken).store(told_, std::memory_order_release);
    wake_ = where_.take_wish(for_room) || wake_;
}

}  // namespace mnet::inline v1::shm
