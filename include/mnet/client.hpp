// One end of a connection that carries whole messages: what a handler gets, and what `mtcp::connect` gives. Both sides hold this type.
//
//     auto writer = client.write(8);           // 8 bytes reserved in place
//     writer->append("pub help").commit();     // committed, not yet sent
//     client.flush();                          // sent
//     auto reply = client.read();              // a whole message, borrowed
//
// Whatever waits, flushes first: `read`, `async_read`, `wait` and `close` send what is committed before they sleep; a per-message handler's
// output leaves when it returns.
//
// Thread: one at a time; its handler's. Any thread may use a `peer` of it (see `self`), and call `close`.
// Errors that any call but the plain getters can return: errc::already_closed, and what ended the connection (errc::end_of_stream,
// truncated, peer_speaks_..., message_too_large; std::errc::connection_reset, timed_out and others of the kernel). What ended it is
// returned from then on.
#pragma once
#include <mnet/buffer.hpp>
#include <mnet/detail/transport.hpp>
#include <mnet/error.hpp>
#include <mnet/message.hpp>
#include <mnet/operation.hpp>
#include <mnet/overload.hpp>
#include <mnet/peer.hpp>
#include <mnet/statistics.hpp>
#include <mnet/writer.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mnet::inline v1 {

class read_awaiter;
class flush_awaiter;
class room_awaiter;
class close_awaiter;

/// How long `close` drains when it isn't told.
inline constexpr operation close_within_5_seconds{.deadline = within(std::chrono::seconds(5))};

class MNET_API client {
public:
    /// A client that was moved from may only be destroyed or assigned to.
    client(client&& other) noexcept;
    client& operator=(client&& other) noexcept;

    /// Closes, where that was not done: drains as `close()` does.
    ~client();

    // Reading ---------------------------------------------------------------------------------------------------------------------

    /// The next message, if a whole one is there or can be had without waiting. Errors also: errc::no_data_yet; instead of that,
    /// std::errc::operation_canceled once the network stops, so that a polling handler ends.
    /// Cost of a message that is there: about 2 ns.
    result<message> try_read() noexcept {
        wire::decoded next = transport_->decoder.next(transport_->receive);
        if (next.what == wire::decoded::kind::message) [[likely]]
            return message(next.payload, transport_->decoder);
        return try_read_more();
    }

    /// Waits for the next message. Errors also: std::errc::timed_out, std::errc::operation_canceled (both harmless: read again);
    /// errc::blocks_the_loop.
    result<message> read(const operation& op = {}) noexcept {
        wire::decoded next = transport_->decoder.next(transport_->receive);
        if (next.what == wire::decoded::kind::message) [[likely]]
            return message(next.payload, transport_->decoder);
        return read_more(op);
    }

    /// As `read`, for coroutines: `co_await client.async_read()`. One at a time a client.
    read_awaiter async_read(operation op = {}) noexcept;

    /// Waits until `try_read` gives a message, and takes none. Errors: as `read`.
    result<> wait(const operation& op = {}) noexcept;

    // Writing ---------------------------------------------------------------------------------------------------------------------

    /// Room for one message of at most `bytes`, in place. Commit it before the next write. Never waits, but at the bound where it was told to.
    ///
    /// Errors also: errc::would_block (more than `unsent_bytes_max` are unsent), or what else the client does at its bound (mnet/overload.hpp):
    ///              errc::message_dropped, errc::too_slow, and, of `at_bound::block` alone, std::errc::timed_out after a wait;
    ///              errc::message_too_large (more than `message_bytes_max`), std::errc::not_enough_memory.
    result<writer> write(std::size_t bytes) noexcept {
        if (!fits(bytes)) [[unlikely]] {
            if (auto room = transport_->make_room(bytes); !room) return std::unexpected(room.error());
        }
        return open_writer(*transport_, bytes);
    }

    /// Write, append and commit. Errors: as `write`.
    result<> send(std::span<const std::byte> bytes) noexcept {
        detail::send_window& window = transport_->send;
        if (!fits(bytes.size())) [[unlikely]] {
            if (auto room = transport_->make_room(bytes.size()); !room) return room;
        }
        wire::store_length(window.next, static_cast<std::uint32_t>(bytes.size()));
        if (!bytes.empty()) std::memcpy(window.next + wire::header_bytes, bytes.data(), bytes.size());
        window.next += wire::header_bytes + bytes.size();
        ++window.messages;
        return {};
    }
    result<> send(std::string_view text) noexcept { return send(std::as_bytes(std::span(text))); }

    /// Commits a message without copying it: the buffer's memory is what the kernel reads, and goes back to the loop's pool when it was sent.
    /// For payloads from about 64 KiB up; below, a copy costs less. On an error the buffer stays the caller's. Errors: as `write`.
    /// Errors also: std::errc::invalid_argument (the buffer was sent already).
    result<> send(buffer&& payload) noexcept;

