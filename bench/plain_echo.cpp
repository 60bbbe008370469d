// The client's end of many plain connections that echo: one thread, epoll, one pair of buffers for all. See plain_sockets.hpp.
#include "plain_sockets.hpp"
#include "stamp.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace mnet::bench::plain {

namespace {

struct echo_client {
    base::unique_fd socket{};
    std::vector<std::byte> partial{};  // a frame that is not whole yet
    std::vector<std::byte> unsent{};   // what the kernel did not take
    std::uint64_t sent = 0;            // messages in this round, and replies to them
    std::uint64_t answered = 0;
    bool waits_for_room = false;
};

}  // namespace

struct echo_clients::state {
    base::unique_fd poll{};
    waiting how{};
    std::size_t depth = 1;
    std::size_t size = 0;
    std::vector<echo_client> clients{};
    std::vector<std::byte> source{};
    std::unique_ptr<std::byte[]> received{};
    std::size_t received_capacity = 0;
    std::unique_ptr<std::byte[]> output{};
    std::size_t output_capacity = 0;
    std::uint64_t system_calls = 0;
    std::array<epoll_event, 512> events{};

    bool stopping = false;
    std::size_t in_flight = 0;
    measurement measured{};

    result<> add(const std::string& address);
    void watch(echo_client& client, bool for_room) noexcept;
    result<> write(echo_client& client, std::span<const std::byte> bytes);
    result<> ask_again(echo_client& client, std::size_t messages);
    result<> readable(echo_client& client);
    result<> writable(echo_client& client);
};

result<> echo_clients::state::add(const std::string& address) {
    auto socket = connect_socket(address);
    if (!socket) return std::unexpected(socket.error());
    connection first(std::move(*socket), waiting::blocking, 0);
    if (auto sent = first.send_text(to_text(request{.work = work::echo, .size = size})); !sent) return sent;
    const auto ready = first.read();
    if (!ready) return std::unexpected(ready.error());
    echo_client& client = clients.emplace_back();
    client.socket = first.release();
    ::fcntl(client.socket.get(), F_SETFL, O_NONBLOCK);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = clients.size() - 1}};
    if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, client.socket.get(), &event) != 0) return std::unexpected(last_error());
    return {};
}

void echo_clients::state::watch(echo_client& client, bool for_room) noexcept {
    if (client.waits_for_room == for_room) return;
    client.waits_for_room = for_room;
    const std::uint32_t wanted = for_room ? static_cast<std::uint32_t>(EPOLLIN) | EPOLLOUT : static_cast<std::uint32_t>(EPOLLIN);
    epoll_event event{.events = wanted, .data = {.u64 = static_cast<std::uint64_t>(&client - clients.data())}};
    ::epoll_ctl(poll.get(), EPOLL_CTL_MOD, client.socket.get(), &event);
    ++system_calls;
}

