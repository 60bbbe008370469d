// See simulated_loop.hpp.
#include "io/simulated/simulated_loop.hpp"

#include "base/assert.hpp"
#include "io/simulated/world.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace mnet::inline v1::io::simulated {
namespace {

/// Of the bytes that a pending send lent (FNV-1a, of the first so many): they are the engine's until the answer, and io_uring would
/// send what they are then.
std::uint64_t fingerprint(std::span<const std::byte> bytes) noexcept {
    constexpr std::size_t looked_at = 1024;
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const std::byte each : bytes.first(std::min(bytes.size(), looked_at))) {
        hash = (hash ^ std::to_integer<std::uint64_t>(each)) * 0x100000001b3;
    }
    return hash;
}

bool try_again(const result<std::size_t>& outcome) noexcept {
    return !outcome && outcome.error() == std::errc::resource_unavailable_try_again;
}

/// As a stream is that has nothing behind it.
void begin(io::stream& stream) noexcept {
    stream.closing = stream.connecting = stream.wants_receive = false;
    stream.sending = {};
}

}  // namespace

simulated_loop::simulated_loop(world& home, int machine) : loop(home.now()), world_(home), machine_(machine) { world_.enlist(*this); }

simulated_loop::~simulated_loop() { world_.forget(*this); }

std::chrono::nanoseconds simulated_loop::now() const noexcept { return world_.now(); }

void simulated_loop::enter_kernel() noexcept {
    ++counters_.system_calls;
    world_.time_.charge();
}

socket& simulated_loop::socket_of(const io::stream& stream) const noexcept {
    socket* const found = world_.network_.find(stream.handle);
    if (found == nullptr || found->stream != &stream || found->loop != this) {
        world_.die("a request was made on a stream that is not open on this loop");
    }
    return *found;
}

result<endpoint> simulated_loop::listen(io::listener& listener, const endpoint& where, const listen_settings& settings) {
    enter_kernel();
    return world_.network_.listen(*this, listener, where, settings);
}

void simulated_loop::accept(io::listener& listener) noexcept {
    acceptor* const found = world_.network_.find_acceptor(listener.handle);
    if (found == nullptr || found->loop != this) world_.die("accept was asked of a listener that does not listen on this loop");
    listener.wants_accept = true;
    world_.network_.tell_acceptor(*found);
}

void simulated_loop::close(io::listener& listener) noexcept {
    enter_kernel();
    world_.network_.close(listener);
}

result<> simulated_loop::attach(io::stream& stream, int handle) noexcept {
    enter_kernel();
    socket* const found = world_.network_.find(handle);
    if (found == nullptr || !found->held || found->stream != nullptr) world_.die("attach was given a handle that accept did not give");
    MNET_ASSERT(stream.handle < 0, "a stream has one connection at a time, from attach to closed");
    if (!found->dialed && world_.network_.strikes(world_.luck.attach_failures, &injections::full_tables)) {
        world_.network_.close(*found);
        return kernel_failure(ENOSPC);
    }
    found->stream = &stream;
    found->loop = this;
    begin(stream);
    stream.handle = handle;
    if (observer* const watching = world_.network_.watched_by()) watching->opened(*found);
    return {};
}

int simulated_loop::release(io::stream& stream) noexcept {
    socket& subject = socket_of(stream);
    MNET_ASSERT(stream.open() && !stream.connecting && !stream.wants_receive && stream.sending.empty(),
                "nothing is asked of a released stream");
    subject.stream = nullptr;
    subject.loop = nullptr;
    return std::exchange(stream.handle, -1);
}

std::uint64_t simulated_loop::random() noexcept { return world_.dice_.next(); }

void simulated_loop::discard(int handle) noexcept {
    enter_kernel();
    socket* const found = world_.network_.find(handle);
    if (found == nullptr || !found->held || found->stream != nullptr) world_.die("discard was given a handle that accept did not give");
    world_.network_.close(*found);
}

void simulated_loop::connect(io::stream& stream, const endpoint& where) noexcept {
    enter_kernel();
    MNET_ASSERT(stream.handle < 0, "a stream has one connection at a time, from connect to closed");
    begin(stream);
    stream.connecting = true;
    world_.network_.connect(*this, stream, where);
}

