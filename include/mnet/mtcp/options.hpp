// The options of `listen` and `connect`: aggregates for designated initialisers, every field with its effect, unit, range and default.
//
// A value outside its range is brought to the nearest one inside it. Fields of the same name mean the same in both.
#pragma once
#include <mnet/budget.hpp>
#include <mnet/error.hpp>
#include <mnet/observer.hpp>
#include <mnet/overload.hpp>
#include <mnet/tls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace mnet::inline v1::mtcp {

inline constexpr std::size_t default_message_bytes_max = std::size_t{16} << 20;
inline constexpr std::size_t default_unsent_bytes_max = std::size_t{8} << 20;

/// How a loop talks to the kernel. `automatic` is what the environment variable MNET_ENGINE names (auto, epoll, uring); else, for a server
/// and a `loop`, io_uring where the kernel allows it and epoll where not; for a client with a thread of its own epoll. `uring` where it is
/// refused is an error, whose message says why.
enum class engine : std::uint8_t { automatic, epoll, uring };

/// Whether a client and a server of the same host share memory, in place of the TCP connection that was asked for: a message is then handed
/// over in place, whatever its size. `automatic` does where both sides can and may: same user (or one that is named), this host, and not too
/// many clients; else it goes on over TCP, and `client::explain` says why: so it does where the server has not answered for a second, because it
/// is busy or stopped. `required` makes that an error, and waits for the answer until `dial_timeout`, as an address of shm:// does. The environment
/// variable MNET_SHARED_MEMORY (auto, off, required) says what `automatic` means.
///
/// A message that was read lies in memory that the peer can write: a peer of the same user that breaks its own rules can change it while it
/// is being read, as it could change this process with a debugger. Who doesn't trust a peer of his own user copies first (`message::to_vector`).
enum class sharing : std::uint8_t { automatic, off, required };

/// In which order the addresses of a list are tried, each time anew.
enum class address_order : std::uint8_t { as_given, shuffled };

/// What a client does whose connection is lost: by an error, by the peer's end, or because it was silent for too long. What breaks the protocol, such as
/// a peer that speaks HTTP, is final under each of them.
///
/// `none`: nothing; what ended the connection is told from then on, and `client::reconnect` makes a new one.
///
/// The others connect again by themselves, inside of the waits and writes of a blocking client, and on the loop of a coroutine's. In both
///   - reads give all that had arrived, then wait until the connection is there again, and then say errc::reconnected, once: here the answers
///     to what was asked before end;
///   - nothing is sent twice. What was committed before the loss and may not have arrived is counted: `client::last_delivery`;
///   - what the new connection carries begins with a whole message, and is in order; a server that was slow to read the lost one may read its rest
///     later;
///   - an unread message holds the return up, so that it can be read.
/// `fail_fast`: while it is away, writes and flushes fail at once with errc::reconnecting; once it is there again, the first
/// write says errc::reconnected, if no read has said it: what is written from then on goes to the new connection.
/// `buffer`: while it is away, writes are kept, and sent on return; so are whole messages that had not begun to leave. A flush waits.
enum class reconnect_policy : std::uint8_t { none, fail_fast, buffer };

/// Before each try it waits, for a time that is drawn evenly between nothing and a bound which doubles with each try that failed, so that clients who
/// lose a server together do not come back together ("full jitter": Marc Brooker, "Exponential Backoff And Jitter", AWS, 2015). Each try resolves
/// the names anew, goes through all addresses, and takes `dial_timeout` at most.
struct reconnect_options {
    reconnect_policy policy = reconnect_policy::none;

