// The engine interface: one thread's event loop, and how it talks to the kernel. Engines (epoll, uring, simulated) implement it in folders
// of their own; everything above sees only this.
//
// It is completion-based. A request (accept, connect, receive, send, close) is made once and answered once, by a virtual call on the
// object that made it, and only from inside `run_once`: so no request recurses into its own answer, and an object may make new
// requests, close itself or close others in any answer. The one exception is `send`, that may answer on the spot by its return value.
//
// Memory: the caller owns `stream` and `listener` objects; a request allocates nothing. Bytes given to `send` belong to the engine
// until it is answered, bytes from `lend` until `received`; after `close` both until `closed`, which is always the last answer.
//
// Thread: everything on the loop's own thread (the one that calls `run_once`), but for `wake`.
#pragma once
#include "base/intrusive_list.hpp"
#include "base/timer_wheel.hpp"
#include "io/endpoint.hpp"

#include <mnet/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <thread>

namespace mnet::inline v1::base {
struct block;
}  // namespace mnet::inline v1::base

namespace mnet::inline v1::io {

inline constexpr std::chrono::nanoseconds never = std::chrono::nanoseconds::max();

/// What a stream or listener is to its engine. For engines only; an engine may give the flags the meaning that it needs.
struct registration : base::list_hook<> {
    int handle = -1;  // a descriptor of the kernel, or an index of the simulated world
    bool readable = false;
    bool writable = false;
    bool wants_receive = false;
    bool wants_accept = false;
    bool connecting = false;
    bool closing = false;
    bool ended = false;  // the peer finished or failed: the next receive says which
    bool once = false;   // it is received from as `receive_once` has it
    std::span<const std::byte> sending{};

    // What an engine has with the kernel that answers by itself (io/uring).
    std::uint8_t in_kernel = 0;  // which requests
    bool direct = false;         // bytes come in bulk, and are read into the owner's window at once
    std::uint8_t small_reads = 0;
    int error = 0;         // of a receive, for the next answer
    int send_outcome = 0;  // the same of a send
    std::uint32_t place = 0;
    base::block* kept = nullptr;  // bytes that arrived unasked

    bool open() const noexcept { return handle >= 0 && !closing; }
};

/// One connection's bytes. The owner derives from it.
class stream : public registration {
public:
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    /// Answers `connect`. After an error the stream is not attached, and may connect again.
    virtual void connected(result<> outcome) noexcept = 0;

    /// Where received bytes shall go; called right before they are put there. Empty: there is no memory, and `received` gets
    /// std::errc::not_enough_memory.
    virtual std::span<std::byte> lend() noexcept = 0;

    /// Answers `receive`: at least 1 byte, or 0 when the peer has finished sending, or the kernel's error.
    virtual void received(result<std::size_t> bytes) noexcept = 0;

    /// Answers a `send` that was left pending: how many of its bytes the kernel took (at least 1), or its error.
    virtual void sent(result<std::size_t> bytes) noexcept = 0;

    /// Answers `close`: the engine holds nothing of this stream any more; it may be destroyed in here.
    virtual void closed() noexcept = 0;

protected:
    stream() = default;
    ~stream() = default;
};

/// One listening socket.
class listener : public registration {
public:
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    /// Answers `accept`: the handle of a new connection, for `attach` on this or another loop of the same kind; or the kernel's error
    /// (EMFILE, ENFILE, ENOBUFS, ENOMEM: wait before the next `accept`; the connection stays in the backlog).
    virtual void accepted(result<int> handle) noexcept = 0;

protected:
    listener() = default;
    ~listener() = default;
};

struct listen_settings {
    int backlog = 4096;
    bool reuse_port = false;          // TCP: several loops share a port, and the kernel spreads connections over them
    const listener* along = nullptr;  // share the socket of this listener (Unix sockets know no reuse_port)
};

/// Zero means: leave the kernel's default.
struct stream_settings {
    std::chrono::milliseconds keep_alive{0};    // silence after which the peer is lost; probes begin at half of it (tcp(7)); 0: none
    std::chrono::milliseconds user_timeout{0};  // unacknowledged bytes older than this end the connection (RFC 5482)
};

/// What a loop has done. System calls are all that the engine makes, so that a user's figures can name them.
struct counters {
    std::uint64_t system_calls = 0;
    std::uint64_t receives = 0;
    std::uint64_t sends = 0;
    std::uint64_t waits = 0;  // times that the thread asked the kernel for events
    std::uint64_t accepts = 0;
};

class loop {
public:
    using wake_function = void (*)(void* owner) noexcept;

    loop(const loop&) = delete;
    loop& operator=(const loop&) = delete;
    virtual ~loop() = default;

    /// "epoll", "uring", "simulated".
    virtual std::string_view name() const noexcept = 0;

    /// Whether its handles are descriptors of this process, that can be used beside it.
    virtual bool has_descriptors() const noexcept { return true; }

    /// The loop's clock, from an origin of its own choice; monotonic. Of the kernel's loops it is one clock, that any thread may ask.
    virtual std::chrono::nanoseconds now() const noexcept = 0;

    /// Runs `timer` at `due`, never early. An armed timer is armed anew. Cancelling one that isn't armed does nothing.
    void set(base::timer& timer, std::chrono::nanoseconds due) noexcept { timers_.set(timer, due); }
    void cancel(base::timer& timer) noexcept { timers_.cancel(timer); }

