// Each scenario goes on as far as it can after a failure, as a program would; what it meets, it notes. Its own waits have deadlines that are long
// for a machine and short for a hang.
#include "torture/scenarios.hpp"

#include "support/certificate_folder.hpp"
#include "support/scratch_folder.hpp"
#include "torture/strikes.hpp"

#include <mnet/mnet.hpp>
#include <mnet/tls_certificates.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <unistd.h>
#include <utility>

namespace torture {

using namespace std::chrono_literals;
using mnet::errc;
using mnet::result;
namespace mtcp = mnet::mtcp;

namespace {

constexpr mnet::operation soon{.deadline = mnet::within(3s)};
constexpr std::array<std::size_t, 4> sizes{5, 20'000, 5, 400'000};

enum class shape : std::uint8_t { message, coroutine, blocking };

struct certificates {
    support::certificate_folder folder{};
    mnet::tls::certificate_files server{};
    std::string authority{};
};

const certificates& made_certificates() {
    static const auto made = [] {
        auto fresh = std::make_unique<certificates>();
        const auto authority = mnet::tls::certificates::make_authority();
        const auto own = mnet::tls::certificates::make_server(*authority, {.names = {"localhost", "127.0.0.1", "::1"}});
        fresh->server = fresh->folder.write("server", *own);
        fresh->authority = fresh->folder.write("authority.pem", authority->certificate);
        return fresh;
    }();
    return *made;
}

/// How a handler's client ended. A client that has closed and a network that stops are what a scenario ends with.
void tell(notes& seen, std::error_code how) {
    if (how != errc::end_of_stream && how != std::errc::operation_canceled) seen.failed("the handler reads", how);
}

mnet::task<result<>> echo_coroutine(mnet::client& client, notes& seen) {
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) {
            tell(seen, message.error());
            co_return mnet::failure(message.error());
        }
        if (auto sent = client.send(message->bytes()); !sent) {
            seen.failed("the handler sends", sent.error());
            co_return sent;
        }
    }
}

result<> echo_blocking(mnet::client& client, notes& seen) {
    for (;;) {
        auto message = client.read();
        if (!message) {
            tell(seen, message.error());
            return mnet::failure(message.error());
        }
        if (auto sent = client.send(message->bytes()); !sent) {
            seen.failed("the handler sends", sent.error());
            return sent;
        }
    }
}

result<mtcp::network> listen_echo(shape how, const mtcp::listen_options& options, notes& seen) {
    switch (how) {
        case shape::message:
            return mtcp::listen(options, [&seen](mnet::client& client, mnet::message message) noexcept {
                if (auto sent = client.send(message.bytes()); !sent) {
                    seen.failed("the handler sends", sent.error());
                    (void)client.close();
                }
            });
        case shape::coroutine:
            return mtcp::listen(options, [&seen](mnet::client& client) { return echo_coroutine(client, seen); });
        default:
            return mtcp::listen(options, [&seen](mnet::client& client) { return echo_blocking(client, seen); });
    }
}

std::string bytes_of(std::size_t count) {
    const unwatched own;
    std::string text(count, 'x');
    for (std::size_t index = 0; index < count; index += 97) text[index] = static_cast<char>('a' + index % 26);
    return text;
}

void stop(mtcp::network& network, notes& seen) {
    const auto parted = network.stop(mnet::within(3s));
    if (parted.handlers_left != 0) seen.failed("stop", make_error_code(std::errc::timed_out));
    if (parted.clients_cut != 0) seen.failed("close", make_error_code(errc::truncated));  // a handler may hear of the stop first
    const auto counts = network.statistics();
    seen.counted(counts.clients_failed + counts.clients_refused + counts.accept_pauses + counts.handlers_threw + counts.handshakes_failed);
    seen.said(network.engine_reason());
    seen.said(network.sharing_reason());
    const unwatched own;
    if (auto words = network.handshake_error(); !words.empty()) seen.said(words);
    if (auto words = network.reload_error(); !words.empty()) seen.said(words);
}

void close(mnet::client& client, notes& seen) {
    const auto account = client.close(soon);
    if (!account.complete()) seen.failed("close", make_error_code(errc::truncated));
}

void talk(mnet::client& client, notes& seen) {
    for (const std::size_t size : sizes) {
        const std::string text = bytes_of(size);
        if (auto sent = client.send(text); !sent) return seen.failed("send", sent.error());
        if (auto flushed = client.flush(soon); !flushed) return seen.failed("flush", flushed.error());
        const auto answer = client.read(soon);
        if (!answer) return seen.failed("read", answer.error());
        if (answer->text() != text) return seen.failed("another answer", make_error_code(errc::protocol_violation));
    }
    (void)client.remote_address();
    const unwatched own;
    seen.said(client.explain());
}

