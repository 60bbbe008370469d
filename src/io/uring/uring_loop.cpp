// The turn: hand over and ask the kernel, answer what completed, then closes, streams, listeners, timers and the wake-up.
#include "io/uring/uring_loop.hpp"

#include "base/assert.hpp"
#include "io/sockets.hpp"
#include "io/uring/refusal.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace mnet::inline v1::io {

namespace {

constexpr std::chrono::nanoseconds retry_after = std::chrono::milliseconds(10);

constexpr std::size_t kept_window_bytes = 64 << 10;
constexpr std::size_t kept_retained_bytes_max = 1 << 20;

}  // namespace

result<std::unique_ptr<loop>> make_uring_loop(const uring_settings& settings, std::string* without) {
    auto made = std::make_unique<uring_loop>(settings);
    if (auto opened = made->open(); !opened) return failure(opened.error());
    if (without != nullptr && !made->receives_into_buffers()) *without = "provided buffers";
    if (without != nullptr && made->receives_into_buffers() && !made->fills_densely()) *without = "incremental buffers";
    return made;
}

uring_loop::uring_loop(const uring_settings& settings) noexcept
    : loop(base::steady_clock().now()), settings_(settings), kept_(kept_window_bytes, kept_retained_bytes_max) {
    queued_send_bytes_max_ = settings.queued_send_bytes_max;
}

uring_loop::~uring_loop() {
    for (stream* const left : streams_) drop_kept(*left);
    for (const door& each : doors_) {
        for (const int handle : each.arrived) turn_away(handle);
    }
    // Accepted by the kernel, and nobody has heard of it.
    for (const io_uring_cqe* next = ring_.peek(); next != nullptr; next = ring_.peek()) {
        if (tag_of(next->user_data) == tag::accept && next->res >= 0) turn_away(next->res);
        ring_.drop();
    }
}

result<> uring_loop::open() {
    wake_ = base::unique_fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake_) return failure(uring::refusal(uring::step::wake_up, errno));
    return open_ring();
}

result<> uring_loop::open_ring() {
    if (const int error = ring_.open(settings_.queues); error != 0) return failure(uring::refusal(uring::step::set_up, error));
    // A loop that may move to another thread must leave nothing half received: before Linux 6.12, which fills densely, the kernel was not
    // that strict about requests whose ring is closed.
    const bool may_move = settings_.queued_send_bytes_max == 0;
    shots_ = buffers_.open(ring_, settings_.buffers) && (buffers_.incremental() || !may_move);
    watch_wake();
    return {};
}

void uring_loop::watch_wake() noexcept {
    io_uring_sqe& entry = ring_.prepare();
    io_uring_prep_poll_multishot(&entry, wake_.get(), POLLIN);
    entry.user_data = static_cast<std::uint64_t>(tag::wake);
}

std::uint64_t uring_loop::data_of(stream& stream, tag what) noexcept {
    return reinterpret_cast<std::uintptr_t>(&stream) | static_cast<std::uint64_t>(what);
}

io_uring_sqe& uring_loop::prepare(stream& stream, request bit) noexcept {
    MNET_ASSERT(stream.handle >= 0 && (stream.in_kernel & bit) == 0, "a stream has one request of a kind at a time");
    stream.in_kernel |= bit;
    return ring_.prepare();
}

void uring_loop::cancel(std::uint64_t user_data) noexcept {
    io_uring_sqe& entry = ring_.prepare();
    io_uring_prep_cancel64(&entry, user_data, 0);
    entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
    entry.user_data = static_cast<std::uint64_t>(tag::nothing);
}

void uring_loop::configure(stream& stream, const stream_settings& settings) noexcept {
    if (stream.handle >= 0) apply(settings, stream.handle);
}

std::size_t uring_loop::unacknowledged_bytes(const stream& stream) const noexcept {
    return stream.handle >= 0 ? unacknowledged_bytes_of(stream.handle) : 0;
}

result<endpoint> uring_loop::local_endpoint(const stream& stream) const noexcept { return local_endpoint_of(stream.handle); }

result<endpoint> uring_loop::remote_endpoint(const stream& stream) const noexcept { return remote_endpoint_of(stream.handle); }

void uring_loop::wake() noexcept {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);  // full means that it rings already
}

bool uring_loop::drain_wake() noexcept {
    if (!wake_rang_) return false;
    wake_rang_ = false;
    std::uint64_t count = 0;
    ++counters_.system_calls;
    return ::read(wake_.get(), &count, sizeof count) > 0;
}

void uring_loop::make_ready(registration& what) noexcept {
    if (!what.linked()) ready_.push_back(what);
}

