// A server: `listen` opens an address and calls a handler for its clients; the `network` it gives is the running server.
//
// The handler's type chooses among three shapes (docs/architecture.md):
//
//     [](mnet::client& client, mnet::message message) noexcept { ... }      one call per message, on the client's loop: the fastest
//     mnet::task<mnet::result<>> handler(mnet::client& client)              a coroutine per client, on the client's loop
//     mnet::result<> handler(mnet::client& client)                          blocking: a thread per client
//
// A client is closed, drained, when its handler ends; what a handler returns is why. A handler that throws closes its own client only.
// A peer that finished sending still gets its answers. With several loops, or the blocking shape, a handler runs on several threads at
// the same time; what it shares it must guard.
//
// Lifetime: the client of a handler call is the network's. A per-message handler keeps no reference to it past the call; whoever wants to
// reach it later takes a `self()`.
#pragma once
#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>
#include <mnet/statistics.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace mnet::inline v1::mtcp {

namespace detail {
class network_core;

using message_handler = std::move_only_function<void(client&, message) noexcept>;
using coroutine_handler = std::move_only_function<task<result<>>(client&)>;
using blocking_handler = std::move_only_function<result<>(client&)>;
using any_handler = std::variant<message_handler, coroutine_handler, blocking_handler>;

/// The shape of a handler, by its type.
template <typename Handler>
any_handler make_handler(Handler handler) {
    if constexpr (std::is_invocable_v<Handler&, client&, message>) {
        static_assert(std::is_nothrow_invocable_v<Handler&, client&, message>, "a per-message handler must be noexcept");
        return message_handler(std::move(handler));
    } else {
        using outcome = std::invoke_result_t<Handler&, client&>;
        static_assert(std::is_same_v<outcome, task<result<>>> || std::is_same_v<outcome, result<>>,
                      "a handler returns result<> or task<result<>>");
        using shape = std::conditional_t<std::is_same_v<outcome, result<>>, blocking_handler, coroutine_handler>;
        return shape(std::move(handler));
    }
}
}  // namespace detail

/// How long `stop` drains when it isn't told.
inline constexpr mnet::deadline stop_within_5_seconds = within(std::chrono::seconds(5));

struct stop_options {
    /// When `stop` returns at the latest. Default: in 5 s.
    mnet::deadline deadline = stop_within_5_seconds;

    /// Clients are told to end one after the other, evenly over so much time, those that came first first; until then they are served as ever.
    /// So a crowd does not come back at once, to whoever is there instead. At most three quarters of the time to the deadline. Default: 0, all
    /// at once.
    std::chrono::nanoseconds over{0};
};

class [[nodiscard]] MNET_API network {
public:
    network(network&&) noexcept;
    network& operator=(network&&) noexcept;

    /// Stops, where that was not done, as `stop()` does.
    ~network();

    /// Where it listens, its port resolved: `127.0.0.1:5050`, `tls://127.0.0.1:5050`, `unix:///run/a.sock`.
    std::string address() const;

    /// How its loops talk to the kernel: "epoll", "uring". The loops of blocking handlers' threads may do otherwise (`client::engine`).
    std::string_view engine() const noexcept;

    /// Why that is so, in words: "the faster one for many clients", "no io_uring: io_uring_setup: Operation not permitted (...)".
    std::string_view engine_reason() const noexcept;

    /// How clients of the same host come, in words: "in shared memory, those of the same user", "over the network: shared memory is off".
    std::string_view sharing_reason() const noexcept;

    network_statistics statistics() const;

    /// Reads the files of `listen_options.tls` again, as happens by itself when they change: new clients get what they hold now, and nobody is
    /// dropped. On an error the old ones stay in use. From any thread.
    /// Errors: as `tls::server`; std::errc::operation_not_supported (no TLS). `words`, where given, gets the file, the reason and what to do.
    result<> reload_certificates(std::string* words = nullptr);

    /// Why the last reload failed, in words; empty when it did not.
    std::string reload_error() const;

    /// Which client's TLS handshake failed last, and why, in words; empty when none did.
    std::string handshake_error() const;

    /// Posts a message to every client, as `peer::send` does for each; the bytes are copied once. Gives how many clients it was posted to;
    /// those at their bound are left out, by their `overload` (mnet/overload.hpp). Waits for none. From any thread.
    std::size_t broadcast(std::span<const std::byte> bytes);
    std::size_t broadcast(std::string_view text) { return broadcast(std::as_bytes(std::span(text))); }

    /// Ends accepting, tells handlers, drains what is committed, closes, and returns by the deadline, always, with an account of what was cut.
    /// From any thread but the network's own; further calls give the same account.
    ///
    /// A handler is told by std::errc::operation_canceled: of a read that waits, or of the next one that would have to. What it sends then, its
    /// last words, is drained, too. A per-message handler is not called any more: what has arrived for it and was not read is counted
    /// (farewell::bytes_unread), and the peer's last words don't reset what it is sent.
    farewell stop(mnet::deadline deadline = stop_within_5_seconds);
    farewell stop(const stop_options& how);

    /// Waits until the network was stopped by another thread, or until `op` says otherwise.
    /// Errors: std::errc::timed_out, std::errc::operation_canceled.
    result<> wait(const operation& op = {});

private:
    friend class network_access;
    explicit network(std::shared_ptr<detail::network_core> core) noexcept;

    std::shared_ptr<detail::network_core> core_;
};

/// Opens the address and starts serving. Errors: that of `options.tls`; std::errc::invalid_argument (tls:// without certificates, TLS for shm://, or
/// with shared memory required); errc::invalid_address; the resolver's (std::errc::host_unreachable when a name has no
/// address); the kernel's (address_in_use, permission_denied, ...); of `engine::uring`, the kernel's with a message that says why it is refused.
MNET_API result<network> listen(const listen_options& options, detail::any_handler handler);

template <typename Handler>
    requires std::is_invocable_v<Handler&, client&, message> || std::is_invocable_v<Handler&, client&>
result<network> listen(const listen_options& options, Handler handler) {
    return listen(options, detail::make_handler(std::move(handler)));
}

}  // namespace mnet::inline v1::mtcp