    /// A buffer for `send`, out of the loop's pool where it has one: warm memory, that an earlier one gave back.
    /// Errors: std::errc::not_enough_memory.
    result<buffer> make_buffer(std::size_t bytes) noexcept;

    /// Waits until all that is committed is with the kernel. On a loop it can't wait: it sends what the kernel takes at once, and says
    /// errc::would_block when some is left, which the loop sends by itself.
    /// Errors also: std::errc::timed_out, std::errc::operation_canceled.
    result<> flush(const operation& op = {}) noexcept;

    /// As `flush`, for coroutines, where it does wait. One at a time a client.
    flush_awaiter async_flush(operation op = {}) noexcept;

    /// Waits until no more than `unsent_bytes_max` are unsent: then a write finds room. On a loop it can't wait, and says
    /// errc::blocks_the_loop when there is none. Errors also: std::errc::timed_out, std::errc::operation_canceled, errc::reconnecting (away).
    result<> wait_for_room(const operation& op = {}) noexcept;

    /// As `wait_for_room`, for coroutines, where it does wait; once it has to, until half of the bound has left. With `at_bound::block` the deadline
    /// is `overload::patience` where none is given. Not at the same time as `async_flush`.
    room_awaiter async_wait_for_room(operation op = {}) noexcept;

    /// What happens at this client's bound from now on, in place of what its network's or its own options say. Allocates.
    /// Errors: std::errc::not_enough_memory.
    result<> set_overload(const overload& option) noexcept;

    // Ending ----------------------------------------------------------------------------------------------------------------------

    /// Sends all that is committed, half-closes, and waits until the peer's kernel has acknowledged it all, until the deadline at most;
    /// then closes, and tells what was delivered and what was not. Further calls tell the same again.
    ///
    /// On a loop, and from another thread than the client's own, it doesn't wait: it asks the loop or the thread that uses the client to
    /// close, and tells what is known by now. A read that waits there ends with errc::already_closed.
    delivery close(const operation& op = close_within_5_seconds) noexcept;

    /// As `close`, for coroutines, where it does wait.
    close_awaiter async_close(operation op = close_within_5_seconds) noexcept;

    /// Connects anew, now, to the same address or another one; for clients made by `connect`. What was received and not read, and
    /// committed and not sent, is dropped first (`statistics` keeps counting). Errors: as `mtcp::connect`;
    /// std::errc::operation_not_supported (a network's client), errc::blocks_the_loop.
    result<> reconnect(std::string_view address = {});

    /// What became of what was committed when the connection was last lost, for clients that return by themselves (`connect_options::reconnect`):
    /// complete with the return, summed over several losses until a read has told errc::reconnected. Else what `close` has told.
    delivery last_delivery() const noexcept { return transport_->last_delivery(); }

    // Looking ---------------------------------------------------------------------------------------------------------------------

    /// Unique in its network, or among the clients that this process connected; never 0.
    std::uint64_t id() const noexcept { return transport_->id(); }
    /// As mnet/address.hpp writes addresses. Empty once the connection is gone without having been asked before.
    std::string local_address() const { return transport_->local_address(); }
    std::string remote_address() const { return transport_->remote_address(); }
    /// Neither closed on this side nor ended by an error. A peer that finished sending leaves it live: it can still be answered.
    bool live() const noexcept { return transport_->live(); }
    /// What carries the bytes: "tcp", "tls", "unix", "shared_memory".
    std::string_view transport() const noexcept { return transport_->name(); }
    /// Who the peer is, by its verified TLS certificate: its first name. Empty where nobody verified one.
    std::string peer_name() const { return transport_->peer_name(); }
    /// How its loop talks to the kernel: "epoll", "uring"; in a simulated world "simulated".
    std::string_view engine() const noexcept { return transport_->engine(); }
    /// Committed and not yet with the kernel, lengths included.
    std::uint64_t unsent_bytes() const noexcept { return transport_->unsent_bytes(); }
    client_statistics statistics() const noexcept { return transport_->statistics(); }
    /// What became of what was committed since it connected, or reconnected last: of one that has ended, for good; else as it is known now, and
    /// `pending`. Asks the kernel.
    delivery delivered() const noexcept { return transport_->delivered(); }
    /// System calls that its loop made so far (a blocking client has a loop of its own).
    std::uint64_t system_calls() const noexcept { return transport_->system_calls(); }
    /// What its loop and all clients on it have done so far. `clients` is not counted.
    network_statistics loop_statistics() const noexcept { return transport_->loop_statistics(); }
    /// One sentence on the state it is in, for people: whether it is blocked, since when and why (the peer does not read, the network is silent),
    /// how much is queued, and when it will be given up. Asks the kernel; allocates.
    std::string explain() const { return transport_->explain(); }