// Completions ---------------------------------------------------------------------------------------------------------------------

void uring_loop::take_all(bool answering) noexcept {
    // Not those that come meanwhile: everybody's turn comes.
    for (unsigned left = ring_.completions(); left > 0; --left) {
        const io_uring_cqe* const next = ring_.peek();
        if (next == nullptr) return;  // an answer has taken them
        const uring::completion done{.user_data = next->user_data, .result = next->res, .flags = next->flags};
        ring_.drop();
        take(done, answering);
    }
}

/// Makes sure that no completion waits unseen, from inside an answer too: nothing is answered, what was received is kept. False where that
/// takes an `enter` that this thread may not make.
bool uring_loop::sees_all() noexcept {
    for (;;) {
        if (ring_.completions() > 0) take_all(false);
        if (!ring_.overflown()) return ring_.completions() == 0;
        if (!ring_.is_mine()) return false;
        ring_.enter(std::chrono::nanoseconds(0));
    }
}

void uring_loop::take(const uring::completion& done, bool answering) noexcept {
    static_assert(alignof(stream) >= 1U << tag_bits);
    const tag what = tag_of(done.user_data);
    switch (what) {
        case tag::nothing:
            return;
        case tag::wake:
            wake_rang_ = true;
            if (!done.more()) watch_wake();
            return;
        case tag::accept:
            take_accept(static_cast<std::uint32_t>(done.user_data >> tag_bits), done, answering);
            return;
        default:
            break;
    }
    auto& owner = *reinterpret_cast<stream*>(done.user_data - static_cast<std::uint64_t>(what));
    take(owner, what, done, answering);
    if (owner.closing) close_if_free(owner);
}

void uring_loop::take(stream& stream, tag what, const uring::completion& done, bool answering) noexcept {
    const auto over = [&](unsigned bits) {
        if (!done.more()) stream.in_kernel = static_cast<std::uint8_t>(stream.in_kernel & ~bits);
    };
    switch (what) {
        case tag::receive:
            over(receiving | withdrawing);
            received_shot(stream, done, answering);
            return;
        case tag::poll_in:
            over(polling_in);
            if (done.result < 0 && done.result != -ECANCELED) stream.ended = true;  // the next read says why
            if (done.result > 0 && (done.result & (POLLRDHUP | POLLHUP | POLLERR)) != 0) stream.ended = true;
            if (done.result > 0) stream.readable = true;
            if (stream.open() && stream.wants_receive) receive(stream);
            return;
        case tag::poll_end:
            over(polling_end);
            if (done.result > 0) stream.ended = true;
            if (stream.open() && stream.wants_receive) receive(stream);
            return;
        case tag::poll_out:
            over(polling_out);
            stream.writable = true;
            if (stream.open()) make_ready(stream);
            return;
        default:
            over(sending);
            sent_queued(stream, done, answering);
            return;
    }
}

// The turn ------------------------------------------------------------------------------------------------------------------------

void uring_loop::wait(std::chrono::nanoseconds until) noexcept {
    constexpr std::chrono::nanoseconds at_once{0};
    if (const auto next = timers_.next()) until = std::min(until, *next);
    if (!ring_.is_open()) {  // moved, and refused here: tried again soon
        if (ready_.empty() && closing_.empty()) std::this_thread::sleep_for(std::min(until - now(), retry_after));
        return;
    }
    const bool idle = streams_.size() + doors_.size() <= few && !ring_.has_work();
    auto time = now();
    const bool busy = !ready_.empty() || !closing_.empty() || !accepting_.empty() || called_again_ || ring_.completions() > 0;
    if (busy || until <= time) {
        if (!idle || !ring_.nothing_prepared()) ring_.enter(at_once);
        return;
    }
    if (spin_.count() > 0) {
        const auto spin_until = std::min(until, time + spin_);
        if (!ring_.nothing_prepared()) ring_.enter(at_once);
        while (ring_.completions() == 0 && time < spin_until) {
            if (ring_.has_work()) ring_.enter(at_once);
            time = now();
        }
        if (ring_.completions() > 0) return;
    }
    ring_.enter(until == never ? never : until - time);
}

void uring_loop::serve(stream& stream) noexcept {
    if (stream.connecting) {
        answer_connect(stream);
        return;
    }
    answer_send(stream);
    if (stream.open() && stream.wants_receive) answer_receive(stream);
}

void uring_loop::run_once(std::chrono::nanoseconds until) noexcept {
    if (!ring_.is_mine()) move_here();
    wait(until);
    const bool again = std::exchange(called_again_, false);  // a call from now on is the next turn's
    take_all(true);
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
