// Which TLS handshakes a loop lets begin: no more at the same time than `handshakes_max`, and no more a second than `handshakes_per_second_max`. Where
// that is used up, the oldest whose peer has not sent a byte for a moment makes room, place and token; where all have, accepting waits. So
// neither silent connections nor a crowd of them keep a client out, and no crowd of clients takes the loop from those that are connected.
//
// Thread: the accepting loop's, but for the tickets' two flags, which the thread of the connection sets.
#pragma once
#include "base/token_bucket.hpp"
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
    handshakes(std::size_t at_a_time_max, std::uint64_t per_second_max) noexcept;

    /// How long until another one may begin; 0 when it may.
    std::chrono::nanoseconds wait(std::chrono::nanoseconds now);

    /// One begins; nullptr when there is no memory for it.
    std::shared_ptr<handshake_ticket> begin(worker& host, std::uint64_t connection, std::chrono::nanoseconds now) noexcept;

private:
    bool has_room(std::chrono::nanoseconds now) const noexcept;
    void forget_those_that_are_over();
    void cut_a_silent_one(std::chrono::nanoseconds now);

    std::size_t max_;
    base::token_bucket tokens_;
    std::list<std::shared_ptr<handshake_ticket>> going_on_{};  // and some that are over, the oldest first
};

}  // namespace mnet::inline v1::mtcp::detail
