// Messages on their way to a client from other threads: what stands behind a `peer`. Posts wait here, bounded in bytes, until the client's
// own loop takes them over; a bell tells that loop. Knows no loop and no transport.
//
// Thread: the first group of functions from any; the second on the client's own.
#pragma once
#include <mnet/error.hpp>
#include <mnet/overload.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace mnet::inline v1::detail {

class unsent_account;

/// Shared by all mailboxes that a broadcast went to.
using posted_message = std::shared_ptr<const std::vector<std::byte>>;

/// A copy of these bytes, charged to the budget (if not null) as long as it lives.
posted_message make_posted_message(std::span<const std::byte> bytes, const std::shared_ptr<unsent_account>& budget);

class mailbox;

/// How a loop learns that one of its mailboxes has something. From any thread; may outlive the loop, and then does nothing.
class bell {
public:
    bell() = default;
    bell(const bell&) = delete;
    bell& operator=(const bell&) = delete;
    virtual ~bell() = default;
    virtual void ring(std::shared_ptr<mailbox> box) noexcept = 0;
};

class mailbox : public std::enable_shared_from_this<mailbox> {
public:
    struct bounds {
        std::size_t posted_bytes_max;
        std::size_t message_bytes_max;
        std::shared_ptr<unsent_account> budget{};  // null: none
    };

    /// Posts that were dropped one after the other.
    struct lost {
        std::uint64_t messages = 0;
        std::uint64_t payload_bytes = 0;
    };

    struct post_taken {
        posted_message message{};  // null: there is none
        lost before{};             // dropped in front of it
    };

    mailbox(std::uint64_t id, const bounds& limits, std::shared_ptr<bell> bell, at_bound policy = at_bound::refuse) noexcept;

    std::uint64_t id() const noexcept { return id_; }
    bool live() const;
    const bounds& limits() const noexcept { return bounds_; }

    /// Errors: already_closed, message_too_large; at the bound, by the policy: would_block, message_dropped.
    result<> post(posted_message message);
    void request_close();

    // The client's own thread:

    /// From now on a new post rings again. Call before taking. Gives how many posts were refused since the last call.
    std::uint32_t answered();

    /// The oldest post.
    post_taken take();

    /// A post that could not be sent yet goes back to the front: the one that was taken last. Takes no memory.
    void put_back(posted_message message);

    void set_policy(at_bound policy);

    bool close_requested() const;
    bool is_shut() const;

    /// No post is taken any more; what waited is dropped.
    void shut();

    /// The bell's, under its own lock: a mailbox that rang waits in a list there, once.
    struct rung {
        std::shared_ptr<mailbox> next{};
        bool waits = false;
    };
    rung at_bell{};

private:
    result<> meet_bound(std::size_t payload_bytes);
    posted_message first();
    void ring_once(std::unique_lock<std::mutex> lock);

    const std::uint64_t id_;
    const bounds bounds_;
    const std::shared_ptr<bell> bell_;
    mutable std::mutex mutex_;
    at_bound policy_;
    std::vector<post_taken> posts_{};
    lost behind_{};  // dropped behind the last of them
    std::uint32_t refused_ = 0;
    std::size_t taken_ = 0;  // posts_ before this index are gone
    std::size_t posted_bytes_ = 0;
    bool rung_ = false;
    bool shut_ = false;
    bool close_requested_ = false;
};

}  // namespace mnet::inline v1::detail
