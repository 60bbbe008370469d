// Bytes in: shots, that fill a buffer of the kernel's choice and are copied into the owner's window at once; and for bulk, polling and
// reading straight into that window.
//
// The order of bytes: the kernel completes nothing but inside `enter`, so a stream may be read directly whenever no completion of it waits
// unseen (`sees_all`). What such a completion holds for nobody is kept, in memory of the stream's own and bounded by what the buffers hold
// together, because the first bytes that nobody wants withdraw the receive.
#include "base/assert.hpp"
#include "io/sockets.hpp"
#include "io/uring/uring_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

namespace mnet::inline v1::io {

namespace {

/// One answer with so many bytes makes a stream one that is read directly: copying them twice would cost more than a system call.
constexpr std::size_t bulk_bytes = 64 << 10;

/// As many reads of so little, one after the other, end that.
constexpr std::size_t small_bytes = 8 << 10;
constexpr std::uint8_t small_reads_max = 8;

}  // namespace

void uring_loop::receive(stream& stream) noexcept {
    MNET_ASSERT(stream.open() && !stream.connecting, "only an open stream receives");
    stream.wants_receive = true;
    if (stream.kept != nullptr || stream.error != 0 || stream.readable || stream.ended) {
        make_ready(stream);
    } else {
        arm(stream);
    }
}

void uring_loop::arm(stream& stream) noexcept {
    if (stream.direct || stream.once || !shots_) {
        if ((stream.in_kernel & polling_in) != 0) return;
        io_uring_sqe& entry = prepare(stream, polling_in);
        if (stream.once) {
            io_uring_prep_poll_add(&entry, stream.handle, POLLIN | POLLRDHUP);
        } else {
            io_uring_prep_poll_multishot(&entry, stream.handle, POLLIN | POLLRDHUP);
        }
        entry.user_data = data_of(stream, tag::poll_in);
        return;
    }
    if ((stream.in_kernel & receiving) != 0) return;  // one that is being withdrawn is armed again when it has ended
    io_uring_sqe& entry = prepare(stream, receiving);
    io_uring_prep_recv_multishot(&entry, stream.handle, nullptr, 0, 0);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = uring::provided_buffers::group;
    entry.user_data = data_of(stream, tag::receive);
    watch_end(stream);
}

/// Where bytes and a reset arrive at once, a repeated receive may give the bytes and then wait for ever (seen on Linux 6.18; the storm of
/// tests/mtcp/many_clients_test.cpp finds it). So the end is watched for by a request of its own, that nothing but the end answers.
void uring_loop::watch_end(stream& stream) noexcept {
    if ((stream.in_kernel & polling_end) != 0) return;
    io_uring_sqe& entry = prepare(stream, polling_end);
    io_uring_prep_poll_add(&entry, stream.handle, POLLRDHUP);
    entry.user_data = data_of(stream, tag::poll_end);
}

void uring_loop::withdraw(stream& stream) noexcept {
    if ((stream.in_kernel & (receiving | withdrawing)) != receiving) return;
    stream.in_kernel |= withdrawing;
    cancel(data_of(stream, tag::receive));
}

void uring_loop::received_shot(stream& stream, const uring::completion& done, bool answering) noexcept {
    if (done.result > 0) {
        const bool whole = stream.error == 0;  // what comes behind a gap is nobody's
        if (answering && stream.open() && stream.wants_receive && stream.kept == nullptr && whole) {
            answer_pieces(stream, done);
            return;
        }
        if (stream.open() && whole) keep(stream, buffers_.piece(done));
        buffers_.give_back(done);
        if (!stream.wants_receive) withdraw(stream);
    } else if (done.result == 0) {
        stream.ended = true;
    } else if (done.result == -ENOBUFS) {
        stream.readable = true;
    } else if (done.result != -ECANCELED && done.result != -EINTR && done.result != -EAGAIN) {
        stream.error = -done.result;
    }
    if (stream.open() && stream.wants_receive) receive(stream);
}

/// Answers with the pieces of this stream that wait in a row.
void uring_loop::answer_pieces(stream& stream, const uring::completion& first) noexcept {
    const auto room = stream.lend();
    std::size_t filled = 0;
    for (uring::completion piece = first;;) {
        const auto bytes = buffers_.piece(piece);
        const std::size_t fitting = std::min(bytes.size(), room.size() - filled);
        if (fitting > 0) std::memcpy(room.data() + filled, bytes.data(), fitting);
        filled += fitting;
        if (fitting < bytes.size()) keep(stream, bytes.subspan(fitting));
        buffers_.give_back(piece);
        const io_uring_cqe* const next = ring_.peek();
        if (filled == room.size() || next == nullptr || next->user_data != piece.user_data || next->res <= 0) break;
        piece = {.user_data = next->user_data, .result = next->res, .flags = next->flags};
        ring_.drop();
        if (!piece.more()) stream.in_kernel = static_cast<std::uint8_t>(stream.in_kernel & ~(receiving | withdrawing));
    }
    stream.wants_receive = false;
    ++counters_.receives;
    weigh(stream, filled, room.size());
    if (room.empty()) {
        stream.received(failure(std::errc::not_enough_memory));
    } else {
        stream.received(filled);
    }
}

void uring_loop::keep(stream& stream, std::span<const std::byte> bytes) noexcept {
    base::block* const grown = stream.kept == nullptr               ? kept_.acquire(bytes.size())
                               : stream.kept->room() < bytes.size() ? kept_.grow(stream.kept, stream.kept->end + bytes.size())
                                                                    : stream.kept;
    if (grown == nullptr) {
        stream.error = ENOMEM;  // its owner gives it up: there is a gap now
        return;
    }
    std::memcpy(grown->data() + grown->end, bytes.data(), bytes.size());
    grown->end += bytes.size();
    stream.kept = grown;
}

std::size_t uring_loop::take_kept(stream& stream, std::span<std::byte> target) noexcept {
    base::block& block = *stream.kept;
    const std::size_t taken = std::min(target.size(), block.size());
    std::memcpy(target.data(), block.data() + block.begin, taken);
    block.begin += taken;
    if (block.empty()) drop_kept(stream);
    return taken;
}

void uring_loop::drop_kept(stream& stream) noexcept { kept_.release(std::exchange(stream.kept, nullptr)); }

/// What the kernel would do for a receive that it holds, it has done or says that it is about to.
bool uring_loop::is_surely_empty(const stream& stream) const noexcept {
    const bool armed = (stream.in_kernel & (receiving | withdrawing)) == receiving;
    return armed && !stream.ended && streams_.size() + doors_.size() <= few && ring_.nothing_prepared() && !ring_.has_work();
}

bool uring_loop::emptied(const stream& stream) const noexcept {
    return stream.kept == nullptr && stream.error == 0 && !stream.readable && !stream.ended && ring_.completions() == 0;
}

result<std::size_t> uring_loop::try_receive(stream& stream, std::span<std::byte> target) noexcept {
    MNET_ASSERT(stream.open() && !target.empty(), "an open stream receives into some room");
    const bool all_seen = (stream.in_kernel & receiving) == 0 || sees_all();
    if (stream.kept != nullptr) return take_kept(stream, target);
    if (stream.error != 0) {
        stream.ended = true;
        return failure(std::error_code(std::exchange(stream.error, 0), std::system_category()));
    }
    if (!all_seen || is_surely_empty(stream)) return failure(std::errc::resource_unavailable_try_again);
    ssize_t taken = -1;
    do {
        ++counters_.system_calls;
        ++counters_.receives;
        taken = ::recv(stream.handle, target.data(), target.size(), MSG_DONTWAIT);
    } while (taken < 0 && errno == EINTR);
    if (taken < 0) {
        if (errno != EAGAIN) return failure(last_error());
        stream.readable = stream.ended = false;
        return failure(std::errc::resource_unavailable_try_again);
    }
    // A short read has emptied a stream socket (epoll(7), question 9).
    stream.readable = static_cast<std::size_t>(taken) == target.size();
    return static_cast<std::size_t>(taken);
}

/// Chooses how a stream is received from, by what came last.
void uring_loop::weigh(stream& stream, std::size_t bytes, std::size_t room_bytes) noexcept {
    if (!stream.direct) {
        if (bytes < bulk_bytes) return;
        stream.direct = true;
        stream.small_reads = 0;
        withdraw(stream);
    } else if (bytes >= small_bytes || bytes == room_bytes) {
        stream.small_reads = 0;
    } else if (++stream.small_reads >= small_reads_max) {
        stream.direct = false;
        if ((stream.in_kernel & polling_in) != 0) cancel(data_of(stream, tag::poll_in));
    }
}

void uring_loop::answer_receive(stream& stream) noexcept {
    if (stream.kept == nullptr && stream.error == 0 && !stream.readable && !stream.ended) {  // taken meanwhile
        arm(stream);
        return;
    }
    const auto target = stream.lend();
    if (target.empty()) {
        stream.wants_receive = false;
        stream.received(failure(std::errc::not_enough_memory));
        return;
    }
    const auto outcome = try_receive(stream, target);
    if (!outcome && outcome.error() == std::errc::resource_unavailable_try_again) {
        arm(stream);
        return;
    }
    stream.wants_receive = false;
    if (outcome) weigh(stream, *outcome, target.size());
    stream.received(outcome);
}

}  // namespace mnet::inline v1::io
