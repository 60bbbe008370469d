// What can be seen of a connection: state, addresses, counters, the sentence of `explain`; and what the books of its loop are told.
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/wire/frame.hpp>

#include <array>
#include <string>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// The address of a process that has none of its own.
std::string process_text(pid_t process) { return "shm://process-" + std::to_string(process); }

std::string stream_text(const io::endpoint& where, bool with_tls) { return (with_tls && !where.is_unix() ? "tls://" : "") + where.text(); }

}  // namespace

bool connection::live() const noexcept {
    const bool input_failed = input_end_ && input_end_ != errc::end_of_stream;
    return phase_ == phase::open && !input_failed && !output_failure_;
}

std::string_view connection::name() const noexcept {
    if (memory_) return "shared_memory";
    if (secure_) return "tls";
    return unix_ ? "unix" : "tcp";
}

std::string connection::local_address() const {
    if (memory_) return role_ == role::served ? memory_->address : process_text(::getpid());
    const auto where = worker_.loop().local_endpoint(*this);
    return where ? stream_text(*where, secure_ != nullptr) : std::string();
}

std::string connection::remote_address() const {
    if (memory_) return role_ == role::served ? process_text(memory_->peer.process) : memory_->address;
    const auto where = worker_.loop().remote_endpoint(*this);
    return where ? stream_text(*where, secure_ != nullptr) : std::string();
}

client_statistics connection::statistics() const noexcept {
    client_statistics now{.messages_sent = send.messages,
                          .payload_bytes_sent = committed_bytes() - send.messages * wire::header_bytes,
                          .messages_received = decoder.messages(),
                          .payload_bytes_received = decoder.payload_bytes(),
                          .wire_bytes_sent = counted_.wire_bytes_sent,
                          .wire_bytes_received = counted_.wire_bytes_received,
                          .unsent_bytes = unsent_bytes(),
                          .writes_refused = counted_.writes_refused,
                          .pauses = counted_.pauses};
    if (dialed_) {
        now.messages_received += dialed_->messages_received;
        now.payload_bytes_received += dialed_->payload_bytes_received;
        now.reconnects = dialed_->reconnects;
    }
    return now;
}

network_statistics connection::loop_statistics() noexcept {
    publish();
    return worker_.statistics();
}

std::string connection::explain() const {
    const std::string unsent = std::to_string(unsent_bytes()) + " bytes unsent";
    if (phase_ == phase::opening) return "not connected";
    if (phase_ == phase::draining) return "closing: " + unsent + ", " + std::to_string(unacknowledged()) + " not acknowledged";
    const std::string words = secure_ && !secure_->machine.words().empty() ? " (" + secure_->machine.words() + ")" : std::string();
    if (phase_ > phase::draining) return "closed" + (close_reason_ ? ": " + close_reason_.message() : std::string()) + words;
    if (is_shaking_hands()) return "in the TLS handshake";
    if (output_failure_) return "sending failed: " + output_failure_.message();
    std::string state = "open";
    if (paused_) state = "not read until half of its unsent bytes have left";
    if (input_end_ == errc::end_of_stream)
        state = "the peer finished sending";
    else if (input_end_)
        state = "receiving failed: " + input_end_.message() + words;
    if (secure_) state += ", " + std::string(secure_->machine.version_name()) + " with " + std::string(secure_->machine.cipher_name());
    if (memory_) state += ", in shared memory";
    if (dialed_ && !dialed_->why_not_shared.empty()) state += ", not in shared memory: " + dialed_->why_not_shared;
    return state + "; " + unsent + (sending_ ? ", the peer takes no more at present" : "");
}

std::shared_ptr<mnet::detail::mailbox> connection::box() {
    auto made = worker_.network() != nullptr ? worker_.network()->box_of(*this) : make_box();
    if (phase_ > phase::open) made->shut();
    return made;
}

const std::shared_ptr<connection_box>& connection::make_box() {
    if (!box_) {
        const connection_box::bounds bounds{.posted_bytes_max = limits_in_force().unsent_bytes_max,
                                            .message_bytes_max = limits_in_force().message_bytes_max};
        box_ = std::make_shared<connection_box>(id_, bounds, worker_.mail());
        box_->owner = this;
    }
    return box_;
}

std::vector<std::shared_ptr<mnet::detail::mailbox>> connection::other_boxes() {
    if (worker_.network() == nullptr) return {};
    return worker_.network()->boxes_but(id_);
}

void connection::publish() noexcept {
    struct published {
        entry what;
        std::uint64_t client_statistics::* counter;
    };
    static constexpr std::array<published, std::tuple_size_v<decltype(told_)>> all{{
        {entry::messages_sent, &client_statistics::messages_sent},
        {entry::payload_bytes_sent, &client_statistics::payload_bytes_sent},
        {entry::messages_received, &client_statistics::messages_received},
        {entry::payload_bytes_received, &client_statistics::payload_bytes_received},
        {entry::wire_bytes_sent, &client_statistics::wire_bytes_sent},
        {entry::wire_bytes_received, &client_statistics::wire_bytes_received},
        {entry::writes_refused, &client_statistics::writes_refused},
        {entry::pauses, &client_statistics::pauses},
    }};
    const client_statistics now = statistics();
    ledger& accounts = worker_.accounts();
    const auto tell = [&]<std::size_t index>() {
        const auto low_half = static_cast<std::uint32_t>(now.*all[index].counter);
        if (low_half != told_[index]) accounts.add(all[index].what, low_half - std::exchange(told_[index], low_half));
    };
    [&]<std::size_t... index>(std::index_sequence<index...>) {
        (tell.template operator()<index>(), ...);
    }(std::make_index_sequence<all.size()>());
}

}  // namespace mnet::inline v1::mtcp::detail
