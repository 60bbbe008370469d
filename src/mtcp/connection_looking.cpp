// What can be seen of a connection: state, addresses, counters; and what the books of its loop are told.
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
    const bool input_failed = input_end_ && input_end_ != errc::end_of_stream && input_end_ != errc::reconnected;
    return phase_ == phase::open && !is_away() && !input_failed && !output_failure_;
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
    if (overload_) {
        now.messages_dropped = overload_->messages_dropped;
        now.payload_bytes_dropped = overload_->payload_bytes_dropped;
        now.gaps = overload_->gaps;
    }
    if (dialed_) now.reconnects = dialed_->reconnects;
    return now;
}

network_statistics connection::loop_statistics() noexcept {
    publish();
    return worker_.statistics();
}

std::shared_ptr<mnet::detail::mailbox> connection::box() {
    auto made = worker_.network() != nullptr ? worker_.network()->box_of(*this) : make_box();
    if (phase_ > phase::open && !is_away()) made->shut();
    return made;
}

const std::shared_ptr<connection_box>& connection::make_box() {
    if (!box_) {
        const connection_box::bounds bounds{.posted_bytes_max = limits_in_force().unsent_bytes_max,
                                            .message_bytes_max = limits_in_force().message_bytes_max,
                                            .budget = limits_in_force().budget};
        box_ = std::make_shared<connection_box>(id_, bounds, worker_.mail(), limits_in_force().overload.policy);
        box_->owner = this;
    }
    return box_;
}

std::vector<std::shared_ptr<mnet::detail::mailbox>> connection::other_boxes() {
    if (worker_.network() == nullptr) return {};
    return worker_.network()->boxes_but(id_);
}

void connection::publish() noexcept {
    if (out_.unsent_bytes() > 0 || overload_) [[unlikely]]
        watch_backlog();
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
