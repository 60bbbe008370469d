// The part of client that isn't inline: where a window is used up and the transport is asked.
#include <mnet/client.hpp>

#if MNET_CHECKED
#include <cstdio>
#include <cstdlib>
#endif

namespace mnet::inline v1 {

#if MNET_CHECKED
void detail::stale_message() noexcept {
    (void)std::fputs("mnet: a message was used after the next read on its client: copy it with to_vector()\n", stderr);
    std::abort();
}
#endif

client::client(client&& other) noexcept : transport_(std::move(other.transport_)) {
    if (transport_) transport_->moved();
}

client& client::operator=(client&& other) noexcept {
    transport_ = std::move(other.transport_);
    if (transport_) transport_->moved();
    return *this;
}

client::~client() = default;

result<message> client::try_read_more() noexcept {
    if (auto filled = transport_->try_fill(); !filled) return std::unexpected(filled.error());
    return next_message();
}

result<message> client::read_more(const operation& op) noexcept {
    if (auto filled = transport_->fill(op); !filled) return std::unexpected(filled.error());
    return next_message();
}

result<message> client::next_message() noexcept {
    const wire::decoded next = transport_->decoder.next(transport_->receive);
    if (next.what != wire::decoded::kind::message) return failure(next.reason);
    return message(next.payload, transport_->decoder);
}

result<> client::wait(const operation& op) noexcept {
    if (transport_->decoder.ready(transport_->receive)) return {};
    return transport_->fill(op);
}

result<> client::flush(const operation& op) noexcept { return transport_->flush(op); }

result<> client::wait_for_room(const operation& op) noexcept { return transport_->wait_for_room(op); }

result<> client::set_overload(const overload& option) noexcept { return transport_->set_overload(option); }

delivery client::close(const operation& op) noexcept { return transport_->close(op); }

result<> client::reconnect(std::string_view address) { return transport_->reconnect(address); }

peer client::self() const { return peer(transport_->box()); }

std::vector<peer> client::others() const {
    std::vector<peer> others;
    for (auto& box : transport_->other_boxes()) others.push_back(peer(std::move(box)));
    return others;
}

}  // namespace mnet::inline v1
