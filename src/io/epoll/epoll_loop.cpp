// The epoll engine's requests, and its turn: ask the kernel, answer closes, streams, listeners, timers, then the wake-up.
#include "io/epoll/epoll_loop.hpp"

#include "base/assert.hpp"
#include "io/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace mnet::inline v1::io {

namespace {

constexpr int accepts_a_turn_max = 64;
constexpr std::uint32_t stream_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

/// Listeners and streams share the event's pointer; both are aligned, so that its lowest bit tells them apart.
void* tagged(listener& what) noexcept { return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&what) | 1U); }

/// A signal must not pass for an empty or a full socket: no edge would follow.
template <typename Call>
ssize_t uninterrupted(Call call) noexcept {
    ssize_t outcome = call();
    while (outcome < 0 && errno == EINTR) outcome = call();
    return outcome;
}

}  // namespace

result<std::unique_ptr<loop>> make_epoll_loop() {
    base::unique_fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return failure(last_error());
    base::unique_fd wake(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake) return failure(last_error());
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = nullptr;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) return failure(last_error());
    return std::make_unique<epoll_loop>(std::move(epoll), std::move(wake));
}

epoll_loop::epoll_loop(base::unique_fd epoll, base::unique_fd wake) noexcept
    : loop(base::steady_clock().now()), epoll_(std::move(epoll)), wake_(std::move(wake)) {}

result<> epoll_loop::watch(int descriptor, std::uint32_t events, void* what) noexcept {
    epoll_event event{};
    event.events = events;
    event.data.ptr = what;
    ++counters_.system_calls;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) return failure(last_error());
    return {};
}

void epoll_loop::forget(int descriptor, const void* what) noexcept {
    // Not left to close(2): a forked child may still hold the descriptor, and the kernel would go on reporting it.
    ++counters_.system_calls;
    (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr);
    for (int index = events_taken_; index < events_count_; ++index) {
        epoll_event& event = events_[static_cast<std::size_t>(index)];
        if (event.data.ptr == what) event.events = 0;
    }
}

result<endpoint> epoll_loop::listen(listener& listener, const endpoint& where, const listen_settings& settings) {
    MNET_ASSERT(listener.handle < 0, "a listener listens once at a time");
    result<base::unique_fd> socket;
    if (settings.along != nullptr) {
        socket = base::unique_fd(::fcntl(settings.along->handle, F_DUPFD_CLOEXEC, 0));
        if (!*socket) return failure(last_error());
    } else {
        socket = open_listener(where, settings);
        if (!socket) return failure(socket.error());
    }
    const auto bound = local_endpoint_of(socket->get());
    if (!bound) return bound;
    // EPOLLEXCLUSIVE: of the loops that share a socket, one is woken for a connection.
    if (auto watched = watch(socket->get(), EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, tagged(listener)); !watched)
        return failure(watched.error());
    listener.closing = false;
    listener.readable = false;
    listener.handle = socket->release();
    return bound;
}

void epoll_loop::accept(listener& listener) noexcept {
    MNET_ASSERT(listener.open(), "only an open listener accepts");
    listener.wants_accept = true;
    if (listener.readable && !listener.linked()) accepting_.push_back(listener);
}

void epoll_loop::close(listener& listener) noexcept {
    if (listener.handle < 0) return;
    if (serving_ == &listener) serving_ = nullptr;
    static_cast<registration&>(listener).unlink();
    forget(listener.handle, tagged(listener));
    remove_socket_file(listener.handle);
    ++counters_.system_calls;
    (void)::close(std::exchange(listener.handle, -1));
    listener.wants_accept = false;
}

result<> epoll_loop::attach(stream& stream, int handle) noexcept {
    MNET_ASSERT(stream.handle < 0, "a stream has one connection at a time");
    if (auto watched = watch(handle, stream_events, &stream); !watched) {
        discard(handle);
        return watched;
    }
    stream.handle = handle;
    stream.readable = stream.wants_receive = stream.connecting = stream.closing = stream.ended = false;
    stream.writable = true;
    stream.sending = {};
    return {};
}

int epoll_loop::release(stream& stream) noexcept {
    MNET_ASSERT(stream.open() && !stream.connecting && !stream.wants_receive && stream.sending.empty(),
                "nothing is asked of a released stream");
    if (recent_ == &stream) recent_ = nullptr;
    static_cast<registration&>(stream).unlink();
    forget(stream.handle, &stream);
    return std::exchange(stream.handle, -1);
}

void epoll_loop::discard(int handle) noexcept {
    ++counters_.system_calls;
    (void)::close(handle);
}

