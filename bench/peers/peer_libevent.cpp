// libevent (https://libevent.org): bufferevents, the way its book recommends, both ends. Frames are batched by hand and lent to the output with
// evbuffer_add_reference; the server sends whole frames back with evbuffer_remove_buffer, without touching them. The bounds on what one turn
// reads and writes are raised; what stays is libevent's own 4 KiB for each read (EVBUFFER_MAX_READ). Spinning: EVLOOP_NONBLOCK. A
// bufferevent has no synchronous calls, so that the client turns the loop too.
#include "frames.hpp"
#include "peer_program.hpp"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace mnet::bench::peers {

namespace {

template <typename Pointer>
Pointer made(const char* what, Pointer pointer) {
    if (pointer == nullptr) fail(what, std::strerror(errno));
    return pointer;
}

void check(const char* what, int status) {
    if (status != 0) fail(what, std::strerror(errno));
}

sockaddr_in loopback(int port) noexcept {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

class event_loop {
public:
    explicit event_loop(bool spin) : spin_(spin), base_(made("loop", event_base_new())) {}
    event_base* get() const noexcept { return base_; }

    template <typename Done>
    void turn(const std::uint64_t& progress, Done&& done) {
        turn_until(spin_, progress, done, [&] { event_base_loop(base_, EVLOOP_NONBLOCK); }, [&] { event_base_loop(base_, EVLOOP_ONCE); });
    }

private:
    bool spin_;
    event_base* base_;  // ends with the process
};

class receiver;

struct connection {
    receiver* owner = nullptr;
    bufferevent* events = nullptr;
    bool connected = false;
    echo_session session{};

    evbuffer* input() const noexcept { return bufferevent_get_input(events); }
    evbuffer* output() const noexcept { return bufferevent_get_output(events); }
};

/// What happens on connections: one object for all.
class receiver {
public:
    receiver() = default;
    receiver(const receiver&) = delete;
    receiver& operator=(const receiver&) = delete;
    virtual ~receiver() = default;
    virtual void received(connection& connection) = 0;

protected:
    /// Over a connected socket, or over one that bufferevent_socket_connect makes (-1).
    connection& add(event_base* base, evutil_socket_t socket) {
        connections_.push_back(std::make_unique<connection>());
        connection& added = *connections_.back();
        added.owner = this;
        added.events = made("connection", bufferevent_socket_new(base, socket, BEV_OPT_CLOSE_ON_FREE));
        const auto on_read = [](bufferevent*, void* self) {
            auto& connection = *static_cast<peers::connection*>(self);
            connection.owner->received(connection);
        };
        const auto on_event = [](bufferevent* events, short what, void* self) {
            if ((what & BEV_EVENT_CONNECTED) != 0) static_cast<connection*>(self)->connected = true;
            if ((what & BEV_EVENT_EOF) != 0) bufferevent_disable(events, EV_READ);
            if ((what & BEV_EVENT_ERROR) != 0 && errno != ECONNRESET) fail("connection", std::strerror(errno));
        };
        bufferevent_setcb(added.events, on_read, nullptr, on_event, &added);
        bufferevent_set_max_single_read(added.events, receive_bytes);
        bufferevent_set_max_single_write(added.events, receive_bytes);
        bufferevent_enable(added.events, EV_READ | EV_WRITE);
        return added;
    }

    static void no_delay(const connection& connection) noexcept {
        const int on = 1;
        ::setsockopt(bufferevent_getfd(connection.events), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }

    connection& first() const noexcept { return *connections_.front(); }
    std::vector<std::unique_ptr<connection>> connections_{};
};

class libevent_server final : public server, private receiver {
public:
    explicit libevent_server(const settings& chosen) : loop_(chosen.spin), counter_(chosen.size), buffer_(chosen.size) {}

    std::string listen() override {
        const sockaddr_in any = loopback(0);
        const auto on_connection = [](evconnlistener*, evutil_socket_t socket, sockaddr*, int, void* self) {
            auto& mine = *static_cast<libevent_server*>(self);
            no_delay(mine.add(mine.loop_.get(), socket));
        };
        constexpr unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE;
        evconnlistener* const listener = made("listen", evconnlistener_new_bind(loop_.get(), on_connection, this, flags, SOMAXCONN,
                                                                                reinterpret_cast<const sockaddr*>(&any), sizeof(any)));
        sockaddr_in bound{};
        socklen_t length = sizeof(bound);
        check("address", ::getsockname(evconnlistener_get_fd(listener), reinterpret_cast<sockaddr*>(&bound), &length));
        return std::to_string(ntohs(bound.sin_port));
    }

    receipt receive_stream(std::uint64_t count) override { return receive(count, false); }
    receipt answer_pingpong(std::uint64_t count) override { return receive(count, true); }

    [[noreturn]] void echo() override {
        echoes_ = true;
        for (;;) loop_.turn(progress_, [] { return false; });
    }

private:
    receipt receive(std::uint64_t count, bool answers) {
        answers_ = answers;
        counter_.begin(count);
        // The last reply leaves in a turn after the one that made it.
        loop_.turn(progress_, [&] { return counter_.done() && evbuffer_get_length(first().output()) == 0; });
        return counter_.counted();
    }

    void received(connection& connection) override {
        ++progress_;
        if (echoes_) return send_back(connection);
        while (evbuffer_get_length(connection.input()) > 0) {
            const auto space = buffer_.space();
            const int taken = evbuffer_remove(connection.input(), space.data(), space.size());
            if (taken < 0) fail("read", "the buffer can't be read");
            const auto bytes = static_cast<std::size_t>(taken);
            counter_.take(buffer_, bytes);
            if (!answers_) continue;
            const auto frames = answered_.arrived(space.first(bytes));
            evbuffer_add(connection.output(), frames.data(), frames.size());
        }
    }

    /// Whole frames move from the input to the output.
    static void send_back(const connection& connection) {
        evbuffer* const input = connection.input();
        const std::size_t available = evbuffer_get_length(input);
        std::size_t whole = 0;
        while (available - whole >= wire::header_bytes) {
            evbuffer_ptr place{};
            evbuffer_ptr_set(input, &place, whole, EVBUFFER_PTR_SET);
            std::array<std::byte, wire::header_bytes> header{};
            evbuffer_copyout_from(input, &place, header.data(), header.size());
            const std::size_t length = wire::load_length(header.data());
            if (length > wire::length_max) fail("read", "what arrived is no frame");
            if (available - whole - wire::header_bytes < length) break;
            whole += wire::header_bytes + length;
        }
        if (whole > 0) evbuffer_remove_buffer(input, connection.output(), whole);
    }

    event_loop loop_;
    frame_counter counter_;
    receive_buffer buffer_;
    echoed answered_{};
    std::uint64_t progress_ = 0;
    bool answers_ = false;
    bool echoes_ = false;
};

class libevent_client final : public client, private receiver {
public:
    libevent_client(const settings& chosen, const std::string& address)
        : chosen_(chosen), loop_(chosen.spin), batch_(chosen.size), round_(chosen) {
        const sockaddr_in server = loopback(std::stoi(address));
        for (std::size_t index = 0; index < chosen.clients; ++index) {
            connection& added = add(loop_.get(), -1);
            check("connect", bufferevent_socket_connect(added.events, reinterpret_cast<const sockaddr*>(&server), sizeof(server)));
            loop_.turn(progress_, [&] { return added.connected; });
            no_delay(added);
        }
    }

    void send_stream(std::uint64_t count) override {
        for (std::uint64_t next = 0; next < count;) lend(batch_.fill(next, count));
    }

    bool round_trip(std::uint64_t sequence) override {
        std::uint64_t next = sequence;
        expected_ = sequence;
        arrived_ = false;
        const auto frame = batch_.fill(next, sequence + 1);
        evbuffer_add(first().output(), frame.data(), frame.size());
        loop_.turn(progress_, [&] { return arrived_; });
        return intact_;
    }

    measurement echo(std::uint64_t until_ns) override {
        echoes_ = true;
        round_.begin(until_ns);
        for (const auto& connection : connections_) write(*connection, round_.first(connection->session));
        loop_.turn(progress_, [&] { return round_.done(); });
        return round_.measured();
    }

private:
    static void write(const connection& connection, std::span<const std::byte> bytes) {
        if (!bytes.empty()) check("write", evbuffer_add(connection.output(), bytes.data(), bytes.size()));
    }

    /// The batch itself goes out; it is filled again when the kernel has all of it.
    void lend(std::span<const std::byte> bytes) {
        lent_ = true;
        const auto returned = [](const void*, std::size_t, void* self) { static_cast<libevent_client*>(self)->lent_ = false; };
        check("write", evbuffer_add_reference(first().output(), bytes.data(), bytes.size(), returned, this));
        loop_.turn(progress_, [&] { return !lent_; });
    }

    void received(connection& connection) override {
        ++progress_;
        evbuffer* const input = connection.input();
        const std::size_t length = evbuffer_get_length(input);
        const std::span bytes(reinterpret_cast<const std::byte*>(evbuffer_pullup(input, -1)), length);
        std::size_t taken = length;
        if (echoes_)
            write(connection, round_.arrived(connection.session, bytes));
        else
            taken = cut_frames(bytes, [&](std::span<const std::byte> payload) {
                arrived_ = true;
                intact_ = intact(payload, chosen_.size, expected_);
            });
        evbuffer_drain(input, taken);
    }

    const settings& chosen_;
    event_loop loop_;
    batch batch_;
    echo_round round_;
    std::uint64_t progress_ = 0;
    std::uint64_t expected_ = 0;
    bool lent_ = false;
    bool arrived_ = false;
    bool intact_ = false;
    bool echoes_ = false;
};

}  // namespace

}  // namespace mnet::bench::peers

int main(int argument_count, char** arguments) {
    using namespace mnet::bench::peers;
    const peer libevent{.name = "libevent",
                        .transports = {"tcp"},
                        .make_server = [](const settings& chosen) { return std::make_unique<libevent_server>(chosen); },
                        .make_client = [](const settings& chosen,
                                          const std::string& address) { return std::make_unique<libevent_client>(chosen, address); }};
    return run_peer(libevent, argument_count, arguments);
}
