// A peer is a shared mailbox, and nothing more.
#include <mnet/peer.hpp>

#include "mnet/mailbox.hpp"

#include <utility>

namespace mnet::inline v1 {

peer::peer(std::shared_ptr<detail::mailbox> box) noexcept : box_(std::move(box)) {}

result<> peer::send(std::span<const std::byte> bytes) const {
    if (!box_) return failure(errc::already_closed);
    return box_->post(detail::make_posted_message(bytes, box_->limits().budget));
}

void peer::close() const {
    if (box_) box_->request_close();
}

bool peer::live() const noexcept { return box_ && box_->live(); }

std::uint64_t peer::id() const noexcept { return box_ ? box_->id() : 0; }

}  // namespace mnet::inline v1
