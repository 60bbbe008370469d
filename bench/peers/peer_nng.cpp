// nng (https://nng.nanomsg.org), over tcp and ipc: PAIR with queues of 128 messages for stream and ping-pong, as its perf/perf.c does with
// remote_thr and remote_lat; for many clients REP with contexts that work in parallel, as its demo/reqrep, and one REQ that is dialed C times
// with a context for each message in flight. nng_sendmsg hands a message over, its own threads do the rest. Over TLS the same PAIR, with a chain that is
// verified: Debian's nng has Mbed TLS 2.28, which speaks TLS 1.2 and chooses its suite.
#include "any_order.hpp"
#include "peer_certificates.hpp"
#include "peer_program.hpp"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/tls/tls.h>
#include <unistd.h>

#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mnet::bench::peers {

namespace {

constexpr int queue_messages = 128;
constexpr std::size_t parallel_contexts = 128;

void check(const char* what, int status) {
    if (status != 0) fail(what, nng_strerror(status));
}

/// In nng's own threads there is nobody to throw to.
void check_in_callback(const char* what, int status) {
    if (status == 0) return;
    std::fprintf(stderr, "nng: %s: %s\n", what, nng_strerror(status));
    std::fflush(stderr);
    ::_exit(1);
}

std::span<std::byte> bytes_of(nng_msg* message) noexcept { return {static_cast<std::byte*>(nng_msg_body(message)), nng_msg_len(message)}; }

bool many(const settings& chosen) noexcept { return chosen.work == peer_work::echo || chosen.work == peer_work::idle; }

nng_msg* numbered(std::span<const std::byte> source, std::uint64_t sequence) {
    nng_msg* made = nullptr;
    check("message", nng_msg_alloc(&made, source.size()));
    if (!source.empty()) std::memcpy(nng_msg_body(made), source.data(), source.size());
    stamp(bytes_of(made), sequence);
    return made;
}

nng_msg* receive(nng_socket socket) {
    nng_msg* message = nullptr;
    check("receive", nng_recvmsg(socket, &message, 0));
    return message;
}

nng_tls_config* tls_of_server(const peer_certificates& shown) {
    nng_tls_config* made = nullptr;
    check("TLS", nng_tls_config_alloc(&made, NNG_TLS_MODE_SERVER));
    check("certificate", nng_tls_config_own_cert(made, shown.certificate.c_str(), shown.key.c_str(), nullptr));
    return made;
}

nng_tls_config* tls_of_client(const peer_certificates& believed) {
    nng_tls_config* made = nullptr;
    check("TLS", nng_tls_config_alloc(&made, NNG_TLS_MODE_CLIENT));
    check("authority", nng_tls_config_ca_chain(made, believed.authority.c_str(), nullptr));
    check("name", nng_tls_config_server_name(made, "localhost"));
    check("verification", nng_tls_config_auth_mode(made, NNG_TLS_AUTH_MODE_REQUIRED));
    return made;
}

nng_socket pair_socket() {
    nng_socket made = NNG_SOCKET_INITIALIZER;
    check("socket", nng_pair0_open(&made));
    check("queue", nng_socket_set_int(made, NNG_OPT_RECVBUF, queue_messages));
    check("queue", nng_socket_set_int(made, NNG_OPT_SENDBUF, queue_messages));
    check("bound", nng_socket_set_size(made, NNG_OPT_RECVMAXSZ, 0));
    return made;
}

/// One of the contexts that answer: receive, send, again.
struct answering {
    nng_aio* aio = nullptr;
    nng_ctx context = NNG_CTX_INITIALIZER;
    bool sending = false;

    void start(nng_socket socket) {
        check("operation", nng_aio_alloc(&aio, [](void* self) { static_cast<answering*>(self)->done(); }, this));
        check("context", nng_ctx_open(&context, socket));
        nng_ctx_recv(context, aio);
    }

private:
    void done() {
        check_in_callback(sending ? "send" : "receive", nng_aio_result(aio));
        if (!sending) nng_aio_set_msg(aio, nng_aio_get_msg(aio));  // the message goes back as it came
        sending = !sending;
        sending ? nng_ctx_send(context, aio) : nng_ctx_recv(context, aio);
    }
};

class nng_server final : public server {
public:
    nng_server(const settings& chosen, const peer_certificates& shown) : chosen_(chosen), shown_(shown) {
        if (!many(chosen)) {
            socket_ = pair_socket();
            return;
        }
        check("socket", nng_rep0_open(&socket_));
        check("bound", nng_socket_set_size(socket_, NNG_OPT_RECVMAXSZ, 0));
    }

    std::string listen() override {
        const bool ipc = chosen_.transport == "ipc";
        const bool tls = chosen_.transport == "tls";
        const std::string host = tls ? "tls+tcp://127.0.0.1:" : "tcp://127.0.0.1:";
        const std::string wanted = ipc ? "abstract://bench-peer-nng-" + std::to_string(::getpid()) : host + "0";
        nng_listener listener = NNG_LISTENER_INITIALIZER;
        check("listen", nng_listener_create(&listener, socket_, wanted.c_str()));
        if (!ipc) check("no delay", nng_listener_set_bool(listener, NNG_OPT_TCP_NODELAY, true));
        if (tls) check("TLS", nng_listener_set_ptr(listener, NNG_OPT_TLS_CONFIG, tls_of_server(shown_)));
        check("listen", nng_listener_start(listener, 0));
        if (ipc) return wanted;
        int port = 0;
        check("address", nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port));
        return host + std::to_string(port);
    }

