// The half of network.hpp in which bytes travel: sent, on their way, arrived, received; ended, reset, lost.
#include "io/simulated/network.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace mnet::inline v1::io::simulated {
namespace {

// How long Linux tries to get bytes across, with tcp_retries2 as it comes (tcp(7), net.ipv4.tcp_retries2).
constexpr std::chrono::milliseconds retries_end{924'600};

// Between two tries to get a segment across: doubled each time, within these (RFC 6298, and Linux's TCP_RTO_MIN and TCP_RTO_MAX).
constexpr std::chrono::milliseconds first_retry{200};
constexpr std::chrono::seconds longest_retry{120};

}  // namespace

result<std::size_t> network::receive(socket& from, std::span<std::byte> target) {
    MNET_ASSERT(!target.empty(), "a receive has room");
    if (const std::size_t available = std::min(from.received.size(), target.size()); available > 0) {
        const std::size_t count =
            strikes(faults_.short_receives, &injections::short_receives) ? dice_.between(std::size_t{1}, available) : available;
        from.received.take(target.first(count));
        if (observer_ != nullptr) observer_->given(from, target.first(count));
        note("receive: bytes", from.handle, static_cast<std::int64_t>(count));
        probe_window_of(from);
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
    if (from.unacknowledged_bytes >= faults_.send_buffer_bytes) {
        count(&injections::full_buffers);
        return kernel_failure(EAGAIN);
    }
    const std::size_t room = std::min(faults_.send_buffer_bytes - from.unacknowledged_bytes, bytes.size());
    const std::size_t sent = strikes(faults_.short_sends, &injections::short_sends) ? dice_.between(std::size_t{1}, room) : room;
    const auto taken = bytes.first(sent);
    from.unacknowledged_bytes += sent;
    enqueue(from, {.bytes = {taken.begin(), taken.end()}, .delivered = 0, .end = false, .arrives = {}});
    note("send: bytes", from.handle, static_cast<std::int64_t>(sent));
    if (observer_ != nullptr) observer_->taken(from, taken);
    return sent;
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
    if (observer_ != nullptr) observer_->left(from);
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
    auto leaves = time_.now();
    if (faults_.bandwidth_bytes > 0) {
        const auto on_the_line_ns = static_cast<double>(what.bytes.size()) * 1e9 / static_cast<double>(faults_.bandwidth_bytes);
        leaves = std::max(leaves, from.line_free_at) + std::chrono::nanoseconds(static_cast<std::int64_t>(on_the_line_ns));
        from.line_free_at = leaves;
    }
    what.arrives = leaves + latency();
    from.in_flight.push_back(std::move(what));
    if (from.in_flight.size() == 1) schedule_delivery(from);
    watch_for_loss(from);
}

void network::schedule_delivery(socket& from) {
    time_.after(from.in_flight.front().arrives - time_.now(), {.what = event::kind::segment_arrives, .handle = from.handle});
}

void network::segment_arrives(socket& from) {
    if (from.vanished || from.in_flight.empty()) return;
    if (from.machine != from.peer_machine && dice_.chance(faults_.partitions)) {
        part(from.machine, from.peer_machine, time_.now() + dice_.between(faults_.partition_length.min, faults_.partition_length.max));
    }
    if (between(from) != nullptr) return try_again(from);
    from.tries = 0;
    socket* const to = find(from.peer);
    if (to == nullptr || to->orphan || to->broken) return deliver_to_nobody(from);
    if (dice_.chance(faults_.resets)) return reset(from);
    if (dice_.chance(faults_.vanishings)) return vanish(from);
    deliver(from, *to);
}

/// The machines are cut off from each other: once more, later and later.
void network::try_again(socket& from) {
    const auto doubled = std::chrono::nanoseconds(first_retry) * (std::int64_t{1} << std::min(from.tries++, 10U));
    time_.after(std::min<std::chrono::nanoseconds>(doubled, longest_retry), {.what = event::kind::segment_arrives, .handle = from.handle});
    watch_for_loss(from);
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
    std::size_t arrived = std::min(first.bytes.size() - first.delivered, room);
    if (from.cut_after) arrived = std::min(arrived, *from.cut_after);
    to.received.put(std::span(first.bytes).subspan(first.delivered, arrived));
    first.delivered += arrived;
    from.unacknowledged_bytes -= arrived;
    if (arrived > 0) from.progressed = time_.now();
    note("bytes arrive", to.handle, static_cast<std::int64_t>(arrived));
    if (from.cut_after) {
        *from.cut_after -= arrived;
        if (*from.cut_after == 0) return reset(from);
    }
    if (first.delivered == first.bytes.size()) {
        from.in_flight.pop_front();
        if (!from.in_flight.empty()) schedule_delivery(from);
    } else {
        count(&injections::full_buffers);
        from.zero_window = true;
    }
    tell_receiver(to);
    tell_sender(from);
}

void network::reset(socket& either_end) {
    note("reset", either_end.handle, either_end.peer);
    count(&injections::resets);
    socket* const peer = find(either_end.peer);
    break_off(either_end, ECONNRESET);
    if (peer != nullptr) break_off(*peer, ECONNRESET);
}

void network::vanish(socket& either_end) {
    note("vanish", either_end.handle, either_end.peer);
    count(&injections::vanishings);
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

void network::part(int one, int other, std::chrono::nanoseconds until) {
    if (one == other) return;
    partition& apart = partitions_[std::minmax(one, other)];
    if (apart.until > time_.now()) {
        apart.until = std::max(apart.until, until);
        return;
    }
    apart = {.since = time_.now(), .until = until};
    note("partition: of machines", one, other);
    count(&injections::partitions);
    std::vector<int> handles;
    for (const auto& [handle, end] : sockets_) {
        if (between(*end) != nullptr) handles.push_back(handle);
    }
    std::ranges::sort(handles);  // the order of a hash table is not part of a seed
    for (const int handle : handles) watch_for_loss(*find(handle));
}

void network::reunite(int one, int other) {
    if (partitions_.erase(std::minmax(one, other)) > 0) note("reunion: of machines", one, other);
}

/// What keeps the two ends apart now, if anything does.
const network::partition* network::between(const socket& of) const noexcept {
    if (partitions_.empty() || of.machine == of.peer_machine) return nullptr;
    const auto found = partitions_.find(std::minmax(of.machine, of.peer_machine));
    return found == partitions_.end() || found->second.until <= time_.now() ? nullptr : &found->second;
}

void network::slow_down(socket& end) noexcept {
    if (std::exchange(end.slow, true)) return;
    note("reads slowly", end.handle);
    count(&injections::slow_readers);
}

/// Who waits for this one's window looks again, and so finds out what became of it.
void network::probe_window_of(const socket& receiver) {
    socket* const peer = find(receiver.peer);
    if (peer == nullptr || !std::exchange(peer->zero_window, false)) return;
    time_.after(latency(), {.what = event::kind::segment_arrives, .handle = peer->handle});
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
    probe_window_of(of);
    tell_receiver(of);
    tell_sender(of);
}

void network::tell_receiver(socket& of) {
    if (of.stream == nullptr || !of.stream->wants_receive || of.receive_answer_due || !of.receivable()) return;
    of.receive_answer_due = true;
    const auto slowness = of.slow ? dice_.between(faults_.slow_read_delay.min, faults_.slow_read_delay.max) : std::chrono::nanoseconds(0);
    time_.after(answer_delay() + slowness, {.what = event::kind::receive_answer, .handle = of.handle});
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
    const partition* const apart = between(of);
    const bool unreachable = of.vanished || apart != nullptr;
    if (waiting && limited) earliest = of.progressed + of.settings.user_timeout;
    if (waiting && !limited && unreachable) earliest = of.progressed + retries_end;
    if (unreachable && of.settings.keep_alive.count() > 0) {
        const auto since = of.vanished ? of.vanished_at : apart->since;
        earliest = std::min(earliest, since + std::chrono::nanoseconds(of.settings.keep_alive));
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
            if (subject->vanished) return;
            if (between(*subject) == nullptr) return break_off(*subject, ECONNRESET);
            if (std::exchange(subject->zero_window, false)) try_again(*subject);  // the reset is lost; probing the window finds out
            return;
        case event::kind::loss_check:
            return check_loss(*subject);
        default:
            MNET_ASSERT(false, "answers are the loops'");
    }
}

}  // namespace mnet::inline v1::io::simulated
