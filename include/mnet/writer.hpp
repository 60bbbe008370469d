// A writer is room for one message, reserved in place in the client's send window. Fill it, then commit; a writer that is destroyed
// uncommitted takes its reservation back, and the peer never learns of it.
//
// Thread: the client's. Lifetime: ends before the next `write` or `send` on the same client (builds with MNET_CHECKED assert it), and
// before the client itself; a writer kept past `close` is safe, and its commit says already_closed.
#pragma once
#include <mnet/detail/transport.hpp>
#include <mnet/error.hpp>
#include <mnet/wire/frame.hpp>

#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace mnet::inline v1 {

class client;

class [[nodiscard]] writer {
public:
    writer(writer&& other) noexcept
        : transport_(std::exchange(other.transport_, nullptr)),
          room_(other.room_),
          filled_(other.filled_),
          overflowed_(other.overflowed_) {}
    writer& operator=(writer&&) = delete;

    /// Discards what was not committed.
    ~writer() {
        if (transport_ != nullptr) transport_->send.writer_open = false;
    }

    /// The bytes not yet filled, in place: write into them directly, then `advance`.
    std::span<std::byte> space() noexcept { return room_.subspan(filled_); }

    /// Declares that the first `bytes` of `space()` are filled. More than there are is an error that `commit` reports.
    writer& advance(std::size_t bytes) noexcept {
        if (bytes > room_.size() - filled_) {
            overflowed_ = true;
        } else {
            filled_ += bytes;
        }
        return *this;
    }

    /// Copies `bytes` in behind what is already there. More than the room reserved is an error that `commit` reports, so that appends
    /// chain; nothing of these bytes is copied then.
    writer& append(std::span<const std::byte> bytes) noexcept {
        if (bytes.size() > room_.size() - filled_) {
            overflowed_ = true;
        } else if (!bytes.empty()) {
            std::memcpy(room_.data() + filled_, bytes.data(), bytes.size());
            filled_ += bytes.size();
        }
        return *this;
    }
    writer& append(std::string_view text) noexcept { return append(std::as_bytes(std::span(text))); }

    /// Finishes the message with what was filled: it may be shorter than the reservation, and is then sent as short. Nothing is on its
    /// way yet: `flush` (or the next wait) sends it. A writer commits once. Cost: about 1 ns, any size.
    ///
    /// Errors: errc::message_too_large (filled past the reservation; the message is discarded),
    ///         errc::already_closed    (the client closed or reconnected in the meantime, or the writer committed before).
    result<> commit() noexcept {
        detail::transport* const transport = std::exchange(transport_, nullptr);
        if (transport == nullptr) return failure(errc::already_closed);
        detail::send_window& window = transport->send;
        window.writer_open = false;
        if (overflowed_) [[unlikely]]
            return failure(errc::message_too_large);
        std::byte* const header = room_.data() - wire::header_bytes;
        if (header != window.next) [[unlikely]]
            return failure(errc::already_closed);
        wire::store_length(header, static_cast<std::uint32_t>(filled_));
        window.next = room_.data() + filled_;
        ++window.messages;
        return {};
    }

private:
    friend class client;

    writer(detail::transport& transport, std::span<std::byte> room) noexcept : transport_(&transport), room_(room) {
        transport.send.writer_open = true;
    }

    detail::transport* transport_;
    std::span<std::byte> room_;
    std::size_t filled_ = 0;
    bool overflowed_ = false;
};

}  // namespace mnet::inline v1
