// See network.hpp: the half of it in which connections come about. What they carry is transmission.cpp's.
#include "io/simulated/network.hpp"

#include "base/assert.hpp"
#include "io/simulated/addresses.hpp"
#include "io/simulated/simulated_loop.hpp"

#include <algorithm>
#include <cerrno>

namespace mnet::inline v1::io::simulated {
namespace {

constexpr std::chrono::seconds connect_retry{1};  // of the SYN (RFC 6298)
constexpr int connects_max = 128;

}  // namespace

socket* network::find(int handle) noexcept {
    const auto found = sockets_.find(handle);
    return found == sockets_.end() ? nullptr : found->second.get();
}

acceptor* network::find_acceptor(int handle) noexcept {
    const auto found = acceptors_.find(handle);
    return found == acceptors_.end() ? nullptr : found->second.get();
}

void network::hold(socket& taken) noexcept {
    if (!taken.held) ++held_;
    taken.held = true;
}

socket& network::make_socket(int machine, int peer_machine) {
    auto made = std::make_unique<socket>();
    made->handle = next_handle_++;
    made->machine = machine;
    made->peer_machine = peer_machine;
    socket& where = *made;
    sockets_.emplace(where.handle, std::move(made));
    return where;
}

void network::destroy(socket& gone) {
    MNET_ASSERT(gone.stream == nullptr && !gone.held, "a socket goes only after its process let go of it");
    sockets_.erase(gone.handle);
}

std::uint16_t network::next_port() {
    for (;;) {
        last_port_ = last_port_ == 65535 ? std::uint16_t{49152} : static_cast<std::uint16_t>(last_port_ + 1);
        const auto used = [&](const auto& place) { return place->where.port() == last_port_; };
        if (std::ranges::none_of(bound_, used)) return last_port_;
    }
}

bool network::taken(const endpoint& where, bool reuse_port) const noexcept {
    return std::ranges::any_of(
        bound_, [&](const auto& place) { return collide(place->where, where) && !(reuse_port && place->reuse_port && !where.is_unix()); });
}

result<endpoint> network::listen(simulated_loop& loop, io::listener& listener, const endpoint& where, const listen_settings& settings) {
    MNET_ASSERT(listener.handle < 0, "a listener listens in one place at a time");
    if (full()) {
        count(&injections::full_tables);
        return kernel_failure(EMFILE);
    }
    std::shared_ptr<bound_address> place;
    if (settings.along != nullptr) {
        const acceptor* const other = find_acceptor(settings.along->handle);
        MNET_ASSERT(other != nullptr, "who is listened along with, listens");
        place = other->place;
    } else {
        if (where.family() == AF_UNSPEC) return kernel_failure(EAFNOSUPPORT);
        const bool any_port = !where.is_unix() && where.port() == 0;
        const endpoint resolved = any_port ? with_port(where, next_port()) : where;
        if (taken(resolved, settings.reuse_port)) return kernel_failure(EADDRINUSE);
        place = std::make_shared<bound_address>(bound_address{
            .where = resolved,
            .machine = loop.machine(),
            .reuse_port = settings.reuse_port,
            .backlog_max = static_cast<std::size_t>(std::max(settings.backlog, 0)) + 1,
            .backlog = {},
        });
        bound_.push_back(place);
    }
    const int handle = next_handle_++;
    ++held_;
    listener.handle = handle;
    acceptors_.emplace(handle, std::make_unique<acceptor>(acceptor{handle, &loop, &listener, place}));
    note("listen: port", handle, place->where.port());
    return place->where;
}

void network::close(io::listener& listener) {
    if (find_acceptor(listener.handle) == nullptr) return;
    close_acceptor(listener.handle);
    listener.handle = -1;
    listener.wants_accept = false;
}

/// Does not touch the listener, which may be gone.
void network::close_acceptor(int handle) {
    note("close listener", handle);
    const std::shared_ptr<bound_address> place = find_acceptor(handle)->place;
    acceptors_.erase(handle);
    --held_;
    if (std::ranges::any_of(acceptors_, [&](const auto& other) { return other.second->place == place; })) return;
    std::erase(bound_, place);
    for (const int waiting : place->backlog) {
        socket* const dropped = find(waiting);
        if (dropped == nullptr) continue;
        dropped->orphan = true;
        time_.after(latency(), {.what = event::kind::reset_arrives, .handle = dropped->peer});
        destroy(*dropped);
    }
}

void network::connect(simulated_loop& loop, io::stream& stream, const endpoint& where) {
    const bool no_handle = full();
    socket& client = make_socket(loop.machine(), loop.machine());
    client.loop = &loop;
    client.stream = &stream;
    client.dialed = true;
    client.remote = where;
    client.local = where.is_unix() ? unnamed() : with_port(where, next_port());
    hold(client);
    stream.handle = client.handle;
    note("connect: port", client.handle, where.port());
    if (no_handle) {
        count(&injections::full_tables);
        refuse(client, EMFILE);
    } else {
        time_.after(latency(), {.what = event::kind::connect_arrives, .handle = client.handle});
    }
}

void network::refuse(socket& client, int error) {
    note("connect refused: errno", client.handle, error);
    client.error = error;
    client.broken = true;
    time_.after(latency(), {.what = event::kind::connect_answer, .handle = client.handle});
}

void network::retry_connect(socket& client) {
    if (++client.connects_tried >= connects_max) return refuse(client, ETIMEDOUT);
    time_.after(connect_retry, {.what = event::kind::connect_arrives, .handle = client.handle});
}

/// Of several listeners that share a port, any.
std::shared_ptr<bound_address> network::choose(const endpoint& target) {
    std::vector<std::shared_ptr<bound_address>> candidates;
    std::ranges::copy_if(bound_, std::back_inserter(candidates), [&](const auto& place) { return reaches(target, place->where); });
    if (candidates.empty()) return nullptr;
    return candidates[dice_.between(std::size_t{0}, candidates.size() - 1)];
}

void network::connect_arrives(socket& client) {
    if (client.stream == nullptr || client.broken) return;
    if (client.vanished) return retry_connect(client);
    const std::shared_ptr<bound_address> place = choose(client.remote);
    if (place == nullptr) {
        const bool no_file = client.remote.is_unix() && !client.remote.text().starts_with("unix://@");
        return refuse(client, no_file ? ENOENT : ECONNREFUSED);
    }
    client.peer_machine = place->machine;
    if (between(client) != nullptr) return retry_connect(client);
    if (strikes(faults_.refusals, &injections::refusals)) return refuse(client, ECONNREFUSED);
    if (place->backlog.size() >= place->backlog_max) return retry_connect(client);

    socket& server = make_socket(place->machine, client.machine);
    server.peer = client.handle;
    server.local = client.remote;
    server.remote = client.local;
    client.peer = server.handle;
    for (socket* const end : {&client, &server}) {
        if (dice_.chance(faults_.slow_readers)) slow_down(*end);
    }
    place->backlog.push_back(server.handle);
    note("connection waits to be accepted", server.handle, client.handle);
    time_.after(latency(), {.what = event::kind::connect_answer, .handle = client.handle});
    for (const auto& [handle, acceptor] : acceptors_) {
        if (acceptor->place == place) tell_acceptor(*acceptor);
    }
}

void network::tell_acceptor(acceptor& of) {
    if (!of.listener->wants_accept || of.answer_due || of.place->backlog.empty()) return;
    of.answer_due = true;
    const auto slowness = dice_.between(faults_.accept_delay.min, faults_.accept_delay.max);
    time_.after(answer_delay() + slowness, {.what = event::kind::accept_answer, .handle = of.handle});
}

std::optional<result<int>> network::accept(acceptor& from) {
    if (from.place->backlog.empty()) return std::nullopt;
    if (full() || dice_.chance(faults_.accept_failures)) {
        count(&injections::full_tables);
        note("accept: no handles left", from.handle);
        return kernel_failure(EMFILE);
    }
    const int handle = from.place->backlog.front();
    from.place->backlog.pop_front();
    socket* const accepted = find(handle);
    MNET_ASSERT(accepted != nullptr, "a connection waits in its backlog until it is accepted");
    hold(*accepted);
    note("accept", handle, from.handle);
    return handle;
}

std::chrono::nanoseconds network::answer_delay() {
    if (!strikes(faults_.late_answers, &injections::late_answers)) return std::chrono::nanoseconds::zero();
    return dice_.between(faults_.answer_delay.min, faults_.answer_delay.max);
}

void network::forget(const simulated_loop& loop) {
    std::vector<int> streams;
    for (const auto& [handle, socket] : sockets_) {
        if (socket->loop == &loop) streams.push_back(handle);
    }
    std::ranges::sort(streams);  // the order of a hash table is not part of a seed
    for (const int handle : streams) close(*find(handle));
    std::vector<int> listeners;
    for (const auto& [handle, acceptor] : acceptors_) {
        if (acceptor->loop == &loop) listeners.push_back(handle);
    }
    for (const int handle : listeners) close_acceptor(handle);
}

}  // namespace mnet::inline v1::io::simulated