void epoll_loop::connect(stream& stream, const endpoint& where) noexcept {
    MNET_ASSERT(stream.handle < 0 || stream.connecting, "a stream connects once at a time");
    stream.sending = {};
    stream.readable = stream.wants_receive = stream.closing = stream.ended = stream.writable = false;
    stream.connecting = true;
    auto socket = open_stream(where);
    counters_.system_calls += 3;
    std::error_code refused = socket ? std::error_code{} : socket.error();
    if (socket) {
        const bool began = ::connect(socket->get(), where.data(), where.length()) == 0;
        if (!began && errno != EINPROGRESS) {
            refused = last_error();
        } else if (auto watched = watch(socket->get(), stream_events, &stream); !watched) {
            refused = watched.error();
        } else {
            stream.handle = socket->release();
            return;  // the edge, already there for a connection that is open, answers
        }
    }
    // Answered from run_once like every other connect: the reason travels in `ended` and the handle that isn't there.
    stream.ended = true;
    stream.handle = -refused.value() - 1;
    make_ready(stream);
}

void epoll_loop::answer_connect(stream& stream) noexcept {
    std::error_code refused{};
    if (stream.handle < -1) {
        refused = {-(stream.handle + 1), std::system_category()};
        stream.handle = -1;
    } else {
        if (!stream.writable && !stream.ended) return;
        int error = 0;
        socklen_t length = sizeof error;
        ++counters_.system_calls;
        if (::getsockopt(stream.handle, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
        if (error != 0) {
            refused = {error, std::system_category()};
            forget(stream.handle, &stream);
            discard(std::exchange(stream.handle, -1));
        }
    }
    stream.connecting = false;
    if (refused) {
        stream.ended = false;
        stream.connected(failure(refused));
    } else {
        stream.connected({});
    }
}

void epoll_loop::configure(stream& stream, const stream_settings& settings) noexcept {
    if (stream.handle >= 0) apply(settings, stream.handle);
}

void epoll_loop::receive(stream& stream) noexcept {
    MNET_ASSERT(stream.open() && !stream.connecting, "only an open stream receives");
    stream.wants_receive = true;
    if (stream.readable) make_ready(stream);
}

result<std::size_t> epoll_loop::try_receive(stream& stream, std::span<std::byte> target) noexcept {
    MNET_ASSERT(stream.open() && !target.empty(), "an open stream receives into some room");
    ++counters_.system_calls;
    ++counters_.receives;
    const ssize_t taken = uninterrupted([&] { return ::recv(stream.handle, target.data(), target.size(), MSG_DONTWAIT); });
    if (taken < 0) {
        if (errno == EAGAIN) {
            stream.readable = false;
            return failure(std::errc::resource_unavailable_try_again);
        }
        return failure(last_error());
    }
    // A short read has emptied a stream socket (epoll(7), question 9), unless its end was announced: that is still to be read.
    if (static_cast<std::size_t>(taken) < target.size()) stream.readable = stream.ended;
    return static_cast<std::size_t>(taken);
}

std::optional<result<std::size_t>> epoll_loop::send(stream& stream, std::span<const std::byte> bytes) noexcept {
    MNET_ASSERT(stream.open() && !bytes.empty() && stream.sending.empty(), "one send at a time, of some bytes");
    if (stream.writable) {
        ++counters_.system_calls;
        ++counters_.sends;
        const ssize_t taken = uninterrupted([&] { return ::send(stream.handle, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
        if (taken > 0) {
            // A partial send has filled the socket: the next waits for the edge.
            stream.writable = static_cast<std::size_t>(taken) == bytes.size();
            return static_cast<std::size_t>(taken);
        }
        if (taken < 0 && errno != EAGAIN) return result<std::size_t>(failure(last_error()));
        stream.writable = false;
    }
    stream.sending = bytes;
    return std::nullopt;
}

result<> epoll_loop::finish(stream& stream) noexcept {
    ++counters_.system_calls;
    if (::shutdown(stream.handle, SHUT_WR) != 0) return failure(last_error());
    return {};
}

void epoll_loop::close(stream& stream) noexcept {
    if (stream.closing) return;
    stream.closing = true;
    if (recent_ == &stream) recent_ = nullptr;
    stream.wants_receive = stream.connecting = false;
    stream.sending = {};
    static_cast<registration&>(stream).unlink();
    if (stream.handle >= 0) {
        forget(stream.handle, &stream);
        discard(stream.handle);
    }
    stream.handle = -1;
    closing_.push_back(stream);
}

std::size_t epoll_loop::unacknowledged_bytes(const stream& stream) const noexcept {
    return stream.handle >= 0 ? unacknowledged_bytes_of(stream.handle) : 0;
}

result<endpoint> epoll_loop::local_endpoint(const stream& stream) const noexcept { return local_endpoint_of(stream.handle); }

result<endpoint> epoll_loop::remote_endpoint(const stream& stream) const noexcept { return remote_endpoint_of(stream.handle); }

void epoll_loop::wake() noexcept {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);  // full means that it rings already
}

bool epoll_loop::drain_wake() noexcept {
    if (!wake_rang_) return false;
    wake_rang_ = false;
    std::uint64_t count = 0;
    ++counters_.system_calls;
    return ::read(wake_.get(), &count, sizeof count) > 0;
}

void epoll_loop::make_ready(registration& what) noexcept {
    if (!what.linked()) ready_.push_back(what);
}

void epoll_loop::take(const epoll_event& event) noexcept {
    if (event.events == 0) return;  // forgotten meanwhile
    if (event.data.ptr == nullptr) {
        wake_rang_ = true;
        return;
    }
    const auto bits = reinterpret_cast<std::uintptr_t>(event.data.ptr);
    if ((bits & 1U) != 0) {
        auto& ready = *reinterpret_cast<listener*>(bits & ~std::uintptr_t{1});
        ready.readable = true;
        if (ready.wants_accept && !ready.linked()) accepting_.push_back(ready);
        return;
    }
    auto& ready = *static_cast<stream*>(event.data.ptr);
    if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ready.ended = true;
    if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) ready.readable = true;
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) ready.writable = true;
    const bool wanted = (ready.wants_receive && ready.readable) || (!ready.sending.empty() && ready.writable) || ready.connecting;
    if (wanted) make_ready(ready);
}

void epoll_loop::answer_send(stream& stream) noexcept {
    const auto bytes = std::exchange(stream.sending, {});
    if (const auto outcome = send(stream, bytes)) stream.sent(*outcome);
}

/// False when there is nothing to answer with: it is still wanted.
bool epoll_loop::answer_receive(stream& stream) noexcept {
    const auto target = stream.lend();
    if (target.empty()) {
        stream.wants_receive = false;
        stream.received(failure(std::errc::not_enough_memory));
        return true;
    }
    const auto outcome = try_receive(stream, target);
    if (!outcome && outcome.error() == std::errc::resource_unavailable_try_again) return false;
    stream.wants_receive = false;
    recent_ = &stream;
    stream.received(outcome);
    return true;
}

void epoll_loop::serve(stream& stream) noexcept {
    if (stream.connecting) {
        answer_connect(stream);
        return;
    }
    if (!stream.sending.empty() && stream.writable) answer_send(stream);
    if (stream.open() && stream.wants_receive && stream.readable) (void)answer_receive(stream);
}

void epoll_loop::serve(listener& listener) noexcept {
    serving_ = &listener;
    for (int accepts = 0; accepts < accepts_a_turn_max && listener.wants_accept && listener.handle >= 0; ++accepts) {
        ++counters_.system_calls;
        ++counters_.accepts;
        const int handle = ::accept4(listener.handle, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (handle < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            if (errno == EAGAIN) {
                listener.readable = false;
                return;
            }
        }
        listener.wants_accept = false;
        if (handle >= 0) {
            listener.accepted(handle);
        } else {
            listener.accepted(failure(last_error()));
        }
        if (serving_ == nullptr) return;  // closed in its answer, and maybe gone
    }
    if (listener.handle >= 0 && listener.wants_accept && listener.readable && !listener.linked()) accepting_.push_back(listener);
}

void epoll_loop::run_once(std::chrono::nanoseconds until) noexcept {
    wait(until);
    const bool again = std::exchange(called_again_, false);  // a call from now on is the next turn's
    while (events_taken_ < events_count_) take(events_[static_cast<std::size_t>(events_taken_++)]);
    // What becomes ready in an answer waits for the next turn: everybody's turn comes.
    auto closing = closing_.take_all();
    while (registration* const what = closing.pop_front()) static_cast<stream*>(what)->closed();
    auto ready = ready_.take_all();
    while (registration* const what = ready.pop_front()) serve(*static_cast<stream*>(what));
    auto accepting = accepting_.take_all();
    while (registration* const what = accepting.pop_front()) serve(*static_cast<listener*>(what));
    timers_.expire(now());
    const bool rang = drain_wake();
    if (again || rang) woken();
}

}  // namespace mnet::inline v1::io