    receipt receive_stream(std::uint64_t count) override {
        receipt got;
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
            nng_msg* const message = receive(socket_);
            got.count(bytes_of(message), chosen_.size, sequence);
            nng_msg_free(message);
        }
        return got;
    }

    receipt answer_pingpong(std::uint64_t count) override {
        receipt got;
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
            nng_msg* const message = receive(socket_);
            got.count(bytes_of(message), chosen_.size, sequence);
            check("send", nng_sendmsg(socket_, message, 0));
        }
        return got;
    }

    [[noreturn]] void echo() override {
        for (std::size_t index = 0; index < parallel_contexts; ++index) contexts_.emplace_back().start(socket_);
        for (;;) ::pause();
    }

private:
    const settings& chosen_;
    const peer_certificates& shown_;
    nng_socket socket_ = NNG_SOCKET_INITIALIZER;
    std::deque<answering> contexts_{};  // they don't move
};

class nng_client final : public client {
public:
    nng_client(const settings& chosen, const std::string& address, const peer_certificates& believed)
        : chosen_(chosen), source_(chosen.size, std::byte{0x5a}), round_(chosen.size) {
        if (many(chosen)) {
            check("socket", nng_req0_open(&socket_));
            // Nothing is lost here; and the timers that would ask again are a list that grows with what is in flight.
            check("no retry", nng_socket_set_ms(socket_, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE));
            for (std::size_t index = 0; index < chosen.clients * chosen.depth; ++index) contexts_.emplace_back().start(*this);
        } else {
            socket_ = pair_socket();
        }
        for (std::size_t index = 0; index < chosen.clients; ++index) {
            nng_dialer dialer = NNG_DIALER_INITIALIZER;
            check("connect", nng_dialer_create(&dialer, socket_, address.c_str()));
            if (chosen.transport != "ipc") check("no delay", nng_dialer_set_bool(dialer, NNG_OPT_TCP_NODELAY, true));
            if (chosen.transport == "tls") check("TLS", nng_dialer_set_ptr(dialer, NNG_OPT_TLS_CONFIG, tls_of_client(believed)));
            check("connect", nng_dialer_start(dialer, 0));
        }
    }

    void send_stream(std::uint64_t count) override {
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) check("send", nng_sendmsg(socket_, numbered(source_, sequence), 0));
    }

    bool round_trip(std::uint64_t sequence) override {
        check("send", nng_sendmsg(socket_, numbered(source_, sequence), 0));
        nng_msg* const reply = receive(socket_);
        const bool whole = intact(bytes_of(reply), chosen_.size, sequence);
        nng_msg_free(reply);
        return whole;
    }

    measurement echo(std::uint64_t until_ns) override {
        std::unique_lock lock(mutex_);
        round_.begin(until_ns);
        const std::size_t first = chosen_.clients * (until_ns == 0 ? 1 : chosen_.depth);
        for (std::size_t index = 0; index < first; ++index) contexts_[index].ask(numbered(source_, round_.sent()));
        all_answered_.wait(lock, [&] { return round_.done(); });
        return round_.measured();
    }

private:
    struct asking {
        nng_client* owner = nullptr;
        nng_aio* aio = nullptr;
        nng_ctx context = NNG_CTX_INITIALIZER;
        bool sending = false;

        void start(nng_client& client) {
            owner = &client;
            check("operation", nng_aio_alloc(&aio, [](void* self) { static_cast<asking*>(self)->done(); }, this));
            check("context", nng_ctx_open(&context, client.socket_));
        }

        void ask(nng_msg* message) {
            sending = true;
            nng_aio_set_msg(aio, message);
            nng_ctx_send(context, aio);
        }

        void done() {
            check_in_callback(sending ? "send" : "receive", nng_aio_result(aio));
            if (sending) {
                sending = false;
                nng_ctx_recv(context, aio);
                return;
            }
            nng_msg* const reply = nng_aio_get_msg(aio);
            nng_msg* const next = owner->answered(reply);
            if (next != nullptr) ask(next);
        }
    };

    /// Counts a reply; gives what to ask next, in the same memory, or nullptr.
    nng_msg* answered(nng_msg* reply) {
        const std::lock_guard lock(mutex_);
        round_.arrived(bytes_of(reply));
        if (round_.asks_again()) {
            stamp(bytes_of(reply), round_.sent());
            return reply;
        }
        nng_msg_free(reply);
        if (round_.done()) all_answered_.notify_one();
        return nullptr;
    }

    const settings& chosen_;
    nng_socket socket_ = NNG_SOCKET_INITIALIZER;
    std::vector<std::byte> source_;
    std::mutex mutex_{};
    std::condition_variable all_answered_{};
    any_order round_;
    std::deque<asking> contexts_{};
};

std::optional<std::string> cannot(const settings& chosen) {
    if (chosen.transport == "tls" && many(chosen)) return "its TLS is measured over one connection";
    if (chosen.spin) return "its sockets are read and written by threads of its own, which always sleep";
    return std::nullopt;
}

}  // namespace

}  // namespace mnet::bench::peers

int main(int argument_count, char** arguments) {
    using namespace mnet::bench::peers;
    const peer_certificates certificates = make_peer_certificates("nng");
    const peer nng{.name = "nng",
                   .transports = {"tcp", "ipc", "tls"},
                   .make_server = [&](const settings& chosen) { return std::make_unique<nng_server>(chosen, certificates); },
                   .make_client = [&](const settings& chosen,
                                      const std::string& address) { return std::make_unique<nng_client>(chosen, address, certificates); },
                   .cannot = cannot};
    return run_peer(nng, argument_count, arguments);
}
