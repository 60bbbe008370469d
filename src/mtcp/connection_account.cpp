// What became of what was committed: bytes by the kernel's word, messages by where they end in the stream.
#include "mtcp/connection.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <span>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// Messages whose last byte is among so many bytes.
constexpr std::uint64_t messages_in(std::uint64_t bytes) noexcept { return (bytes + wire::header_bytes - 1) / wire::header_bytes; }

/// In memory that the peer can write, too.
std::uint64_t frames_in(std::span<const std::byte> bytes) noexcept {
    std::uint64_t frames = 0;
    for (std::size_t start = 0; start + wire::header_bytes <= bytes.size(); ++frames) {
        start += wire::header_bytes + wire::load_length(bytes.data() + start);
    }
    return frames;
}

}  // namespace

std::size_t connection::unsent_bytes_max() const noexcept {
    return std::max(limits_in_force().unsent_bytes_max, returns() ? dialed_->again->how.buffer_bytes_max : 0);
}

std::uint64_t connection::unsent_messages() const noexcept {
    return out_.unsent_messages() + (returns() ? dialed_->again->kept.held().messages : 0);
}

std::uint64_t connection::committed_bytes() const noexcept {
    const std::uint64_t before = dialed_ ? dialed_->placed_bytes : 0;
    const std::uint64_t in_memory = memory_ ? memory_->placed_bytes + (is_away() ? 0 : memory_->out.unkept_bytes(send.next)) : 0;
    return out_.committed_bytes() + before + in_memory + (returns() ? dialed_->again->kept.held().bytes : 0);
}

/// How many bytes of the queue the peer may have read although they do not count as sent: those of a send that is not answered yet, and of TLS
/// those in a block of records that left in part.
std::size_t connection::maybe_left() const noexcept {
    const std::size_t offered = sending_ && !memory_ ? worker_.loop().sent_unanswered_bytes_max(*this) : 0;
    if (!secure_ && offered > 0) return offered;
    const bool some_left = secure_ && secure_->leaving != nullptr && (secure_->leaving->begin > 0 || offered > 0);
    return some_left ? secure_->sealed_bytes : ending_ ? ending_->maybe_left : 0;
}

/// How many of the `left` messages that left are whole in the first `wire_bytes`, at least.
std::uint64_t connection::whole_in(std::uint64_t wire_bytes, std::uint64_t left) const noexcept {
    const milestones& known = worker_.ends_of_messages();
    const std::uint64_t bytes = secure_ ? known.units_in(stream_number() + 1, wire_bytes) : wire_bytes;
    const std::uint64_t missing_most = messages_in(counted_.wire_bytes_sent - wire_bytes + maybe_left());
    return std::min(left, std::max(known.units_in(stream_number(), bytes), left - std::min(left, missing_most)));
}

/// Of a client that returns: kept, and not of the queue that was lost.
std::uint64_t connection::written_since_failure() const noexcept {
    return returns() ? dialed_->again->kept.held().messages - dialed_->again->moved.messages : 0;
}

delivery connection::account() const noexcept {
    delivery all = told();
    const std::size_t unkept = memory_ ? memory_->out.unkept_bytes(send.next) : 0;
    const std::size_t doubtful = maybe_left();
    const std::uint64_t bytes_before = dialed_ ? dialed_->wire_bytes_before : 0;
    all.bytes_unsent += out_.unsent_bytes() + unkept;
    all.messages_unsent += out_.unsent_messages(doubtful) + frames_in({send.next - unkept, unkept});
    all.bytes_unacknowledged = std::min(unacknowledged(), counted_.wire_bytes_sent - bytes_before);
    const std::uint64_t acknowledged = counted_.wire_bytes_sent - all.bytes_unacknowledged;
    const std::uint64_t not_left = all.messages_unsent + written_since_failure();
    const std::uint64_t left = committed_messages() - std::min(committed_messages(), not_left);
    const bool is_all = all.bytes_unacknowledged == 0 && doubtful == 0;
    const std::uint64_t whole = is_all ? left : whole_in(acknowledged, left);
    const std::uint64_t messages_before = dialed_ ? dialed_->messages_before : 0;
    all.messages_acknowledged = whole - std::min(whole, messages_before);
    all.messages_unacknowledged = left - std::max(whole, messages_before);
    all.bytes_acknowledged = acknowledged - bytes_before;
    if (secure_) return all;  // of what left in part its records tell
    all.bytes_unsent -= doubtful;
    all.bytes_unacknowledged += doubtful;
    return all;
}

delivery connection::delivered() const noexcept {
    if (!is_away() && (phase_ >= phase::closing || phase_ == phase::opening)) return told();
    delivery so_far = is_away() ? last_delivery() : account();
    so_far.pending = true;
    return so_far;
}

/// A connection that was opened anew counts from here.
void connection::begin_account() noexcept {
    if (!dialed_) return;
    dialed_->wire_bytes_before = counted_.wire_bytes_sent;
    dialed_->messages_before = committed_messages() - (returns() ? dialed_->again->kept.held().messages : 0);
    worker_.ends_of_messages().forget_behind(stream_number(), 0);
    worker_.ends_of_messages().forget_behind(stream_number() + 1, 0);
}

}  // namespace mnet::inline v1::mtcp::detail