void simulated_loop::configure(io::stream& stream, const stream_settings& settings) noexcept {
    enter_kernel();
    socket& subject = socket_of(stream);
    subject.settings = settings;
    world_.network_.watch_for_loss(subject);
}

void simulated_loop::receive(io::stream& stream) noexcept {
    socket& subject = socket_of(stream);
    MNET_ASSERT(stream.open() && !stream.connecting, "a stream receives once it is connected");
    stream.wants_receive = true;
    world_.network_.tell_receiver(subject);
}

void simulated_loop::cancel_receive(io::stream& stream) noexcept { stream.wants_receive = false; }

result<std::size_t> simulated_loop::try_receive(io::stream& stream, std::span<std::byte> target) noexcept {
    enter_kernel();
    socket& subject = socket_of(stream);
    MNET_ASSERT(stream.open() && !stream.connecting, "a stream receives once it is connected");
    if (world_.network_.strikes(world_.luck.late_receives, &injections::late_receives)) return kernel_failure(EAGAIN);
    const auto outcome = world_.network_.receive(subject, target);
    if (outcome) ++counters_.receives;
    return outcome;
}

std::optional<result<std::size_t>> simulated_loop::send(io::stream& stream, std::span<const std::byte> bytes) noexcept {
    enter_kernel();
    socket& subject = socket_of(stream);
    MNET_ASSERT(stream.open() && !stream.connecting, "a stream sends once it is connected");
    MNET_ASSERT(stream.sending.empty(), "a stream has one send pending at a time");
    const bool reluctant = subject.error == 0 && world_.network_.strikes(world_.luck.pending_sends, &injections::pending_sends);
    if (!reluctant) {
        const auto outcome = world_.network_.send(subject, bytes);
        if (outcome) ++counters_.sends;
        if (!try_again(outcome)) return outcome;
    }
    // As io_uring may: the bytes are on their way, and the answer is not there yet.
    subject.with_kernel = reluctant;
    if (reluctant && world_.dice_.chance(0.5)) subject.sent_unanswered = world_.network_.send(subject, bytes).value_or(0);
    stream.sending = bytes;
    subject.sending_fingerprint = fingerprint(bytes);
    world_.network_.note("send: pending bytes", stream.handle, static_cast<std::int64_t>(bytes.size()));
    if (!reluctant) return std::nullopt;
    subject.send_answer_due = true;
    const auto delay = world_.dice_.between(world_.luck.answer_delay.min, world_.luck.answer_delay.max);
    world_.time_.after(delay, {.what = event::kind::send_answer, .handle = stream.handle});
    return std::nullopt;
}

result<> simulated_loop::finish(io::stream& stream) noexcept {
    enter_kernel();
    return world_.network_.finish(socket_of(stream));
}

void simulated_loop::close(io::stream& stream) noexcept {
    if (stream.closing) return;
    enter_kernel();
    if (stream.handle >= 0) {
        socket& subject = socket_of(stream);
        check_fingerprint(subject);
        world_.network_.close(subject);
    }
    stream.closing = true;
    stream.connecting = false;
    stream.wants_receive = false;
    const auto delay = world_.network_.answer_delay();
    world_.time_.after(delay, {.what = event::kind::closed_answer, .handle = -1, .loop = this, .stream = &stream});
}

std::size_t simulated_loop::unacknowledged_bytes(const io::stream& stream) const noexcept { return socket_of(stream).unacknowledged_bytes; }

/// As an engine that does not know how far its kernel is.
std::size_t simulated_loop::sent_unanswered_bytes_max(const io::stream& stream) const noexcept {
    return socket_of(stream).with_kernel ? stream.sending.size() : 0;
}

result<endpoint> simulated_loop::local_endpoint(const io::stream& stream) const noexcept { return socket_of(stream).local; }

result<endpoint> simulated_loop::remote_endpoint(const io::stream& stream) const noexcept {
    const socket& subject = socket_of(stream);
    if (subject.broken || stream.connecting) return kernel_failure(ENOTCONN);
    return subject.remote;
}

