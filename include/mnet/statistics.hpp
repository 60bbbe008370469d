// What a client and a network have done so far, counted where it happens. Every counter starts at 0, only grows, and is exact when read
// on the client's own thread; from another thread it may lag.
//
// A message is counted as sent when it is *committed*, as received when a read (or the handler call) *gave it to the user*. Bytes are
// payload bytes: the 4 bytes of each length come on top, and are in the two wire counters.
#pragma once
#include <cstdint>
#include <optional>

namespace mnet::inline v1 {

struct client_statistics {
    std::uint64_t messages_sent = 0;       // committed
    std::uint64_t payload_bytes_sent = 0;  // of these
    std::uint64_t messages_received = 0;   // given to the user
    std::uint64_t payload_bytes_received = 0;
    std::uint64_t wire_bytes_sent = 0;      // taken by the kernel, lengths included; of TLS its records
    std::uint64_t wire_bytes_received = 0;  // taken from the kernel, lengths included
    std::uint64_t unsent_bytes = 0;         // committed and not yet taken by the kernel: a level, not a count
    std::uint64_t writes_refused = 0;       // times that `write`, or a post, said would_block; or timed_out, where it waits
    std::uint64_t pauses = 0;               // times that reading stopped because of unsent bytes (per-message handlers)
    std::uint64_t reconnects = 0;           // successful ones
    std::uint64_t messages_dropped = 0;     // at the bound (mnet/overload.hpp); counted as sent, too
    std::uint64_t payload_bytes_dropped = 0;
    std::uint64_t gaps = 0;  // places where these were, one after the other; with a marker each, where one was asked for
};

/// What a network's loops and clients have done; or one loop, where it is asked. Clients that are gone are included.
struct network_statistics {
    std::uint64_t clients = 0;           // there now: a level
    std::uint64_t clients_accepted = 0;  // including those that are gone
    std::uint64_t clients_refused = 0;   // turned away: clients_max; or no memory or thread for them (of TLS these count as accepted, too)
    std::uint64_t clients_failed = 0;    // ended by anything but end_of_stream or our own close
    std::uint64_t accept_pauses = 0;     // times that accepting stopped for want of descriptors or memory
    std::uint64_t handlers_threw = 0;
    std::uint64_t handshakes = 0;                         // TLS: those that were done, resumed ones included
    std::uint64_t handshakes_failed = 0;                  // and those that were not
    std::uint64_t handshakes_resumed = 0;                 // with the session of an earlier connection
    std::uint64_t handshake_pauses = 0;                   // times that accepting waited: handshakes_max, handshakes_per_second_max
    std::uint64_t reloads = 0;                            // of the certificates
    std::uint64_t reloads_failed = 0;                     // the old ones stayed in use: network::reload_error says why
    std::optional<std::int64_t> certificate_days_left{};  // until the first certificate expires; nothing without TLS
    std::uint64_t messages_sent = 0;                      // as in client_statistics, summed
    std::uint64_t payload_bytes_sent = 0;
    std::uint64_t messages_received = 0;
    std::uint64_t payload_bytes_received = 0;
    std::uint64_t wire_bytes_sent = 0;
    std::uint64_t wire_bytes_received = 0;
    std::uint64_t writes_refused = 0;
    std::uint64_t pauses = 0;
    std::uint64_t messages_dropped = 0;
    std::uint64_t payload_bytes_dropped = 0;
    std::uint64_t gaps = 0;
    std::uint64_t clients_too_slow = 0;       // closed with errc::too_slow; of clients_failed
    std::uint64_t overloaded_client = 0;      // the id of the client that met its bound last; 0: none has
    std::uint64_t system_calls = 0;           // made by the network's loops
    std::uint64_t memory_requests = 0;        // times that the loops' pools of message memory asked the system for some
    std::uint64_t memory_in_use_bytes = 0;    // what these pools have lent to clients: a level
    std::uint64_t memory_retained_bytes = 0;  // what they keep for the next client: a level
};

/// What became of what was committed on a connection. `client::close` gives it, `client::delivered` and an observer tell it of every end.
///
/// Each message that was committed since the connection was made, and not dropped by its overload policy, is in exactly one of three accounts.
/// Bytes are wire bytes, lengths included; of TLS its records.
///   acknowledged     the peer's kernel has confirmed all of it (SIOCOUTQ, tcp(7)). What it does with it then, and whether its program reads it
///                    before it ends, no transport can know.
///   unacknowledged   all of it is with our kernel, or may be (a send that io_uring has not answered), and the peer's has not confirmed it: it may
///                    have arrived, or not. Messages that were sent together are known together: where the confirmation ends among them, all of
///                    them count here, so this is the most that can be missing (of a window at the most: 256 KiB).
///   unsent           it never left, or only in part: the peer can't have read it.
/// So the peer has received at least `messages_acknowledged`, and read at most these and `messages_unacknowledged`, the first ones first.
///
/// Over a Unix socket, what has left is acknowledged: it lies with the peer's socket. In shared memory the same holds while the peer lives; of a
/// peer that is gone, what it was not through with is unacknowledged.
struct delivery {
    std::uint64_t messages_acknowledged = 0;
    std::uint64_t messages_unacknowledged = 0;
    std::uint64_t messages_unsent = 0;
    std::uint64_t bytes_acknowledged = 0;
    std::uint64_t bytes_unacknowledged = 0;
    std::uint64_t bytes_unsent = 0;
    std::uint64_t bytes_unread = 0;  // the other way: arrived in this process until the close had ended, and thrown away
    bool pending = false;            // the connection is open, or its close goes on elsewhere: this is what is known by now

    /// No message is missing at the peer's kernel.
    bool complete() const noexcept { return !pending && messages_unacknowledged == 0 && messages_unsent == 0; }
};

/// What `network::stop` did.
struct farewell {
    std::uint64_t clients_drained = 0;          // got all that was committed for them
    std::uint64_t clients_cut = 0;              // closed by the deadline with bytes unsent, or messages unacknowledged
    std::uint64_t bytes_cut = 0;                // what was unsent
    std::uint64_t messages_cut = 0;             // and messages: delivery::messages_unsent, summed
    std::uint64_t messages_unacknowledged = 0;  // as in delivery, summed
    std::uint64_t bytes_unread = 0;             // as in delivery: what had arrived from clients, and nobody read
    std::uint64_t handlers_left = 0;            // blocking handlers that had not returned; their threads end with the handler
    bool complete() const noexcept { return clients_cut == 0 && handlers_left == 0; }
};

}  // namespace mnet::inline v1
