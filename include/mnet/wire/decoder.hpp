// Cuts a stream of bytes into messages (frame.hpp). Knows no socket, clock or thread: bytes go in, messages come out, and the same bytes
// give the same messages however they were cut.
//
// The bytes stay where they are; a message is a view of them. The owner of the window keeps them in place until the message was used, and
// refills behind them. What arrives costs no memory here: a bound is checked before anything is reserved for a length.
//
// Thread: one at a time for a decoder.
#pragma once
#include <mnet/error.hpp>
#include <mnet/export.hpp>
#include <mnet/wire/frame.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace mnet::inline v1::wire {

/// Bytes that have arrived and were not cut yet, oldest first. `begin` is never behind `end`; both nullptr is an empty window.
struct window {
    const std::byte* begin = nullptr;
    const std::byte* end = nullptr;

    std::size_t size() const noexcept { return static_cast<std::size_t>(end - begin); }
    bool empty() const noexcept { return begin == end; }
};

struct decoded {
    enum class kind : std::uint8_t { message, needs_more, corrupt } what;
    std::span<const std::byte> payload{};  // message: borrowed from the window
    std::size_t bytes_missing = 0;         // needs_more: so many until the header, or with a whole header the frame, is there; never 0
    errc reason{};                         // corrupt: and from now on always
};

class MNET_API decoder {
public:
    /// Accepts payloads of up to `message_bytes_max` bytes; more than `length_max` counts as `length_max`.
    explicit decoder(std::size_t message_bytes_max) noexcept;

    /// Cuts the first frame off the front of `bytes` and gives its payload: `bytes.begin` moves behind it. Otherwise `bytes` stays as it is:
    /// - needs_more: no whole frame is there. Call again when `bytes_missing` more have arrived behind; earlier is allowed.
    /// - corrupt: the next length is above the bound. The reason is errc::message_too_large, or, when no message came before it,
    ///   errc::peer_speaks_tls, errc::peer_speaks_http or errc::unexpected_proxy_header where the bytes say so. Sticky: every later call
    ///   says the same, whatever the window.
    ///
    /// Cost: about 2 ns a message, any size.
    decoded next(window& bytes) noexcept {
        if constexpr (MNET_CHECKED != 0) check(bytes);
        const std::size_t available = bytes.size();
        if (available >= header_bytes) [[likely]] {
            const std::uint32_t length = load_length(bytes.begin);
            if (length < refused_from_ && length <= available - header_bytes) [[likely]] {
                const std::byte* const payload = bytes.begin + header_bytes;
                bytes.begin = payload + length;
                ++messages_;
                payload_bytes_ += length;
                if constexpr (MNET_CHECKED != 0) check(bytes);
                return {.what = decoded::kind::message, .payload = {payload, length}};
            }
        }
        if (available == 0 && refused_from_ != 0) return {.what = decoded::kind::needs_more, .bytes_missing = header_bytes};
        const verdict other = without_message(bytes);
        if (other.reason != errc{}) return {.what = decoded::kind::corrupt, .reason = other.reason};
        return {.what = decoded::kind::needs_more, .bytes_missing = other.bytes_missing};
    }

    /// Whether `next` would say something else than needs_more.
    bool ready(const window& bytes) const noexcept {
        if (bytes.size() < header_bytes) return refused_from_ == 0;
        const std::uint32_t length = load_length(bytes.begin);
        return length >= refused_from_ || length <= bytes.size() - header_bytes;
    }

    /// What it means that the stream ends behind `bytes`, which hold no whole message any more (`next` said so):
    /// errc::end_of_stream between two frames, errc::truncated inside one, and the reason of a corrupt stream.
    errc end_of_stream(const window& bytes) const noexcept;

    /// As at the beginning, for another stream; the counts go on.
    void restart() noexcept;

    /// Messages cut so far, and the bytes of their payloads: headers not counted.
    std::uint64_t messages() const noexcept { return messages_; }
    std::uint64_t payload_bytes() const noexcept { return payload_bytes_; }

    /// The bound in force.
    std::size_t message_bytes_max() const noexcept { return message_bytes_max_; }

private:
    struct verdict {
        std::size_t bytes_missing;  // when there is no reason
        errc reason;                // errc{}: needs more
    };

    void check(const window& bytes) const noexcept;  // asserts what holds before and after every cut
    verdict examine(const window& bytes) const noexcept;
    verdict without_message(window bytes) noexcept;  // by value: the caller's window can stay in registers

    std::uint64_t messages_ = 0;
    std::uint64_t payload_bytes_ = 0;
    std::uint32_t message_bytes_max_;
    std::uint32_t refused_from_;  // message_bytes_max_ + 1; 0 when corrupt, so that even an empty frame leaves the short way through `next`
    errc corrupt_{};
    std::uint32_t messages_before_ = 0;  // of other streams: the low half tells whether this one has had any
};

}  // namespace mnet::inline v1::wire