/// Lets `what` throw as a user would see it: what the standard library throws for want of something is an error, too.
template <typename What>
void guarded(notes& seen, What what) {
    try {
        what();
    } catch (const std::bad_alloc&) {
        seen.failed("std::bad_alloc", make_error_code(std::errc::not_enough_memory));
    } catch (const std::system_error& refused) {
        seen.failed("std::system_error", refused.code());
    }
}

void serve_and_talk(shape how, const mtcp::listen_options& listening, const mtcp::connect_options& connecting, notes& seen) {
    guarded(seen, [&] {
        auto network = listen_echo(how, listening, seen);
        if (!network) return seen.failed("listen", network.error());
        guarded(seen, [&] {
            auto client = mtcp::connect(network->address(), connecting);
            if (!client) return seen.failed("connect", client.error(), connecting.words != nullptr ? *connecting.words : "");
            talk(*client, seen);
            close(*client, seen);
        });
        stop(*network, seen);
    });
}

mtcp::listen_options listening(mtcp::engine engine, const char* address, mtcp::sharing shared = mtcp::sharing::off) {
    const unwatched own;
    return {.address = address, .dead_after = 3s, .spin = 0us, .engine = engine, .shared_memory = shared};
}

mtcp::connect_options connecting(mtcp::engine engine, mtcp::sharing shared = mtcp::sharing::off) {
    return {.dial_timeout = 3s, .dead_after = 3s, .spin = 0us, .engine = engine, .shared_memory = shared};
}

void tcp_message(mtcp::engine engine, notes& seen) {
    serve_and_talk(shape::message, listening(engine, "127.0.0.1:0"), connecting(engine), seen);
}

void tcp_coroutine(mtcp::engine engine, notes& seen) {
    serve_and_talk(shape::coroutine, listening(engine, "127.0.0.1:0"), connecting(engine), seen);
}

void tcp_blocking(mtcp::engine engine, notes& seen) {
    serve_and_talk(shape::blocking, listening(engine, "127.0.0.1:0"), connecting(engine), seen);
}

/// Of a path that a listener was killed on, and two loops.
void unix_path(mtcp::engine engine, notes& seen) {
    auto options = listening(engine, "");
    std::optional<support::scratch_folder> folder;
    {
        const unwatched own;
        folder.emplace();
        const std::string path = *folder / "socket";
        options.address = "unix://" + path;
        auto abandoned =
            mtcp::listen({.address = options.address, .engine = mtcp::engine::epoll}, [](mnet::client&, mnet::message) noexcept {});
        if (!abandoned || ::link(path.c_str(), (path + "-kept").c_str()) != 0)
            return seen.failed("link", make_error_code(std::errc::io_error));
        (void)abandoned->stop();
        (void)::rename((path + "-kept").c_str(), path.c_str());
    }
    options.loops = 2;
    serve_and_talk(shape::coroutine, options, connecting(engine), seen);
    const unwatched own;
    folder.reset();
}

mnet::task<void> ask_on(mtcp::loop& loop, std::string address, mtcp::connect_options options, notes& seen) {
    auto connected = co_await mtcp::async_connect(loop, address, options);
    if (!connected) {
        seen.failed("connect", connected.error());
        co_return;
    }
    mnet::client client = *std::move(connected);
    for (const std::size_t size : sizes) {
        const std::string text = bytes_of(size);
        if (auto sent = client.send(text); !sent) {
            seen.failed("send", sent.error());
            break;
        }
        if (auto flushed = co_await client.async_flush(soon); !flushed) {
            seen.failed("flush", flushed.error());
            break;
        }
        auto answer = co_await client.async_read(soon);
        if (!answer || answer->text() != text) {
            seen.failed("read", answer ? make_error_code(errc::protocol_violation) : answer.error());
            break;
        }
    }
    const auto account = co_await client.async_close(soon);
    if (!account.complete()) seen.failed("close", make_error_code(errc::truncated));
}

/// On a loop, with a name that somebody has to look up, and messages posted from the server.
void loop_and_name(mtcp::engine engine, notes& seen) {
    guarded(seen, [&] {
        auto network = listen_echo(shape::message, listening(engine, "127.0.0.1:0"), seen);
        if (!network) return seen.failed("listen", network.error());
        guarded(seen, [&] {
            auto loop = mtcp::loop::make(engine);
            if (!loop) return seen.failed("loop::make", loop.error());
            std::string address = network->address();
            address = "127.1" + address.substr(address.rfind(':'));  // what only the system's resolver takes for an address
            loop->run(ask_on(*loop, std::move(address), connecting(engine), seen));
        });
        stop(*network, seen);
    });
}