    /// The bound of the first wait. At least 1 ms. It applies again once a connection has brought a message, or lasted for `delay_max`. Default: 250 ms.
    std::chrono::milliseconds delay_first{250};
    /// What the bound grows to. At least `delay_first`. Default: 30 s.
    std::chrono::milliseconds delay_max{30'000};
    /// Away for longer, the client is lost for good, with the error of the last try. 0: it never gives up. Default: 0.
    std::chrono::milliseconds give_up_after{0};

    /// buffer: bound on what is kept, lengths included; above it `write` says errc::would_block. As of `unsent_bytes_max`, one message fits whenever it
    /// is not exceeded. Default: 8 MiB.
    std::size_t buffer_bytes_max = default_unsent_bytes_max;
    /// buffer: what is older than this on return is dropped, and counted in `last_delivery`, within a sixteenth. Default: 30 s.
    std::chrono::milliseconds buffer_age_max{30'000};
};

struct connect_options {
    /// From the call to an open connection: resolving and all attempts together. Default: 10 s, or `dead_after` when that is set and
    /// shorter.
    std::chrono::milliseconds dial_timeout{10'000};

    /// Of several addresses, "host1:5050,host2:5050": `shuffled` spreads clients over servers that are alike. Default: as given.
    address_order order = address_order::as_given;

    /// What becomes of the client when its connection is lost. The first connect is not repeated. Default: nothing.
    reconnect_options reconnect{};

    /// The one duration from which the deadlines of a connection derive that nobody gave a value of its own: a peer that is silent for so long is
    /// taken for dead (`keep_alive`, `user_timeout`), and what has begun ends within it (`message_timeout`, `handshake_timeout`, `dial_timeout`).
    /// A dead peer is noticed within it and a fifth more, from 5 s on; below, within it and a second more. At least 1 s; 0: as the kernel does by
    /// itself, which may take a quarter of an hour, or for ever. Default: 0.
    std::chrono::milliseconds dead_after{0};

    /// An idle peer is asked whether it is still there (tcp(7), TCP_KEEPIDLE), and lost with errc::peer_silent when it did not answer for so long. TCP
    /// only; in whole seconds. At least 1 s; 0: never asked. Default (nothing): `dead_after`.
    std::optional<std::chrono::milliseconds> keep_alive{};

    /// The peer is lost with errc::peer_silent when bytes that were sent are not acknowledged for so long (TCP_USER_TIMEOUT, RFC 5482), also because its
    /// program reads nothing and its buffers are full: 0 where readers may rest for longer. TCP only. 0: as the kernel does by itself.
    /// Default (nothing): `dead_after`.
    std::optional<std::chrono::milliseconds> user_timeout{};

    /// A message whose first byte has arrived has to be whole so soon, else the connection ends with errc::message_too_slow. Only time in which this
    /// side waits for the rest counts. Noticed up to an eighth later. At least 20 ms; 0: however long it takes. Default (nothing): `dead_after`.
    std::optional<std::chrono::milliseconds> message_timeout{};

    /// The longest message, in payload bytes, that is taken in or sent out. A longer length that arrives ends the connection with
    /// errc::message_too_large before anything is reserved. 0 to 208 MiB - 1. Default: 16 MiB.
    std::size_t message_bytes_max = default_message_bytes_max;

    /// Bound on the bytes of a client that are committed and not yet with the kernel, lengths included. Above it `write` says
    /// errc::would_block, and a per-message handler's client is not read until half of it has left, where `overload` doesn't say
    /// otherwise. One message of any allowed size fits whenever the bound is not exceeded, so a client's memory stays below this bound
    /// plus one message. Default: 8 MiB.
    std::size_t unsent_bytes_max = default_unsent_bytes_max;

    /// What happens to a message at that bound. Default: it is refused.
    mnet::overload overload{};

    /// Shared with other clients (mnet/budget.hpp): together they have no more unsent than this allows. Borrowed until the call has ended. Default:
    /// none.
    const mnet::budget* budget = nullptr;

    /// How long a thread that waits for input polls before it sleeps. Being woken costs tens of microseconds, polling costs up to a whole
    /// core of CPU while it lasts. 0 to 1 s; 0 sleeps at once. Default (nothing): 50 us after something happened, where a thread serves at
    /// most 8 clients and the machine has more than one processor; else 0.
    std::optional<std::chrono::microseconds> spin{};

    /// The engine of a loop of its own; `async_connect` has the loop's. Default: automatic.
    mtcp::engine engine = mtcp::engine::automatic;

    sharing shared_memory = sharing::automatic;
    /// A server of this user is trusted with shared memory, beside those of one's own. Default: none.
    std::optional<unsigned> shared_memory_user{};

    /// TLS, and whom to believe (`tls::client`); it has to live until the connect has ended, and no longer. No memory is shared then. Default:
    /// none; an address of tls:// without it believes the system's authorities.
    const tls::client_settings* tls = nullptr;

    /// Of a TLS connection, within `dial_timeout`: from the open TCP connection to the end of the handshake. At least 1 ms. Default: 10 s, or
    /// `dead_after` when that is set and shorter.
    std::chrono::milliseconds handshake_timeout{10'000};

    /// Gets the particulars, as a person wants to read them, where the handshake fails: since when a certificate is expired, which name was asked
    /// for and which found; or where memory is required and can't be shared. It has to live until the connect has ended. Default: nobody wants them.
    std::string* words = nullptr;

    /// Is told what happens to the client (mnet/observer.hpp); outlives it. Default: nobody.
    mnet::observer* observer = nullptr;
};

static_assert(std::is_trivially_destructible_v<connect_options>);  // may stand in a co_await expression (docs/adr/0003)

struct listen_options {
    /// Where to listen (mnet/address.hpp); port 0 lets the kernel choose. A name is resolved, and the first address that can be bound is
    /// taken. Default: a port of the kernel's choice on the loopback address.
    std::string address{"localhost:0"};

    /// Worker threads, each with an event loop and a listening socket of its own. The kernel spreads clients over them; a handler is then
    /// called from all these threads. Blocking handlers have threads of their own, and use the loops for accepting only.
    /// 1 to 1024; 0: as many as there are processors. Default: 1.
    unsigned loops = 1;

    /// Clients at the same time; those beyond are accepted, closed at once and counted. At least 1. Default: 100,000.
    std::size_t clients_max = 100'000;

    std::chrono::milliseconds dead_after{0};
    std::optional<std::chrono::milliseconds> keep_alive{};
    std::optional<std::chrono::milliseconds> user_timeout{};
    std::optional<std::chrono::milliseconds> message_timeout{};
    std::size_t message_bytes_max = default_message_bytes_max;
    std::size_t unsent_bytes_max = default_unsent_bytes_max;
    mnet::overload overload{};
    const mnet::budget* budget = nullptr;
    std::optional<std::chrono::microseconds> spin{};
    mtcp::engine engine = mtcp::engine::automatic;

    /// `required`: `listen` fails where the place to meet clients can't be had.
    sharing shared_memory = sharing::automatic;

    /// Clients that share memory at the same time; those beyond come over TCP. Each costs address space, and some pages of memory where TCP
    /// costs less than one. Default: 64.
    std::size_t shared_memory_clients_max = 64;

    /// Memory for large messages (from 8 KiB on) on their way, of a client and in each direction: what fits is handed over in place, what
    /// doesn't is copied. Pages are resident only while large messages use them. 0 to 127 MiB. Default: 32 MiB.
    std::size_t shared_memory_bytes_max = std::size_t{32} << 20;

    /// Clients of these users are trusted with shared memory, beside those of one's own. Default: none.
    std::vector<unsigned> shared_memory_users{};

    /// TLS for every client, with these certificates: `.tls = mnet::tls::server({.certificate = "server.pem", .key = "server.key"})`; `listen`
    /// gives the error where that is one. No memory is shared then. Default: none.
    result<tls::server_settings> tls{};

    std::chrono::milliseconds handshake_timeout{10'000};

    /// TLS handshakes at the same time, of each loop. One begins with the client's first bytes; when there are as many, clients wait. Four times as many
    /// connections may be silent (but no more than half of `clients_max`, where that is more than this): then the oldest that has not sent a byte for
    /// 100 ms is cut for the next one. A blocking handler's thread begins with the first bytes, too.
    /// At least 1. Default: 256.
    std::size_t handshakes_max = 256;

    /// TLS handshakes that begin in a second, of each loop, a tenth of them at once: so much of a loop's time a crowd of new clients can take from
    /// those that are connected (a full handshake costs some 0.4 ms of it with an EC key; with RSA 3 ms: 200 a second are plenty there). Above it
    /// clients wait, up to the handshake's deadline; who never sends a byte does not count.
    /// 1 to 10^9. Default: 1000.
    std::size_t handshakes_per_second_max = 1000;

    /// Is told what happens to the network's clients (mnet/observer.hpp); outlives the network. Default: nobody.
    mnet::observer* observer = nullptr;
};

}  // namespace mnet::inline v1::mtcp
