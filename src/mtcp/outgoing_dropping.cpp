// Dropping out of the queue: whole messages, behind what is on its way.
#include "mtcp/outgoing.hpp"

#include "base/assert.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

std::optional<std::size_t> outgoing::part_after(std::size_t kept_bytes) noexcept {
    MNET_ASSERT(!window_.writer_open && frozen_end_ == nullptr, "nothing is dropped below a writer, nor out of a frozen queue");
    MNET_ASSERT(kept_bytes <= unsent_bytes(), "what is kept is unsent");
    std::size_t before = 0;
    base::block* block = head_;
    for (; block != nullptr && kept_bytes >= before + block->size(); block = block->next) before += block->size();
    if (block == nullptr && window_bytes() == 0) return before;
    base::block& parted = block != nullptr ? *block : *tail_;
    const std::size_t end = block != nullptr ? block->end : static_cast<std::size_t>(window_.next - tail_->data());
    const std::size_t position = parted.begin + (kept_bytes - before);
    std::size_t boundary = frame_start(parted, position);
    if (boundary < position) boundary += wire::header_bytes + wire::load_length(parted.data() + boundary);
    MNET_ASSERT(boundary <= end, "no frame lies in two blocks");
    if (boundary == parted.begin) return before;
    const std::size_t kept = before + (boundary - parted.begin);
    const std::size_t moved = end - boundary;
    if (moved == 0) return kept;
    base::block* const fresh = block != nullptr ? pool_.acquire(moved) : acquire(moved);
    if (fresh == nullptr) return std::nullopt;
    std::memcpy(fresh->data(), parted.data() + boundary, moved);
    fresh->begin = 0;
    parted.end = boundary;
    if (block != nullptr) {
        fresh->end = moved;
        fresh->next = std::exchange(parted.next, fresh);
    } else {
        enqueue(parted);
        tail_ = fresh;
        fresh->next = nullptr;
        window_.next = fresh->data() + moved;
        set_limit(0);
    }
    return kept;
}

base::block** outgoing::link_at(std::size_t boundary) noexcept {
    base::block** link = &head_;
    for (; *link != nullptr && boundary > 0; link = &(*link)->next) {
        MNET_ASSERT(boundary >= (*link)->size(), "blocks were parted here");
        boundary -= (*link)->size();
    }
    return link;
}

void outgoing::insert(base::block& frame, std::size_t boundary) noexcept {
    base::block** const link = link_at(boundary);
    frame.next = std::exchange(*link, &frame);
    queued_bytes_ += frame.size();
    ++window_.messages;
    if (tail_ != nullptr) set_limit(0);
}

dropped outgoing::drop_behind(std::size_t boundary, const std::vector<std::byte>* marker) noexcept {
    dropped all{};
    if (boundary >= unsent_bytes()) return all;
    const auto take_frame = [&](base::block& from) {
        const std::size_t payload_bytes = wire::load_length(from.data() + from.begin);
        from.begin += wire::header_bytes + payload_bytes;
        ++all.messages;
        all.payload_bytes += payload_bytes;
        done_bytes_ += wire::header_bytes + payload_bytes;
        return wire::header_bytes + payload_bytes;
    };
    const auto has_to_go = [&](const base::block& from) {
        if (above_bound()) return true;
        const std::byte* const next = from.data() + from.begin;
        return marker != nullptr && wire::load_length(next) == marker->size() &&
               std::equal(marker->begin(), marker->end(), next + wire::header_bytes);
    };
    base::block** const link = link_at(boundary);
    while (*link != nullptr && has_to_go(**link)) {
        queued_bytes_ -= take_frame(**link);
        if ((*link)->empty()) pool_.release(std::exchange(*link, (*link)->next));
    }
    while (*link == nullptr && window_bytes() > 0 && has_to_go(*tail_)) take_frame(*tail_);
    if (tail_ != nullptr && window_bytes() == 0) {
        tail_->begin = 0;
        window_.next = tail_->data();
    }
    if (tail_ != nullptr) set_limit(0);
    return all;
}

}  // namespace mnet::inline v1::mtcp::detail
