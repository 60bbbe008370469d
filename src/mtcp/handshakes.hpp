// How many TLS handshakes a loop lets go on at the same time: `handshakes_max`. Where there are as many, the oldest whose peer has not sent a
// byte for a moment makes room; where all have, accepting waits. So neither silent connections nor a crowd of them keep a client out.
//
// Thread: the accepting loop's, but for the tickets' two flags, which the thread of the connection sets.
#pragma once
#include "mtcp/inbox.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>

namespace mnet::inline v1::mtcp::detail {

class worker;

/// What a connection that shakes hands and the loop that accepted it both hold.
struct handshake_ticket {
    worker* host;                    // the connection's; there as long as its inbox takes posts
    std::shared_ptr<inbox> mail;     // of it
    std::uint64_t connection;        // its id
    std::chrono::nanoseconds begun;  // by the accepting loop's clock
    std::atomic<bool> heard = false;
    std::atomic<bool> over = false;
};

class handshakes {
public:
    explicit handshakes(std::size_t at_a_time_max) noexcept : max_(at_a_time_max) {}

    /// Whether another one may begin.
    bool has_room(std::chrono::nanoseconds now);

    /// One begins; nullptr when there is no memory for it.
    std::shared_ptr<handshake_ticket> begin(worker& host, std::uint64_t connection, std::chrono::nanoseconds now) noexcept;

private:
    std::size_t max_;
    std::list<std::shared_ptr<handshake_ticket>> going_on_{};  // and some that are over, the oldest first
};

}  // namespace mnet::inline v1::mtcp::detail