/// One connection answered late, one closed by the server, one that reconnects, and what is posted to all.
void many(mtcp::engine engine, notes& seen) {
    guarded(seen, [&] {
        auto options = listening(engine, "127.0.0.1:0");
        options.loops = 2;
        auto network = listen_echo(shape::message, options, seen);
        if (!network) return seen.failed("listen", network.error());
        guarded(seen, [&] {
            auto one = mtcp::connect(network->address(), connecting(engine));
            if (!one) return seen.failed("connect", one.error());
            auto other = mtcp::connect(network->address(), connecting(engine));
            if (!other) return seen.failed("connect", other.error());
            if (auto again = one->reconnect(); !again) return seen.failed("reconnect", again.error());
            talk(*one, seen);
            talk(*other, seen);
            (void)network->broadcast("to all");
            for (mnet::client* const each : {&*one, &*other}) {
                if (const auto got = each->read(soon); !got) seen.failed("read what was broadcast", got.error());
            }
            close(*one, seen);
        });
        stop(*network, seen);
    });
}

/// Over IPv6 and in shared memory, where that may be; its server goes, and comes back at its address.
void returns(mtcp::engine engine, notes& seen) {
    guarded(seen, [&] {
        auto options = listening(engine, "[::1]:0", mtcp::sharing::automatic);
        auto network = listen_echo(shape::message, options, seen);
        if (!network) return seen.failed("listen", network.error());
        options.address = network->address();
        guarded(seen, [&] {
            auto how = connecting(engine, mtcp::sharing::automatic);
            how.reconnect = {.policy = mtcp::reconnect_policy::fail_fast, .delay_first = 1ms, .delay_max = 10ms};
            auto client = mtcp::connect(options.address, how);
            if (!client) return seen.failed("connect", client.error());
            talk(*client, seen);
            stop(*network, seen);
            network = listen_echo(shape::message, options, seen);
            if (!network) return seen.failed("listen", network.error());
            const auto told = client->read(soon);
            if (told || told.error() != errc::reconnected)
                return seen.failed("return", told ? make_error_code(errc::protocol_violation) : told.error());
            talk(*client, seen);
            close(*client, seen);
        });
        if (network) stop(*network, seen);
    });
}

void serve_and_talk_secretly(shape how_served, mtcp::engine engine, notes& seen) {
    guarded(seen, [&] {
        const auto& files = made_certificates();
        std::string words;
        const auto own = mnet::tls::server({.certificate = files.server.certificate, .key = files.server.key}, &words);
        if (!own) return seen.failed("tls::server", own.error(), words);
        const auto believing = mnet::tls::client({.authority = files.authority}, &words);
        if (!believing) return seen.failed("tls::client", believing.error(), words);
        auto options = listening(engine, "tls://127.0.0.1:0");
        options.tls = own;
        auto network = listen_echo(how_served, options, seen);
        if (!network) return seen.failed("listen", network.error());
        guarded(seen, [&] {
            if (auto reloaded = network->reload_certificates(&words); !reloaded) seen.failed("reload", reloaded.error(), words);
            auto how = connecting(engine);
            how.tls = &*believing;
            how.words = &words;
            auto client = mtcp::connect(network->address(), how);
            if (!client) return seen.failed("connect", client.error(), words);
            talk(*client, seen);
            close(*client, seen);
        });
        stop(*network, seen);
    });
}

void tls(mtcp::engine engine, notes& seen) { serve_and_talk_secretly(shape::coroutine, engine, seen); }

void tls_blocking(mtcp::engine engine, notes& seen) { serve_and_talk_secretly(shape::blocking, engine, seen); }

void moves_to_memory(mtcp::engine engine, notes& seen) {
    serve_and_talk(shape::coroutine, listening(engine, "127.0.0.1:0", mtcp::sharing::automatic),
                   connecting(engine, mtcp::sharing::automatic), seen);
}

void only_memory(mtcp::engine engine, notes& seen) {
    std::string words;
    auto how = connecting(engine, mtcp::sharing::required);
    how.words = &words;
    auto options = listening(engine, "", mtcp::sharing::required);
    {
        const unwatched own;
        options.address = "shm://torture-" + std::to_string(::getpid());
    }
    serve_and_talk(shape::blocking, options, how, seen);
}

}  // namespace

const std::vector<scenario>& scenarios() {
    static const std::vector<scenario> all{{"tcp_message", tcp_message},
                                           {"tcp_coroutine", tcp_coroutine},
                                           {"tcp_blocking", tcp_blocking},
                                           {"unix_path", unix_path},
                                           {"loop_and_name", loop_and_name},
                                           {"many", many},
                                           {"returns", returns},
                                           {"tls", tls},
                                           {"tls_blocking", tls_blocking},
                                           {"moves_to_memory", moves_to_memory},
                                           {"only_memory", only_memory}};
    (void)made_certificates();
    return all;
}

}  // namespace torture
