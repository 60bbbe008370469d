// Bytes out, and connecting. A small send goes with the turn's other requests; a large one is made at once and, where the socket is full,
// goes on when there is room.
#include "base/assert.hpp"
#include "io/sockets.hpp"
#include "io/uring/uring_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace mnet::inline v1::io {

void uring_loop::watch_out(stream& stream) noexcept {
    if ((stream.in_kernel & polling_out) != 0) return;
    io_uring_sqe& entry = prepare(stream, polling_out);
    io_uring_prep_poll_add(&entry, stream.handle, POLLOUT);
    entry.user_data = data_of(stream, tag::poll_out);
}

void uring_loop::queue_send(stream& stream) noexcept {
    io_uring_sqe& entry = prepare(stream, sending);
    io_uring_prep_send(&entry, stream.handle, stream.sending.data(), stream.sending.size(), MSG_NOSIGNAL);
    entry.user_data = data_of(stream, tag::send);
    ++counters_.sends;
}

result<std::size_t> uring_loop::send_now(stream& stream, std::span<const std::byte> bytes) noexcept {
    ssize_t taken = -1;
    do {
        ++counters_.system_calls;
        ++counters_.sends;
        taken = ::send(stream.handle, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (taken < 0 && errno == EINTR);
    if (taken > 0) {
        // A partial send has filled the socket: the next waits until there is room.
        stream.writable = static_cast<std::size_t>(taken) == bytes.size();
        return static_cast<std::size_t>(taken);
    }
    if (taken == 0 || errno == EAGAIN) {
        stream.writable = false;
        return failure(std::errc::resource_unavailable_try_again);
    }
    return failure(last_error());
}

std::optional<result<std::size_t>> uring_loop::send(stream& stream, std::span<const std::byte> bytes) noexcept {
    MNET_ASSERT(stream.open() && !bytes.empty() && stream.sending.empty(), "one send at a time, of some bytes");
    if (sends_later(bytes.size())) {
        stream.sending = bytes;
        queue_send(stream);
        return std::nullopt;
    }
    if (stream.writable) {
        const auto taken = send_now(stream, bytes);
        if (taken || taken.error() != std::errc::resource_unavailable_try_again) return taken;
    }
    stream.sending = bytes;
    watch_out(stream);
    return std::nullopt;
}

void uring_loop::sent_queued(stream& stream, const uring::completion& done, bool answering) noexcept {
    if (!stream.open()) return;
    if (done.result == -ECANCELED || done.result == -EINTR || done.result == -EAGAIN) {
        queue_send(stream);
        return;
    }
    stream.in_kernel |= sent;
    stream.send_outcome = done.result;
    if (answering) {
        answer_send(stream);
    } else {
        make_ready(stream);
    }
}

void uring_loop::answer_send(stream& stream) noexcept {
    if ((stream.in_kernel & sent) != 0) {
        stream.in_kernel = static_cast<std::uint8_t>(stream.in_kernel & ~sent);
        stream.sending = {};
        if (stream.send_outcome > 0) {
            stream.sent(static_cast<std::size_t>(stream.send_outcome));
        } else {
            stream.sent(failure(std::error_code(-stream.send_outcome, std::system_category())));
        }
        return;
    }
    if (stream.sending.empty() || (stream.in_kernel & (sending | polling_out)) != 0) return;
    const auto bytes = std::exchange(stream.sending, {});
    const auto outcome = send_now(stream, bytes);
    if (!outcome && outcome.error() == std::errc::resource_unavailable_try_again) {
        stream.sending = bytes;
        watch_out(stream);
        return;
    }
    stream.sent(outcome);
}

std::size_t uring_loop::sent_unanswered_bytes_max(const stream& stream) const noexcept {
    if ((stream.in_kernel & sent) != 0) return static_cast<std::size_t>(std::max(stream.send_outcome, 0));
    return (stream.in_kernel & sending) != 0 ? stream.sending.size() : 0;
}

result<> uring_loop::finish(stream& stream) noexcept {
    ++counters_.system_calls;
    if (::shutdown(stream.handle, SHUT_WR) != 0) return failure(last_error());
    return {};
}

// Connecting ----------------------------------------------------------------------------------------------------------------------

void uring_loop::connect(stream& stream, const endpoint& where) noexcept {
    MNET_ASSERT(stream.handle < 0 || stream.connecting, "a stream connects once at a time");
    reset(stream);
    stream.connecting = true;
    auto socket = open_stream(where);
    counters_.system_calls += 3;
    std::error_code refused = socket ? std::error_code{} : socket.error();
    if (socket) {
        const bool began = ::connect(socket->get(), where.data(), where.length()) == 0;
        if (!began && errno != EINPROGRESS) {
            refused = last_error();
        } else if (auto enrolled = enrol(stream, socket->get()); !enrolled) {
            refused = enrolled.error();
        } else {
            (void)socket->release();
            stream.writable = false;
            watch_out(stream);
            return;
        }
    }
    stream.error = refused.value();
    make_ready(stream);
}

void uring_loop::answer_connect(stream& stream) noexcept {
    int error = std::exchange(stream.error, 0);
    if (error == 0) {
        socklen_t length = sizeof error;
        ++counters_.system_calls;
        if (::getsockopt(stream.handle, SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
        if (error == 0) make_blocking(stream.handle);
    }
    stream.connecting = false;
    if (error == 0) {
        stream.connected({});
        return;
    }
    if (stream.handle >= 0) {
        const int handle = stream.handle;
        strike(stream);
        discard(handle);
    }
    stream.connected(failure(std::error_code(error, std::system_category())));
}

/// The kernel waits only for a socket that would; what we ask directly says MSG_DONTWAIT.
void uring_loop::make_blocking(int handle) noexcept {
    int off = 0;
    ++counters_.system_calls;
    (void)::ioctl(handle, FIONBIO, &off);
}

}  // namespace mnet::inline v1::io