    /// A handle to this client, for other threads and other clients' handlers. Allocates at the first call.
    peer self() const;
    /// Handles to the other clients of the same network, as they are now; empty for a client made by `connect`. Allocates.
    std::vector<peer> others() const;

private:
    friend class client_access;

    struct releaser {
        void operator()(detail::transport* transport) const noexcept { transport->release(); }
    };
    explicit client(detail::transport& transport) noexcept : transport_(&transport) {}

    bool fits(std::size_t bytes) const noexcept {
        const detail::send_window& window = transport_->send;
        const auto available = static_cast<std::size_t>(window.limit - window.next);
        return available >= wire::header_bytes && available - wire::header_bytes >= bytes &&
               bytes <= transport_->decoder.message_bytes_max();
    }

    static writer open_writer(detail::transport& transport, std::size_t bytes) noexcept {
        return {transport, {transport.send.next + wire::header_bytes, bytes}};
    }

    result<message> try_read_more() noexcept;
    result<message> read_more(const operation& op) noexcept;
    result<message> next_message() noexcept;

    std::unique_ptr<detail::transport, releaser> transport_;
};

/// For transports: makes the client that stands on one, and looks below it.
class client_access {
public:
    static client make(detail::transport& transport) noexcept { return client(transport); }
    static detail::transport& transport(client& client) noexcept { return *client.transport_; }

    /// A writer in a send window that has room for it.
    static writer open_writer(detail::transport& transport, std::size_t bytes) noexcept { return client::open_writer(transport, bytes); }
};

/// For transports that call a handler with a message.
class message_access {
public:
    static message make(std::span<const std::byte> payload, const wire::decoder& source) noexcept { return {payload, source}; }
};

namespace detail {

/// What the awaiters share: a wait that is withdrawn when its coroutine is destroyed before it ended.
class waiting {
public:
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;

protected:
    waiting(transport& transport, const operation& op) noexcept : transport_(&transport), op_(op) {}
    ~waiting() {
        if (handle_) [[unlikely]]
            transport_->abandon(handle_);
    }

    transport* transport_;
    operation op_;
    std::coroutine_handle<> handle_{};  // while suspended
};

}  // namespace detail

class [[nodiscard]] read_awaiter : detail::waiting {
public:
    bool await_ready() noexcept {
        if (transport_->decoder.messages() >= transport_->turn_ends_at) [[unlikely]]
            return false;
        const wire::decoded next = transport_->decoder.next(transport_->receive);
        if (next.what != wire::decoded::kind::message) return false;
        payload_ = next.payload;
        return true;
    }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        handle_ = handle;
        waited_ = true;
        const bool suspended = transport_->start_fill(handle, op_);
        if (!suspended) handle_ = {};
        return suspended;
    }
    result<message> await_resume() noexcept {
        if (!waited_) [[likely]]
            return message_access::make(payload_, transport_->decoder);
        handle_ = {};
        if (auto filled = transport_->finish_fill(); !filled) return std::unexpected(filled.error());
        const wire::decoded next = transport_->decoder.next(transport_->receive);
        if (next.what != wire::decoded::kind::message) return failure(next.reason);
        return message_access::make(next.payload, transport_->decoder);
    }

private:
    friend class client;
    using waiting::waiting;

    bool waited_ = false;
    std::span<const std::byte> payload_{};
};

class [[nodiscard]] flush_awaiter : detail::waiting {
public:
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        handle_ = handle;
        const bool suspended = transport_->start_flush(handle, op_);
        if (!suspended) handle_ = {};
        return suspended;
    }
    result<> await_resume() noexcept {
        handle_ = {};
        return transport_->finish_flush();
    }

private:
    friend class client;
    using waiting::waiting;
};

class [[nodiscard]] room_awaiter : detail::waiting {
public:
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        handle_ = handle;
        const bool suspended = transport_->start_room(handle, op_);
        if (!suspended) handle_ = {};
        return suspended;
    }
    result<> await_resume() noexcept {
        handle_ = {};
        return transport_->finish_room();
    }

private:
    friend class client;
    using waiting::waiting;
};

class [[nodiscard]] close_awaiter : detail::waiting {
public:
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        handle_ = handle;
        const bool suspended = transport_->start_close(handle, op_);
        if (!suspended) handle_ = {};
        return suspended;
    }
    delivery await_resume() noexcept {
        handle_ = {};
        return transport_->finish_close();
    }

private:
    friend class client;
    using waiting::waiting;
};

inline read_awaiter client::async_read(operation op) noexcept { return {*transport_, op}; }
inline flush_awaiter client::async_flush(operation op) noexcept { return {*transport_, op}; }
inline room_awaiter client::async_wait_for_room(operation op) noexcept { return {*transport_, op}; }
inline close_awaiter client::async_close(operation op) noexcept { return {*transport_, op}; }

}  // namespace mnet::inline v1
