// The client's end of an open loop on bare sockets: one thread polls many connections over epoll and writes what is due, all that is due
// of one connection in one `send`. See plain_sockets.hpp and open_loop.hpp.
#include "open_loop.hpp"
#include "plain_sockets.hpp"
#include "stamp.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace mnet::bench::plain {

struct paced_clients::state {
    struct client {
        base::unique_fd socket{};
        std::vector<std::byte> partial{};  // an answer that is not whole yet
        std::vector<std::byte> unsent{};   // what the kernel did not take; nothing more is written until it is gone
    };

    base::unique_fd poll{};
    std::size_t size = 0;
    std::size_t frame_bytes = 0;
    std::vector<client> clients{};
    std::vector<std::byte> output{};
    std::vector<std::byte> received{};
    std::array<epoll_event, 512> events{};
    std::uint64_t system_calls = 0;
    measurement measured{};
    std::error_code failed{};

    result<> add(const std::string& address);
    void write_due(open_loop& plan, std::size_t index);
    void send(client& to, std::span<const std::byte> bytes);
    void readable(open_loop& plan, std::size_t index);
    void writable(std::size_t index);
    void watch(std::size_t index, std::uint32_t events_wanted);
    void poll_once(open_loop& plan, std::uint64_t now);
};

result<> paced_clients::state::add(const std::string& address) {
    auto socket = connect_socket(address);
    if (!socket) return std::unexpected(socket.error());
    connection first(std::move(*socket), waiting::blocking, 0);
    if (auto sent = first.send_text(to_text(request{.work = work::echo, .size = size})); !sent) return sent;
    if (const auto ready = first.read(); !ready) return std::unexpected(ready.error());
    client& fresh = clients.emplace_back();
    fresh.socket = first.release();
    fresh.partial.reserve(frame_bytes);
    ::fcntl(fresh.socket.get(), F_SETFL, O_NONBLOCK);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = clients.size() - 1}};
    if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fresh.socket.get(), &event) != 0) return std::unexpected(last_error());
    return {};
}

void paced_clients::state::watch(std::size_t index, std::uint32_t events_wanted) {
    epoll_event event{.events = events_wanted, .data = {.u64 = index}};
    ::epoll_ctl(poll.get(), EPOLL_CTL_MOD, clients[index].socket.get(), &event);
    ++system_calls;
}

void paced_clients::state::send(client& to, std::span<const std::byte> bytes) {
    const ssize_t taken = ::send(to.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ++system_calls;
    if (taken < 0 && errno != EAGAIN && errno != EINTR) failed = last_error();
    bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(taken, 0)));
    if (bytes.empty()) return;
    to.unsent.insert(to.unsent.end(), bytes.begin(), bytes.end());
    watch(static_cast<std::size_t>(&to - clients.data()), static_cast<std::uint32_t>(EPOLLIN) | EPOLLOUT);
}

void paced_clients::state::write_due(open_loop& plan, std::size_t index) {
    client& mine = clients[index];
    while (mine.unsent.empty()) {
        std::size_t used = 0;
        for (; output.size() - used >= frame_bytes; used += frame_bytes) {
            const auto sequence = plan.next(index);
            if (!sequence) break;
            wire::store_length(output.data() + used, static_cast<std::uint32_t>(size));
            stamp({output.data() + used + wire::header_bytes, size}, *sequence);
            plan.wrote(index, now_ns());
        }
        if (used == 0) return;
        send(mine, {output.data(), used});
    }
}

void paced_clients::state::readable(open_loop& plan, std::size_t index) {
    client& mine = clients[index];
    std::size_t held = mine.partial.size();
    if (held != 0) std::memcpy(received.data(), mine.partial.data(), held);
    const ssize_t taken = ::recv(mine.socket.get(), received.data() + held, received.size() - held, 0);
    ++system_calls;
    if (taken == 0) failed = make_error_code(errc::end_of_stream);
    if (taken < 0 && errno != EAGAIN && errno != EINTR) failed = last_error();
    if (taken <= 0) return;
    held += static_cast<std::size_t>(taken);

    std::size_t begin = 0;
    while (held - begin >= wire::header_bytes) {
        const std::size_t length = wire::load_length(received.data() + begin);
        if (held - begin - wire::header_bytes < length) break;
        const std::uint64_t sequence = plan.answered(index, now_ns());
        if (intact({received.data() + begin + wire::header_bytes, length}, size, sequence)) {
            ++measured.delivered;
            measured.bytes += length;
        }
        begin += wire::header_bytes + length;
    }
    mine.partial.assign(received.begin() + static_cast<std::ptrdiff_t>(begin), received.begin() + static_cast<std::ptrdiff_t>(held));
}

void paced_clients::state::writable(std::size_t index) {
    client& mine = clients[index];
    const std::vector<std::byte> rest = std::exchange(mine.unsent, {});
    send(mine, rest);
    if (!mine.unsent.empty()) return;
    watch(index, EPOLLIN);
}

void paced_clients::state::poll_once(open_loop& plan, std::uint64_t now) {
    const std::uint64_t quiet_until = plan.quiet_until_ns();
    const auto sleep_ms = quiet_until > now ? std::min<std::uint64_t>((quiet_until - now + 999'999) / 1'000'000, 1000) : 0;
    const int ready = ::epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(sleep_ms));
    ++system_calls;
    if (ready < 0 && errno != EINTR) failed = last_error();
    for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(std::max(ready, 0)))) {
        if ((event.events & EPOLLOUT) != 0 && !clients[event.data.u64].unsent.empty()) writable(event.data.u64);
        if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) readable(plan, event.data.u64);
    }
}

paced_clients::paced_clients(std::unique_ptr<state> made) noexcept : state_(std::move(made)) {}
paced_clients::paced_clients(paced_clients&&) noexcept = default;
paced_clients& paced_clients::operator=(paced_clients&&) noexcept = default;
paced_clients::~paced_clients() = default;

result<paced_clients> paced_clients::open(const std::string& address, std::size_t count, std::size_t size) {
    auto made = std::make_unique<state>();
    made->poll.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!made->poll) return std::unexpected(last_error());
    made->size = size;
    made->frame_bytes = wire::header_bytes + size;
    made->received.resize(std::max(receive_buffer_bytes, made->frame_bytes));
    made->output.assign(std::max(send_buffer_bytes, made->frame_bytes), std::byte{0x5a});
    made->clients.reserve(count);
    for (std::size_t index = 0; index < count; ++index)
        if (auto added = made->add(address); !added) return std::unexpected(added.error());
    return paced_clients(std::move(made));
}

result<measurement> paced_clients::measure(open_loop& plan) {
    state& all = *state_;
    all.measured = {};
    all.failed = {};
    const usage before = usage_now(all.system_calls);
    plan.begin();
    const std::uint64_t start = now_ns();
    const auto patience_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(patience).count());
    plan.start(start);
    std::uint64_t now = start;
    while (!plan.done() && !all.failed && now < plan.closing_ns() + patience_ns) {
        plan.visit(now, [&](std::size_t index) { all.write_due(plan, index); });
        all.poll_once(plan, now);
        now = now_ns();
    }
    if (all.failed) return failure(all.failed);
    plan.end(now);
    all.measured.messages = plan.written();
    all.measured.elapsed_ns = now - start;
    all.measured.sender = usage_now(all.system_calls) - before;
    return all.measured;
}

}  // namespace mnet::bench::plain