void simulated_loop::wake() noexcept {
    world_.check_thread();
    if (std::exchange(wake_due_, true)) return;
    world_.time_.after(world_.network_.answer_delay(), {.what = event::kind::wake, .handle = -1, .loop = this});
}

void simulated_loop::run_once(std::chrono::nanoseconds until) noexcept {
    ++counters_.waits;
    enter_kernel();
    world_.run_for(*this, until);
}

void simulated_loop::expire_timers() noexcept { turns_ += timers_.expire(world_.now()); }

void simulated_loop::check_fingerprint(const socket& of) const noexcept {
    if (of.stream->sending.empty() || of.sending_fingerprint == fingerprint(of.stream->sending)) return;
    world_.die("bytes were changed that belong to the engine until their send is answered");
}

void simulated_loop::answer(const event& what) noexcept {
    if (what.what == event::kind::wake) {
        wake_due_ = false;
        ++turns_;
        woken_twice_ = !woken_twice_ && world_.network_.strikes(world_.luck.duplicate_wakes, &injections::duplicate_wakes);
        if (woken_twice_) wake();
        return woken();
    }
    if (what.what == event::kind::closed_answer) return answer_close(*what.stream);
    if (what.what == event::kind::accept_answer) return answer_accept(*world_.network_.find_acceptor(what.handle));
    socket& subject = *world_.network_.find(what.handle);
    if (what.what == event::kind::connect_answer) return answer_connect(subject);
    if (what.what == event::kind::receive_answer) return answer_receive(subject);
    MNET_ASSERT(what.what == event::kind::send_answer, "what else is answered");
    answer_send(subject);
}

void simulated_loop::answer_connect(socket& of) noexcept {
    io::stream& stream = *of.stream;
    stream.connecting = false;
    ++turns_;
    if (!of.broken) {
        if (observer* const watching = world_.network_.watched_by()) watching->opened(of);
        return stream.connected({});
    }
    const int error = of.error;
    world_.network_.close(of);
    stream.handle = -1;
    stream.connected(kernel_failure(error));
}

void simulated_loop::answer_accept(acceptor& of) noexcept {
    of.answer_due = false;
    io::listener& listener = *of.listener;
    if (!listener.wants_accept) return;
    const auto outcome = world_.network_.accept(of);
    enter_kernel();
    if (!outcome) return;
    listener.wants_accept = false;
    if (*outcome) ++counters_.accepts;
    ++turns_;
    listener.accepted(*outcome);
}

void simulated_loop::answer_receive(socket& of) noexcept {
    of.receive_answer_due = false;
    io::stream& stream = *of.stream;
    if (!stream.wants_receive || !of.receivable()) return;
    ++turns_;
    const int handle = of.handle;
    const std::span<std::byte> target = stream.lend();
    socket* const still = world_.network_.find(handle);
    if (still == nullptr || still->stream != &stream || !stream.wants_receive) return;  // closed or withdrawn in `lend`
    enter_kernel();
    stream.wants_receive = false;
    if (target.empty()) return stream.received(failure(std::errc::not_enough_memory));
    const auto outcome = world_.network_.receive(*still, target);
    if (outcome) ++counters_.receives;
    stream.received(outcome);
}

void simulated_loop::answer_send(socket& of) noexcept {
    of.send_answer_due = false;
    io::stream& stream = *of.stream;
    if (stream.sending.empty()) return;
    enter_kernel();
    check_fingerprint(of);
    const std::size_t sent_before = std::exchange(of.sent_unanswered, 0);
    const auto outcome = sent_before > 0 ? result<std::size_t>(sent_before) : world_.network_.send(of, stream.sending);
    of.with_kernel = false;
    if (try_again(outcome)) return;
    if (outcome) ++counters_.sends;
    stream.sending = {};
    ++turns_;
    stream.sent(outcome);
}

void simulated_loop::answer_close(io::stream& stream) noexcept {
    ++turns_;
    stream.handle = -1;
    stream.sending = {};
    stream.closed();
}

}  // namespace mnet::inline v1::io::simulated