    /// Binds and listens; gives the address bound, its port resolved. Errors: the kernel's (address_in_use, permission_denied, ...).
    virtual result<endpoint> listen(listener& listener, const endpoint& where, const listen_settings& settings) = 0;

    /// Asks for one connection. Idempotent while unanswered.
    virtual void accept(listener& listener) noexcept = 0;

    /// Stops listening, at once; no answer follows.
    virtual void close(listener& listener) noexcept = 0;

    /// Takes over an accepted handle. On an error the handle was closed.
    virtual result<> attach(stream& stream, int handle) noexcept = 0;

    /// Closes an accepted handle that nobody attached.
    virtual void discard(int handle) noexcept = 0;

    /// Opens a connection; answered by `connected`. `close` withdraws it.
    virtual void connect(stream& stream, const endpoint& where) noexcept = 0;

    /// Gives up an open stream of which nothing is asked; no answer follows. Its handle is the caller's: for `attach` or `discard`, on this loop.
    virtual int release(stream& stream) noexcept = 0;

    virtual void configure(stream& stream, const stream_settings& settings) noexcept = 0;

    /// Asks for bytes; answered by `lend` and `received`, once there are some. Idempotent while unanswered.
    virtual void receive(stream& stream) noexcept = 0;

    /// The same, of a stream that is released when it is answered, or asked for more this way: an engine keeps nothing of it with the kernel, and
    /// takes no byte beyond the answer. From its `attach` on, and never after a `receive`.
    void receive_once(stream& stream) noexcept {
        stream.once = true;
        receive(stream);
    }

    /// Withdraws a `receive` that was not answered.
    virtual void cancel_receive(stream& stream) noexcept = 0;

    /// Whether it is known that `try_receive` would find nothing, until a `run_once` has told of more.
    virtual bool emptied(const stream&) const noexcept { return false; }

    /// Receives now, or says std::errc::resource_unavailable_try_again. 0: the peer finished.
    virtual result<std::size_t> try_receive(stream& stream, std::span<std::byte> target) noexcept = 0;

    /// Sends some of `bytes` (not empty). An engaged answer came at once: the count taken (at least 1), or an error. Otherwise `sent`
    /// follows, and until then no other send may be made.
    virtual std::optional<result<std::size_t>> send(stream& stream, std::span<const std::byte> bytes) noexcept = 0;

    /// Half-close: the peer reads what was sent, then the end of the stream. Errors: the kernel's.
    virtual result<> finish(stream& stream) noexcept = 0;

    /// Ends the connection and every request on it; `closed` follows from a later `run_once`. Idempotent.
    virtual void close(stream& stream) noexcept = 0;

    /// How many bytes were sent that the peer's kernel has not acknowledged (SIOCOUTQ, tcp(7)).
    virtual std::size_t unacknowledged_bytes(const stream& stream) const noexcept = 0;

    /// Of a send that is not answered yet, how many bytes the kernel may have taken all the same. A send that waits for room has sent none.
    virtual std::size_t sent_unanswered_bytes_max(const stream&) const noexcept { return 0; }

    virtual result<endpoint> local_endpoint(const stream& stream) const noexcept = 0;
    virtual result<endpoint> remote_endpoint(const stream& stream) const noexcept = 0;

    /// Makes the present or next `run_once` return early and call the wake function, on the loop's thread. From any thread.
    virtual void wake() noexcept = 0;

    /// As `wake`, from the loop's own thread: for work that is left for the next turn. An engine can do it without a system call.
    virtual void call_again() noexcept { wake(); }

    /// What `wake` and `call_again` call. Set once, before the first `run_once`.
    void on_wake(void* owner, wake_function function) noexcept {
        wake_owner_ = owner;
        wake_function_ = function;
    }

    /// How long `run_once` asks again and again before it lets the thread sleep, when something has happened since it last did: less latency
    /// for more CPU. 0 by default.
    void spin(std::chrono::nanoseconds duration) noexcept { spin_ = duration; }

    /// Between two polls: a peer that shares the processor gets it, instead of waiting for the poller to give up.
    void give_way() noexcept {
        ++counters_.system_calls;
        std::this_thread::yield();
    }

    /// Answers what can be answered, runs what is due, and returns; sleeps first where there is nothing, until `until` at most.
    /// `until` in the past never sleeps.
    virtual void run_once(std::chrono::nanoseconds until) noexcept = 0;

    /// For spreading things in time and order; no secret.
    virtual std::uint64_t random() noexcept;

    const counters& counted() const noexcept { return counters_; }

    /// Whether `send` leaves so many bytes pending until the next turn, although the socket may have room: better offered from a small
    /// block than from a window.
    bool sends_later(std::size_t bytes) const noexcept { return bytes <= queued_send_bytes_max_; }

protected:
    explicit loop(std::chrono::nanoseconds now) noexcept : timers_(now) {}

    void woken() noexcept {
        if (wake_function_ != nullptr) wake_function_(wake_owner_);
    }

    base::timer_wheel timers_;
    std::chrono::nanoseconds spin_{0};
    counters counters_{};
    std::size_t queued_send_bytes_max_ = 0;

private:
    void* wake_owner_ = nullptr;
    wake_function wake_function_ = nullptr;
};

}  // namespace mnet::inline v1::io
