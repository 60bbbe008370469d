// The plain server: one thread, epoll for the many connections that echo or ask, and a blocking connection of its own for the one that
// streams or plays ping-pong, as long as that lasts. See plain_sockets.hpp.
#include "plain_sockets.hpp"

#include <mnet/allocation_counter.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mnet::bench::plain {

namespace {

constexpr std::size_t frame_bytes_max = wire::header_bytes + wire::length_max;

struct session {
    base::unique_fd socket{};
    bool echoes = false;               // its first message was read, and asked for it
    std::vector<std::byte> partial{};  // a frame that is not whole yet
    std::vector<std::byte> unsent{};   // what the kernel did not take; nothing more is read until it is gone
};

class server {
public:
    server(base::unique_fd listening, waiting how) : listening_(std::move(listening)), how_(how) {}
    std::error_code run();

private:
    void accept_all();
    void readable(session& session);
    void writable(session& session);
    void echo(session& session, std::span<const std::byte> frames);
    void end(session& session) { sessions_[static_cast<std::size_t>(session.socket.get())] = {}; }
    bool handle(session& session, std::span<const std::byte> payload);
    bool serve_alone(session& session, const request& request);
    void watch(const session& session, std::uint32_t events);

    base::unique_fd listening_;
    waiting how_;
    base::unique_fd poll_{};
    std::vector<session> sessions_{};  // by descriptor
    std::vector<std::byte> received_ = std::vector<std::byte>(receive_buffer_bytes);
    std::array<epoll_event, 512> events_{};
    std::uint64_t system_calls_ = 0;
};

std::error_code server::run() {
    poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll_) return last_error();
    epoll_event event{.events = EPOLLIN, .data = {.fd = listening_.get()}};
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, listening_.get(), &event) != 0) return last_error();

    std::uint64_t spin_until = 0;
    for (;;) {
        const bool spins = how_ == waiting::spinning && now_ns() < spin_until;
        const int ready = ::epoll_wait(poll_.get(), events_.data(), static_cast<int>(events_.size()), spins ? 0 : -1);
        ++system_calls_;
        if (ready < 0 && errno != EINTR) return last_error();
        for (const epoll_event& happened : std::span(events_).first(static_cast<std::size_t>(std::max(ready, 0)))) {
            if (happened.data.fd == listening_.get()) {
                accept_all();
                continue;
            }
            session& session = sessions_[static_cast<std::size_t>(happened.data.fd)];
            if (!session.unsent.empty())
                writable(session);
            else
                readable(session);
        }
        if (ready > 0 && how_ == waiting::spinning)
            spin_until = now_ns() + static_cast<std::uint64_t>(std::chrono::nanoseconds(spin_time).count());
    }
}

void server::accept_all() {
    for (;;) {
        base::unique_fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        ++system_calls_;
        if (!socket) return;
        const int on = 1;
        ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // fails on a Unix socket, which has no such delay
        epoll_event event{.events = EPOLLIN, .data = {.fd = socket.get()}};
        if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket.get(), &event) != 0) continue;
        const auto index = static_cast<std::size_t>(socket.get());
        if (sessions_.size() <= index) sessions_.resize(index + 1);
        sessions_[index].socket = std::move(socket);
    }
}

void server::watch(const session& session, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.fd = session.socket.get()}};
    ::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, session.socket.get(), &event);
    ++system_calls_;
}

void server::readable(session& session) {
    std::size_t held = session.partial.size();
    if (held != 0) {
        std::size_t wanted = held;
        if (held >= wire::header_bytes) wanted = wire::header_bytes + wire::load_length(session.partial.data());
        if (wanted > frame_bytes_max) return end(session);
        if (wanted > received_.size()) received_.resize(wanted);
        std::memcpy(received_.data(), session.partial.data(), held);
    }
    const ssize_t taken = ::recv(session.socket.get(), received_.data() + held, received_.size() - held, 0);
    ++system_calls_;
    if (taken < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (taken <= 0) return end(session);
    held += static_cast<std::size_t>(taken);

    std::size_t begin = 0;
    while (held - begin >= wire::header_bytes) {
        const std::size_t length = wire::load_length(received_.data() + begin);
        if (held - begin - wire::header_bytes < length) break;
        const std::span payload(received_.data() + begin + wire::header_bytes, length);
        begin += wire::header_bytes + length;
        if (session.echoes) continue;
        if (!handle(session, payload)) return end(session);
        // The client awaits the answer before it goes on, so that nothing of another frame is here.
        if (begin != held) return end(session);
        return;
    }
    session.partial.assign(received_.begin() + static_cast<std::ptrdiff_t>(begin), received_.begin() + static_cast<std::ptrdiff_t>(held));
    if (begin != 0) echo(session, std::span(received_).first(begin));  // whole frames go back as they came
}

void server::echo(session& session, std::span<const std::byte> frames) {
    const ssize_t taken = ::send(session.socket.get(), frames.data(), frames.size(), MSG_NOSIGNAL);
    ++system_calls_;
    if (taken < 0 && errno != EAGAIN && errno != EINTR) return end(session);
    const auto rest = frames.subspan(static_cast<std::size_t>(std::max<ssize_t>(taken, 0)));
    if (rest.empty()) return;
    session.unsent.assign(rest.begin(), rest.end());
    watch(session, EPOLLOUT);
}

void server::writable(session& session) {
    const ssize_t taken = ::send(session.socket.get(), session.unsent.data(), session.unsent.size(), MSG_NOSIGNAL);
    ++system_calls_;
    if (taken < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (taken < 0) return end(session);
    session.unsent.erase(session.unsent.begin(), session.unsent.begin() + taken);
    if (session.unsent.empty()) watch(session, EPOLLIN);
}

bool server::handle(session& session, std::span<const std::byte> payload) {
    const auto request = [&] {
        const diagnostics::uncounted_allocations pause;
        return parse_request({reinterpret_cast<const char*>(payload.data()), payload.size()});
    }();
    if (!request || request->size > wire::length_max) return false;
    if (request->work == work::stream || request->work == work::pingpong) return serve_alone(session, *request);

    const diagnostics::uncounted_allocations pause;
    session.echoes = request->work == work::echo;
    const answer counters{.usage = usage_now(system_calls_), .resident_bytes = resident_bytes()};
    connection once(std::move(session.socket), waiting::blocking, 0);
    const bool sent = once.send_text(session.echoes ? std::string(ready_text) : to_text(counters)).has_value();
    session.socket = once.release();
    return sent;
}

bool server::serve_alone(session& session, const request& request) {
    const int socket = session.socket.get();
    const int flags = ::fcntl(socket, F_GETFL);
    ::fcntl(socket, F_SETFL, flags & ~O_NONBLOCK);
    connection alone(std::move(session.socket), how_, static_cast<std::size_t>(request.size));
    const auto served = request.work == work::stream ? receive_stream(alone, request) : answer_pingpong(alone, request);
    session.socket = alone.release();
    ::fcntl(socket, F_SETFL, flags);
    return served.has_value();
}

}  // namespace

std::error_code serve(base::unique_fd listening, waiting how) { return server(std::move(listening), how).run(); }

}  // namespace mnet::bench::plain
