// A handle to a client from elsewhere: from another thread, another client's handler, a timer. What `client::others` and
// `client::self` give. It neither keeps the client open nor notices by itself when it ends: `live` tells.
//
// Thread: any; a peer may be copied and kept as long as one likes, past its client and its network.
#pragma once
#include <mnet/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace mnet::inline v1 {

namespace detail {
class mailbox;
}  // namespace detail

class MNET_API peer {
public:
    /// Of nobody: not live, id 0.
    peer() noexcept = default;

    /// Posts a message: copies it, and its client's own loop sends it, in order with other posts of the same thread.
    ///
    /// Errors: errc::already_closed; errc::message_too_large; errc::would_block, or errc::message_dropped where the client drops the newest, when
    /// posts not yet taken over plus this one exceed the client's `unsent_bytes_max` (an empty mailbox takes one message of any size). Nothing was
    /// posted then. A client that drops the oldest drops the oldest post. What was posted and is at the client's bound then is up to its
    /// `overload`.
    result<> send(std::span<const std::byte> bytes) const;
    result<> send(std::string_view text) const { return send(std::as_bytes(std::span(text))); }

    /// Asks the client's own loop to close it, and returns at once.
    void close() const;

    bool live() const noexcept;

    /// The id of its client; 0 for nobody.
    std::uint64_t id() const noexcept;

    friend bool operator==(const peer&, const peer&) noexcept = default;

private:
    friend class client;
    explicit peer(std::shared_ptr<detail::mailbox> box) noexcept;

    std::shared_ptr<detail::mailbox> box_{};
};

}  // namespace mnet::inline v1
