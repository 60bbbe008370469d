// What happens to a message that finds its client at its bound: more than `unsent_bytes_max` committed, and not yet with the kernel, because the
// peer reads more slowly than it is written to. An option of `listen` and `connect`, and of a single client (`client::set_overload`).
//
//     mtcp::listen({.unsent_bytes_max = 1 << 20, .overload = {.policy = mnet::at_bound::drop_oldest, .marker = "gap"}}, handler);
//
// The same holds for messages that are posted by a `peer` or a broadcast; no broadcast waits for anybody.
//
// Only whole messages are dropped, none that has left in part, and each is counted: `messages_dropped`, of the client and of the network.
// messages_sent = messages that left + messages_dropped + those that are still unsent, or were at the close (`delivery`).
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace mnet::inline v1 {

enum class at_bound : std::uint8_t {
    /// `write` says errc::would_block, and nothing is lost. A per-message handler is not called, and its client not read, until half of the bound
    /// has left. Posts wait as long as the mailbox has room; then `peer::send` says errc::would_block, and a broadcast leaves the client out.
    refuse,

    /// As `refuse`, but for a blocking client's `write`, which waits for `patience` at most: then std::errc::timed_out. A coroutine waits by
    /// `client::async_wait_for_room`.
    block,

    /// The oldest messages that have not begun to leave make room for the new one. Of what is unsent a quarter is offered to the kernel at a time
    /// (at least 4 KiB): that is on its way, and stays; so does what lies in shared memory or is encrypted. A message that finds no room
    /// even so is itself dropped, as by `drop_newest`. A per-message handler is called however slowly its client reads.
    drop_oldest,

    /// The new message is dropped: `write` says errc::message_dropped. A per-message handler is called however slowly its client reads.
    drop_newest,

    /// As `refuse`; and a client whose unsent bytes have been above `soft_bytes` for as long as `patience` is closed, with errc::too_slow. What was
    /// unsent is in the account that `close` gives.
    disconnect,
};

struct overload {
    at_bound policy = at_bound::refuse;

    /// Of `block`: how long a write waits. Of `disconnect`: how long a client may be above `soft_bytes`. 1 ms or more. Default: 5 s.
    std::chrono::milliseconds patience{5'000};

    /// Of `disconnect`: the level above which `patience` runs, in bytes, lengths included. At most `unsent_bytes_max`; 0: half of that. Default: 0.
    std::size_t soft_bytes = 0;

    /// A message that is sent where messages were dropped, one for each gap, so that the reader knows of it; it counts as sent, and is never dropped
    /// itself. It comes on top of the bound. At most `message_bytes_max`, and cut to that. Copied by the call that gets it. Default: none.
    std::optional<std::string_view> marker{};
};

static_assert(std::is_trivially_destructible_v<overload>);  // may stand in a co_await expression (docs/adr/0003)

}  // namespace mnet::inline v1
