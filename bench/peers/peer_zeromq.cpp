// ZeroMQ (libzmq, https://zeromq.org), over tcp and ipc: PUSH and PULL with a message object for each message as in its perf/remote_thr.cpp
// and perf/local_thr.cpp, REQ and REP as in perf/remote_lat.cpp, ROUTER and one DEALER that is connected C times for many clients. It batches
// by itself, in its I/O thread.
//
// The high-water mark stays at its default of 1000 messages, as those programs leave it: 16 MiB of messages, or no bound at all, came out
// no better and mostly slower: more waits then than fits the cache.
#include "any_order.hpp"
#include "peer_program.hpp"

#include <unistd.h>
#include <zmq.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace mnet::bench::peers {

namespace {

[[noreturn]] void fail_zmq(const char* what) { fail(what, zmq_strerror(zmq_errno())); }
void check(const char* what, int status) {
    if (status < 0) fail_zmq(what);
}

class message {
public:
    message() { check("message", zmq_msg_init(&message_)); }
    explicit message(std::span<const std::byte> source) {
        check("message", zmq_msg_init_size(&message_, source.size()));
        if (!source.empty()) std::memcpy(zmq_msg_data(&message_), source.data(), source.size());
    }
    message(const message&) = delete;
    message& operator=(const message&) = delete;
    ~message() { zmq_msg_close(&message_); }

    std::span<std::byte> bytes() noexcept { return {static_cast<std::byte*>(zmq_msg_data(&message_)), zmq_msg_size(&message_)}; }

    void receive(void* socket) {
        while (zmq_msg_recv(&message_, socket, 0) < 0)
            if (zmq_errno() != EINTR) fail_zmq("receive");
    }
    void send(void* socket, int flags = 0) {
        while (zmq_msg_send(&message_, socket, flags) < 0)
            if (zmq_errno() != EINTR) fail_zmq("send");
    }

private:
    zmq_msg_t message_{};
};

/// The context and the one socket of a process; both end with it.
class socket_of {
public:
    explicit socket_of(int type) : context_(zmq_ctx_new()) {
        if (context_ == nullptr) fail_zmq("context");
        socket_ = zmq_socket(context_, type);
        if (socket_ == nullptr) fail_zmq("socket");
        set(ZMQ_BACKLOG, 4096);
    }
    socket_of(const socket_of&) = delete;
    socket_of& operator=(const socket_of&) = delete;

    void* get() const noexcept { return socket_; }

private:
    void set(int option, int value) { check("option", zmq_setsockopt(socket_, option, &value, sizeof(value))); }

    void* context_;
    void* socket_ = nullptr;
};

int server_type(peer_work work) { return work == peer_work::stream ? ZMQ_PULL : work == peer_work::pingpong ? ZMQ_REP : ZMQ_ROUTER; }
int client_type(peer_work work) { return work == peer_work::stream ? ZMQ_PUSH : work == peer_work::pingpong ? ZMQ_REQ : ZMQ_DEALER; }

class zmq_server final : public server {
public:
    explicit zmq_server(const settings& chosen) : chosen_(chosen), socket_(server_type(chosen.work)) {}

    std::string listen() override {
        const std::string wanted =
            chosen_.transport == "ipc" ? "ipc://@bench-peer-zeromq-" + std::to_string(::getpid()) : "tcp://127.0.0.1:*";
        check("bind", zmq_bind(socket_.get(), wanted.c_str()));
        char bound[256] = "";
        std::size_t length = sizeof(bound);
        check("address", zmq_getsockopt(socket_.get(), ZMQ_LAST_ENDPOINT, bound, &length));
        return bound;
    }

    receipt receive_stream(std::uint64_t count) override {
        receipt got;
        message next;
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
            next.receive(socket_.get());
            got.count(next.bytes(), chosen_.size, sequence);
        }
        return got;
    }

    receipt answer_pingpong(std::uint64_t count) override {
        receipt got;
        message next;
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
            next.receive(socket_.get());
            got.count(next.bytes(), chosen_.size, sequence);
            next.send(socket_.get());
        }
        return got;
    }

    [[noreturn]] void echo() override {
        message client;
        message next;
        for (;;) {
            client.receive(socket_.get());  // the first part says who
            next.receive(socket_.get());
            client.send(socket_.get(), ZMQ_SNDMORE);
            next.send(socket_.get());
        }
    }

private:
    const settings& chosen_;
    socket_of socket_;
};

/// A socket connects to an address once (zmq_connect(3)); told from which address of its own it does so, it is another one. There are
/// enough in 127.0.0.0/8.
std::string address_from(std::size_t index, const std::string& address) {
    constexpr std::string_view scheme = "tcp://";
    constexpr std::size_t digit = 250;
    const std::string source = "127." + std::to_string(index / digit / digit + 1) + "." + std::to_string(index / digit % digit + 1) + "." +
                               std::to_string(index % digit + 1);
    return std::string(scheme) + source + ":0;" + address.substr(scheme.size());
}

class zmq_client final : public client {
public:
    zmq_client(const settings& chosen, const std::string& address)
        : chosen_(chosen), socket_(client_type(chosen.work)), source_(chosen.size, std::byte{0x5a}), round_(chosen.size) {
        if (chosen.clients == 1) check("connect", zmq_connect(socket_.get(), address.c_str()));
        for (std::size_t index = 0; chosen.clients > 1 && index < chosen.clients; ++index)
            check("connect", zmq_connect(socket_.get(), address_from(index, address).c_str()));
    }

    void send_stream(std::uint64_t count) override {
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) send(sequence);
    }

    bool round_trip(std::uint64_t sequence) override {
        send(sequence);
        message reply;
        reply.receive(socket_.get());
        return intact(reply.bytes(), chosen_.size, sequence);
    }

    measurement echo(std::uint64_t until_ns) override {
        round_.begin(until_ns);
        const std::size_t first = chosen_.clients * (until_ns == 0 ? 1 : chosen_.depth);
        for (std::size_t index = 0; index < first; ++index) send(round_.sent());
        message reply;
        while (!round_.done()) {
            reply.receive(socket_.get());
            round_.arrived(reply.bytes());
            if (round_.asks_again()) send(round_.sent());
        }
        return round_.measured();
    }

private:
    void send(std::uint64_t sequence) {
        message next(source_);
        stamp(next.bytes(), sequence);
        next.send(socket_.get());
    }

    const settings& chosen_;
    socket_of socket_;
    std::vector<std::byte> source_;
    any_order round_;
};

std::optional<std::string> cannot(const settings& chosen) {
    if (chosen.clients > 1 && chosen.transport == "ipc") return "a socket connects to an ipc address once: many clients only over tcp";
    if (chosen.spin) return "its sockets are read and written by an I/O thread of its own, which always sleeps";
    return std::nullopt;
}

}  // namespace

}  // namespace mnet::bench::peers

int main(int argument_count, char** arguments) {
    using namespace mnet::bench::peers;
    const peer zeromq{
        .name = "zeromq",
        .transports = {"tcp", "ipc"},
        .make_server = [](const settings& chosen) { return std::make_unique<zmq_server>(chosen); },
        .make_client = [](const settings& chosen, const std::string& address) { return std::make_unique<zmq_client>(chosen, address); },
        .cannot = cannot};
    return run_peer(zeromq, argument_count, arguments);
}
