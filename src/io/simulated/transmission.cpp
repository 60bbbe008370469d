// The half of network.hpp in which bytes travel: sent, on their way, arrived, received; ended, reset, lost.
#include "io/simulated/network.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace mnet::inline v1::io::simulated {
namespace {

// How long Linux tries to get bytes across, with tcp_retries2 as it comes (tcp(7), net.ipv4.tcp_retries2).
constexpr std::chrono::milliseconds retries_end{924'600};

}  // namespace

result<std::size_t> network::receive(socket& from, std::span<std::byte> target) {
    MNET_ASSERT(!target.empty(), "a receive has room");
    if (const std::size_t available = std::min(from.received.size(), target.size()); available > 0) {
        const std::size_t count = dice_.chance(faults_.short_receives) ? dice_.between(std::size_t{1}, available) : available;
        from.received.take(target.first(count));
        note("receive: bytes", from.handle, static_cast<std::int64_t>(count));
        if (socket* const peer = find(from.peer); peer != nullptr && peer->zero_window) {
            peer->zero_window = false;
            time_.after(latency(), {.what = event::kind::segment_arrives, .handle = peer->handle});
        }
        return count;
    }
    if (from.error != 0) {
        note("receive: errno", from.handle, from.error);
        return kernel_failure(std::exchange(from.error, 0));
    }
    if (from.peer_finished || from.broken) return 0;
    return kernel_failure(EAGAIN);
}

result<std::size_t> network::send(socket& from, std::span<const std::byte> bytes) {
    MNET_ASSERT(!bytes.empty(), "a send has bytes");
    if (from.error != 0) {
        note("send: errno", from.handle, from.error);
        return kernel_failure(std::exchange(from.error, 0));
    }
    if (from.broken || from.finished) return kernel_failure(EPIPE);
    if (from.unacknowledged_bytes >= faults_.send_buffer_bytes) return kernel_failure(EAGAIN);
    const std::size_t room = std::min(faults_.send_buffer_bytes - from.unacknowledged_bytes, bytes.size());
    const std::size_t count = dice_.chance(faults_.short_sends) ? dice_.between(std::size_t{1}, room) : room;
    const auto taken = bytes.first(count);
    from.unacknowledged_bytes += count;
    enqueue(from, {.bytes = {taken.begin(), taken.end()}, .delivered = 0, .end = false, .arrives = {}});
    note("send: bytes", from.handle, static_cast<std::int64_t>(count));
    return count;
}

result<> network::finish(socket& from) {
    if (from.broken || from.peer < 0) return kernel_failure(ENOTCONN);
    if (from.finished) return {};
    from.finished = true;
    note("finish", from.handle);
    enqueue(from, {.bytes = {}, .delivered = 0, .end = true, .arrives = {}});
    tell_sender(from);
    return {};
}

void network::close(socket& from) {
    note("close", from.handle, from.peer);
    from.stream = nullptr;
    from.loop = nullptr;
    if (std::exchange(from.held, false)) --held_;
    from.orphan = true;
    const bool peer_knows = from.broken || from.vanished || from.peer < 0;
    if (peer_knows) return destroy(from);
    if (!from.received.empty()) {
        note("closed with bytes unreceived: reset", from.handle, static_cast<std::int64_t>(from.received.size()));
        time_.after(latency(), {.what = event::kind::reset_arrives, .handle = from.peer});
        return destroy(from);
    }
    if (!from.finished) enqueue(from, {.bytes = {}, .delivered = 0, .end = true, .arrives = {}});
    from.finished = true;
    if (from.in_flight.empty()) destroy(from);
}

void network::enqueue(socket& from, segment&& what) {
    if (from.in_flight.empty()) from.progressed = time_.now();
    what.arrives = time_.now() + latency();
    from.in_flight.push_back(std::move(what));
    if (from.in_flight.size() == 1) schedule_delivery(from);
    watch_for_loss(from);
}

void network::schedule_delivery(socket& from) {
    time_.after(from.in_flight.front().arrives - time_.now(), {.what = event::kind::segment_arrives, .handle = from.handle});
}

void network::segment_arrives(socket& from) {
    if (from.vanished || from.in_flight.empty()) return;
    socket* const to = find(from.peer);
    if (to == nullptr || to->orphan || to->broken) return deliver_to_nobody(from);
    if (dice_.chance(faults_.resets)) return reset(from);
    if (dice_.chance(faults_.vanishings)) return vanish(from);
    deliver(from, *to);
}

// The peer's socket is closed or lost: it takes our end without a word, and answers bytes with a reset.
void network::deliver_to_nobody(socket& from) {
    if (from.in_flight.front().end) {
        from.in_flight.pop_front();
        if (from.orphan) destroy(from);
        return;
    }
    note("bytes for a closed socket: reset", from.handle, from.peer);
    if (socket* const peer = find(from.peer); peer != nullptr && peer->orphan) destroy(*peer);
    break_off(from, ECONNRESET);
}

void network::deliver(socket& from, socket& to) {
    segment& first = from.in_flight.front();
    if (first.end) {
        note("end arrives", to.handle, from.handle);
        to.peer_finished = true;
        from.in_flight.pop_front();
        if (from.orphan) destroy(from);
        return tell_receiver(to);
    }

    const std::size_t room = faults_.receive_buffer_bytes - std::min(faults_.receive_buffer_bytes, to.received.size());
    std::size_t count = std::min(first.bytes.size() - first.delivered, room);
    if (from.cut_after) count = std::min(count, *from.cut_after);
    to.received.put(std::span(first.bytes).subspan(first.delivered, count));
    first.delivered += count;
    from.unacknowledged_bytes -= count;
    if (count > 0) from.progressed = time_.now();
    note("bytes arrive", to.handle, static_cast<std::int64_t>(count));
    if (from.cut_after) {
        *from.cut_after -= count;
        if (*from.cut_after == 0) return reset(from);
    }
    if (first.delivered == first.bytes.size()) {
        from.in_flight.pop_front();
        if (!from.in_flight.empty()) schedule_delivery(from);
    } else {
        from.zero_window = true;
    }
    tell_receiver(to);
    tell_sender(from);
}

void network::reset(socket& either_end) {
    note("reset", either_end.handle, either_end.peer);
    socket* const peer = find(either_end.peer);
    break_off(either_end, ECONNRESET);
    if (peer != nullptr) break_off(*peer, ECONNRESET);
}

void network::vanish(socket& either_end) {
    note("vanish", either_end.handle, either_end.peer);
    for (socket* const end : {&either_end, find(either_end.peer)}) {
        if (end == nullptr) continue;
        end->vanished = true;
        end->vanished_at = time_.now();
        if (end->orphan) {
            destroy(*end);
        } else {
            watch_for_loss(*end);
        }
    }
}

// What arrived stays, what is on its way is gone.
void network::break_off(socket& of, int error) {
    if (of.broken) return;
    if (of.orphan) return destroy(of);
    note("broken: errno", of.handle, error);
    of.broken = true;
    of.error = error == ECONNRESET && of.peer_finished ? EPIPE : error;  // tcp_reset() of Linux, in CLOSE_WAIT
    of.in_flight.clear();
    of.unacknowledged_bytes = 0;
    of.zero_window = false;
    tell_receiver(of);
    tell_sender(of);
}

void network::tell_receiver(socket& of) {
    if (of.stream == nullptr || !of.stream->wants_receive || of.receive_answer_due || !of.receivable()) return;
    of.receive_answer_due = true;
    time_.after(answer_delay(), {.what = event::kind::receive_answer, .handle = of.handle});
}

void network::tell_sender(socket& of) {
    if (of.stream == nullptr || of.stream->sending.empty() || of.send_answer_due) return;
    const bool room = of.unacknowledged_bytes < faults_.send_buffer_bytes;
    if (!room && !of.finished && !of.broken) return;
    of.send_answer_due = true;
    time_.after(answer_delay(), {.what = event::kind::send_answer, .handle = of.handle});
}

std::optional<std::chrono::nanoseconds> network::lost_at(const socket& of) const noexcept {
    auto earliest = never;
    const bool waiting = !of.in_flight.empty();
    const bool limited = of.settings.user_timeout.count() > 0;
    if (waiting && limited) earliest = of.progressed + of.settings.user_timeout;
    if (waiting && !limited && of.vanished) earliest = of.progressed + retries_end;
    if (of.vanished && of.settings.keep_alive.count() > 0) {
        earliest = std::min(earliest, of.vanished_at + std::chrono::nanoseconds(of.settings.keep_alive));
    }
    if (of.broken || earliest == never) return std::nullopt;
    return earliest;
}

void network::watch_for_loss(socket& of) {
    const auto due = lost_at(of);
    if (!due || *due >= of.loss_check_at) return;
    of.loss_check_at = *due;
    time_.after(*due - time_.now(), {.what = event::kind::loss_check, .handle = of.handle});
}

void network::check_loss(socket& of) {
    of.loss_check_at = never;
    const auto due = lost_at(of);
    if (!due || *due > time_.now()) return watch_for_loss(of);
    if (of.orphan) return destroy(of);
    break_off(of, ETIMEDOUT);
}

void network::handle(const event& what) {
    socket* const subject = find(what.handle);
    if (subject == nullptr) return;
    switch (what.what) {
        case event::kind::connect_arrives:
            return connect_arrives(*subject);
        case event::kind::segment_arrives:
            return segment_arrives(*subject);
        case event::kind::reset_arrives:
            if (!subject->vanished) break_off(*subject, ECONNRESET);
            return;
        case event::kind::loss_check:
            return check_loss(*subject);
        default:
            MNET_ASSERT(false, "answers are the loops'");
    }
}

}  // namespace mnet::inline v1::io::simulated
