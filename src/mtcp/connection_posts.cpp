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

void connection::deliver_posts() noexcept {
    if (rung_ && is_away() && box_->close_requested()) end(make_error_code(errc::already_closed));
    posts_waiting_ = false;
    if (!rung_ || phase_ > phase::open || is_away()) return;
    if (const std::uint32_t refused = box_->answered(); refused > 0) {
        counted_.writes_refused += refused;
        worker_.accounts().add(entry::writes_refused, refused);
    }
    while (!send.writer_open) {
        auto [post, lost_before] = box_->take();
        if (lost_before.messages > 0 && sends())
            (void)drop_newest({.messages = lost_before.messages, .payload_bytes = lost_before.payload_bytes});
        if (post == nullptr) break;
        if (auto room = room_by_rules(post->size(), false); !room) {
            const bool later = room.error() == errc::reconnecting;
            if (!later && room.error() != errc::would_block) continue;  // dropped, closed or failed: nobody can have it any more
            box_->put_back(std::move(post));
            if (later) return;  // with the return
            posts_waiting_ = true;
            break;
        }
        (void)client_access::open_writer(*this, post->size()).append(*post).commit();
    }
    count_unsent();
    if (send.writer_open) posts_waiting_ = true;
    if (posts_waiting_ || !box_->close_requested()) return;
    end(make_error_code(errc::already_closed));
}

}  // namespace mnet::inline v1::mtcp::detail
