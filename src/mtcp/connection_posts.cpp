// Messages that others post to a connection: taken out of its mailbox by its own loop, and sent as its own are, or dropped by its rules.
#include "mtcp/connection.hpp"

#include <utility>

namespace mnet::inline v1::mtcp::detail {

void connection::deliver(mnet::detail::mailbox& box) noexcept {
    connection* const owner = static_cast<connection_box&>(box).owner;
    if (owner == nullptr) return;
    const turn turn(owner->worker_);
    owner->rung_ = true;
    owner->deliver_posts();
}

void connection::forget_box() noexcept {
    box_->owner = nullptr;
    box_->shut();
    box_.reset();
    rung_ = false;
}

void connection::deliver_posts() noexcept {
    posts_waiting_ = false;
    if (rung_ && is_away() && box_->close_requested()) {
        end(make_error_code(errc::already_closed));  // its last moment, where nobody holds it any more
        return;
    }
    if (!rung_ || phase_ != phase::open || is_away()) return;
    if (const std::uint32_t refused = box_->answered(); refused > 0) {
        counted_.writes_refused += refused;
        worker_.accounts().add(entry::writes_refused, refused);
    }
    const bool pacing = pacing_;
    pacing_ = true;  // a loop that ran in here would deliver the next posts before this one
    const auto stopped = commit_posts();
    pacing_ = pacing;
    if (stopped == errc::reconnecting) {  // they go on with the return
        if (is_away() && box_->close_requested()) end(make_error_code(errc::already_closed));
        return;
    }
    if (stopped == std::errc::not_enough_memory) {
        end(stopped);  // who posted was told that it is on its way
        return;
    }
    count_unsent();
    posts_waiting_ = stopped == errc::would_block || send.writer_open;
    if (posts_waiting_ || !box_->close_requested()) return;
    end(make_error_code(errc::already_closed));
}

/// Until there are no more; or why not all: nothing where a writer is open.
std::error_code connection::commit_posts() noexcept {
    while (!send.writer_open) {
        auto [post, lost_before] = box_->take();
        if (lost_before.messages > 0 && sends())
            (void)drop_newest({.messages = lost_before.messages, .payload_bytes = lost_before.payload_bytes});
        if (post == nullptr) break;
        if (auto room = room_by_rules(post->size(), false); !room) {
            const bool later = room.error() == errc::reconnecting || room.error() == errc::would_block;
            if (later) box_->put_back(std::move(post));
            if (later || room.error() == std::errc::not_enough_memory) return room.error();
            continue;  // dropped, closed or failed: nobody can have it any more
        }
        (void)client_access::open_writer(*this, post->size()).append(*post).commit();
    }
    return {};
}

}  // namespace mnet::inline v1::mtcp::detail