result<> echo_clients::state::write(echo_client& client, std::span<const std::byte> bytes) {
    if (client.unsent.empty()) {
        const ssize_t taken = ::send(client.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ++system_calls;
        if (taken < 0 && errno != EAGAIN && errno != EINTR) return std::unexpected(last_error());
        if (taken > 0) bytes = bytes.subspan(static_cast<std::size_t>(taken));
    }
    client.unsent.insert(client.unsent.end(), bytes.begin(), bytes.end());
    watch(client, !client.unsent.empty());
    return {};
}

result<> echo_clients::state::ask_again(echo_client& client, std::size_t messages) {
    const std::size_t frame_bytes = wire::header_bytes + size;
    std::size_t used = 0;
    for (; messages > 0; --messages) {
        if (output_capacity - used < frame_bytes) {
            if (auto written = write(client, {output.get(), used}); !written) return written;
            used = 0;
        }
        std::byte* const target = output.get() + used;
        wire::store_length(target, static_cast<std::uint32_t>(size));
        if (size != 0) std::memcpy(target + wire::header_bytes, source.data(), size);
        stamp({target + wire::header_bytes, size}, client.sent++);
        used += frame_bytes;
        ++measured.messages;
        ++in_flight;
    }
    return used == 0 ? result<>() : write(client, {output.get(), used});
}

result<> echo_clients::state::readable(echo_client& client) {
    std::size_t held = client.partial.size();
    if (held != 0) std::memcpy(received.get(), client.partial.data(), held);
    const ssize_t taken = ::recv(client.socket.get(), received.get() + held, received_capacity - held, 0);
    ++system_calls;
    if (taken == 0) return failure(errc::end_of_stream);
    if (taken < 0) return errno == EAGAIN || errno == EINTR ? result<>() : std::unexpected(last_error());
    held += static_cast<std::size_t>(taken);

    std::size_t begin = 0;
    std::size_t answers = 0;
    while (held - begin >= wire::header_bytes) {
        const std::size_t length = wire::load_length(received.get() + begin);
        if (held - begin - wire::header_bytes < length) break;
        if (intact({received.get() + begin + wire::header_bytes, length}, size, client.answered++)) {
            ++measured.delivered;
            measured.bytes += length;
        }
        ++answers;
        begin += wire::header_bytes + length;
    }
    client.partial.assign(received.get() + begin, received.get() + held);
    in_flight -= answers;
    return stopping || answers == 0 ? result<>() : ask_again(client, answers);
}

result<> echo_clients::state::writable(echo_client& client) {
    const ssize_t taken = ::send(client.socket.get(), client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
    ++system_calls;
    if (taken < 0) return errno == EAGAIN || errno == EINTR ? result<>() : std::unexpected(last_error());
    client.unsent.erase(client.unsent.begin(), client.unsent.begin() + taken);
    watch(client, !client.unsent.empty());
    return {};
}

echo_clients::echo_clients(std::unique_ptr<state> made) noexcept : state_(std::move(made)) {}
echo_clients::echo_clients(echo_clients&&) noexcept = default;
echo_clients& echo_clients::operator=(echo_clients&&) noexcept = default;
echo_clients::~echo_clients() = default;

result<echo_clients> echo_clients::open(const std::string& address, std::size_t count, std::size_t depth, std::size_t size, waiting how) {
    auto made = std::make_unique<state>();
    made->poll.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!made->poll) return std::unexpected(last_error());
    made->how = how;
    made->depth = depth;
    made->size = size;
    made->source.assign(size, std::byte{0x5a});
    made->received_capacity = std::max(receive_buffer_bytes, wire::header_bytes + size);
    made->received = raw_memory(made->received_capacity);
    made->output_capacity = std::max(send_buffer_bytes, wire::header_bytes + size);
    made->output = raw_memory(made->output_capacity);
    made->clients.reserve(count);
    for (std::size_t index = 0; index < count; ++index)
        if (auto added = made->add(address); !added) return std::unexpected(added.error());
    return echo_clients(std::move(made));
}

result<measurement> echo_clients::measure(std::chrono::nanoseconds duration) { return run(duration, state_->depth); }

result<measurement> echo_clients::measure_one_each() { return run(std::chrono::nanoseconds(0), 1); }

result<measurement> echo_clients::run(std::chrono::nanoseconds duration, std::size_t depth) {
    state& all = *state_;
    all.measured = {};
    all.stopping = duration.count() == 0;
    all.in_flight = 0;
    for (echo_client& client : all.clients) client.sent = client.answered = 0;

    const usage before = usage_now(all.system_calls);
    const std::uint64_t start = now_ns();
    const std::uint64_t until = start + static_cast<std::uint64_t>(duration.count());
    const std::uint64_t give_up = until + static_cast<std::uint64_t>(std::chrono::nanoseconds(patience).count());
    for (echo_client& client : all.clients)
        if (auto asked = all.ask_again(client, depth); !asked) return std::unexpected(asked.error());

    std::uint64_t now = now_ns();
    while (all.in_flight > 0 && now < give_up) {
        const int timeout_ms = all.how == waiting::spinning ? 0 : 1000;
        const int ready = ::epoll_wait(all.poll.get(), all.events.data(), static_cast<int>(all.events.size()), timeout_ms);
        ++all.system_calls;
        if (ready < 0 && errno != EINTR) return std::unexpected(last_error());
        for (const epoll_event& event : std::span(all.events).first(static_cast<std::size_t>(std::max(ready, 0)))) {
            echo_client& client = all.clients[event.data.u64];
            if ((event.events & EPOLLOUT) != 0 && !client.unsent.empty())
                if (auto written = all.writable(client); !written) return std::unexpected(written.error());
            if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0)
                if (auto read = all.readable(client); !read) return std::unexpected(read.error());
        }
        now = now_ns();
        if (now >= until) all.stopping = true;
    }
    all.measured.elapsed_ns = now - start;
    all.measured.sender = usage_now(all.system_calls) - before;
    return all.measured;
}

}  // namespace mnet::bench::plain
