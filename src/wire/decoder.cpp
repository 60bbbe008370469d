// See mnet/wire/decoder.hpp; here is what happens when there is no message to give.
#include <mnet/wire/decoder.hpp>

#include "base/assert.hpp"
#include "wire/first_bytes.hpp"

#include <algorithm>

namespace mnet::inline v1::wire {

decoder::decoder(std::size_t message_bytes_max) noexcept
    : message_bytes_max_(static_cast<std::uint32_t>(std::min<std::size_t>(message_bytes_max, length_max))),
      refused_from_(message_bytes_max_ + 1) {}

void decoder::restart() noexcept {
    refused_from_ = message_bytes_max_ + 1;
    corrupt_ = errc{};
    messages_before_ = static_cast<std::uint32_t>(messages_);
}

void decoder::check([[maybe_unused]] const window& bytes) const noexcept {
    MNET_ASSERT(bytes.begin <= bytes.end, "a window does not end before it begins");
    MNET_ASSERT((corrupt_ == errc{}) == (refused_from_ == message_bytes_max_ + 1),
                "a corrupt stream accepts no length, a sound one all up to its bound");
}

decoder::verdict decoder::examine(const window& bytes) const noexcept {
    check(bytes);
    if (corrupt_ != errc{}) return {.bytes_missing = 0, .reason = corrupt_};
    const std::size_t available = bytes.size();
    if (available < header_bytes) return {.bytes_missing = header_bytes - available, .reason = errc{}};

    const std::uint32_t length = load_length(bytes.begin);
    if (length > message_bytes_max_) {
        // Behind a message, these bytes may be anything: a stream that was out of step, rather than another protocol.
        if (static_cast<std::uint32_t>(messages_) != messages_before_) return {.bytes_missing = 0, .reason = errc::message_too_large};
        return {.bytes_missing = 0, .reason = diagnose_first_bytes(std::span<const std::byte, header_bytes>(bytes.begin, header_bytes))};
    }
    MNET_ASSERT(available < header_bytes + length, "a window that holds a whole frame is cut first");
    return {.bytes_missing = header_bytes + length - available, .reason = errc{}};
}

decoder::verdict decoder::without_message(window bytes) noexcept {
    const verdict result = examine(bytes);
    if (result.reason != errc{}) {
        corrupt_ = result.reason;
        refused_from_ = 0;
    }
    MNET_ASSERT(result.reason != errc{} || result.bytes_missing > 0, "without a reason, something is missing");
    return result;
}

errc decoder::end_of_stream(const window& bytes) const noexcept {
    if (const verdict result = examine(bytes); result.reason != errc{}) return result.reason;
    return bytes.empty() ? errc::end_of_stream : errc::truncated;
}

}  // namespace mnet::inline v1::wire
