// Messages on their way to a client from other threads: what stands behind a `peer`. Posts wait here, bounded in bytes, until the client's
// own loop takes them over; a bell tells that loop. Knows no loop and no transport.
//
// Thread: the first group of functions from any; the second on the client's own.
#pragma once
#include <mnet/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace mnet::inline v1::detail {

/// Shared by all mailboxes that a broadcast went to.
using posted_message = std::shared_ptr<const std::vector<std::byte>>;

class mailbox;

/// How a loop learns that one of its mailboxes has something. From any thread; may outlive the loop, and then does nothing.
class bell {
public:
    bell() = default;
    bell(const bell&) = delete;
    bell& operator=(const bell&) = delete;
    virtual ~bell() = default;
    virtual void ring(std::shared_ptr<mailbox> box) = 0;
};

class mailbox : public std::enable_shared_from_this<mailbox> {
public:
    struct bounds {
        std::size_t posted_bytes_max;
        std::size_t message_bytes_max;
    };

    mailbox(std::uint64_t id, bounds limits, std::shared_ptr<bell> bell) noexcept;

    std::uint64_t id() const noexcept { return id_; }
    bool live() const;

    /// Errors: already_closed, would_block, message_too_large.
    result<> post(posted_message message);
    void request_close();

    // The client's own thread:

    /// From now on a new post rings again. Call before taking.
    void answered();

    /// The oldest post, or nullptr.
    posted_message take();

    /// A post that could not be sent yet goes back to the front.
    void put_back(posted_message message);

    bool close_requested() const;

    /// No post is taken any more; what waited is dropped.
    void shut();

private:
    void ring_once(std::unique_lock<std::mutex> lock);

    const std::uint64_t id_;
    const bounds bounds_;
    const std::shared_ptr<bell> bell_;
    mutable std::mutex mutex_;
    std::vector<posted_message> posts_{};
    std::size_t taken_ = 0;  // posts_ before this index are gone
    std::size_t posted_bytes_ = 0;
    bool rung_ = false;
    bool shut_ = false;
    bool close_requested_ = false;
};

}  // namespace mnet::inline v1::detail
