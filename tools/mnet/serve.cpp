// `mnet serve`: see serve.hpp. The main thread waits for a signal; the network's own threads serve.
#include "serve.hpp"

#include "bench_server.hpp"
#include "event_log.hpp"
#include "measurement.hpp"
#include "plain_sockets.hpp"
#include "process.hpp"
#include "quantities.hpp"
#include "responder.hpp"
#include "server_process.hpp"

#include <mnet/address.hpp>
#include <mnet/mtcp/network.hpp>

#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <optional>

namespace mnet::tool {

namespace {

using namespace std::chrono_literals;

constexpr auto drain_time = 5s;

void announce_address(const serve_options& options, const std::string& address) {
    print_line(options.json ? nlohmann::json{{"listening", address}}.dump() : "listening on " + address);
}

/// Where it listens, how it talks to the kernel and why so, and how clients of this host come.
void announce(const serve_options& options, const mtcp::network& network) {
    if (options.json) {
        print_line(nlohmann::ordered_json{{"listening", network.address()},
                                          {"engine", network.engine()},
                                          {"engine_reason", network.engine_reason()},
                                          {"local_clients", network.sharing_reason()}}
                       .dump());
    } else {
        announce_address(options, network.address());
        print_line(fmt::format("engine {}: {}", network.engine(), network.engine_reason()));
        print_line(fmt::format("local clients: {}", network.sharing_reason()));
    }
}

void print_summary(const network_statistics& done, const farewell& end) {
    std::string cut = "nothing was cut";
    if (!end.complete()) {
        cut = fmt::format("cut: {} clients with {} unsent bytes", count_text(end.clients_cut), count_text(end.bytes_cut));
        if (end.messages_unacknowledged != 0) cut += fmt::format(", {} messages unacknowledged", count_text(end.messages_unacknowledged));
        if (end.handlers_left != 0) cut += fmt::format(", {} handlers that had not returned", count_text(end.handlers_left));
    }
    if (end.bytes_unread != 0) cut += fmt::format("; {} bytes from clients were not read", count_text(end.bytes_unread));
    print_error(fmt::format("served {} clients, received {} messages ({} bytes), sent {} messages ({} bytes); {}",
                            count_text(done.clients_accepted), count_text(done.messages_received), count_text(done.payload_bytes_received),
                            count_text(done.messages_sent), count_text(done.payload_bytes_sent), cut));
}

void print_summary_json(const network_statistics& done, const farewell& end) {
    const nlohmann::ordered_json summary{{"clients", done.clients_accepted},
                                         {"clients_refused", done.clients_refused},
                                         {"clients_failed", done.clients_failed},
                                         {"handshakes", done.handshakes},
                                         {"handshakes_failed", done.handshakes_failed},
                                         {"messages_received", done.messages_received},
                                         {"bytes_received", done.payload_bytes_received},
                                         {"messages_sent", done.messages_sent},
                                         {"bytes_sent", done.payload_bytes_sent},
                                         {"clients_cut", end.clients_cut},
                                         {"bytes_cut", end.bytes_cut},
                                         {"messages_cut", end.messages_cut},
                                         {"messages_unacknowledged", end.messages_unacknowledged},
                                         {"bytes_unread", end.bytes_unread},
                                         {"handlers_left", end.handlers_left}};
    fmt::print(stderr, "{}\n", summary.dump());
}

/// Where the plain server beside a bench server listens: a free port of the same host; beside any Unix socket, a name that needs no file.
std::string beside(const std::string& text) {
    auto place = address::parse(text);
    if (!place) fail_to_reach(text, place.error());
    place->port = 0;
    place->tls = false;
    if (place->what != address::kind::tcp) {
        place->what = address::kind::unix_abstract;
        place->path = fmt::format("mnet-bench-plain-{}", ::getpid());
    }
    return place->text();
}

std::vector<std::string> plain_arguments(const serve_options& options) {
    std::vector<std::string> arguments{"--bench-plain", beside(options.address)};
    if (options.spin) arguments.emplace_back("--spin");
    return arguments;
}

exit_code run_plain(const serve_options& options) {
    auto socket = bench::plain::listening_socket(options.address);
    if (!socket) fail_to_reach(options.address, socket.error());
    const auto address = bench::plain::address_of(socket->get());
    if (!address) fail_to_reach(options.address, address.error());
    announce_address(options, *address);
    // Signals end it as they end any program: there is nothing to drain.
    const auto reason = bench::plain::serve(std::move(*socket), bench::plain::waiting_for(options.spin));
    fail(exit_code::lost, *address, reason);
}

}  // namespace

exit_code run_serve(const serve_options& options) {
    raise_descriptor_limit();
    if (options.service == service::plain_bench) return run_plain(options);

    held_signals signals;
    std::optional<server_process> plain;
    if (options.service == service::bench) plain.emplace(plain_arguments(options));
    const std::string plain_address = plain ? plain->address() : std::string();
    const responder responder{.service = options.service, .reply_text = options.reply_text};

    mtcp::listen_options settings{.address = options.address, .loops = options.loops, .clients_max = options.clients_max};
    settings.engine = options.engine;
    settings.shared_memory = options.shared_memory;
    settings.message_bytes_max = options.message_bytes_max;
    if (options.dead_after) settings.dead_after = std::chrono::ceil<std::chrono::milliseconds>(*options.dead_after);
    if (!options.tls.certificate.empty()) {
        std::string words;
        settings.tls = tls::server(options.tls, &words);
        if (!settings.tls) fail(exit_code::unreachable, options.tls.certificate, settings.tls.error(), words);
    }
    event_log log(options.json);
    if (options.log) settings.observer = &log;
    if (options.spin) settings.spin = bench::spin_time;
    if (options.sleep) settings.spin = std::chrono::microseconds(0);
    auto network = options.service == service::bench
                       ? mtcp::listen(settings, [&plain_address](client& client) { return serve_bench(client, plain_address); })
                       : listen_with(settings, options.handler, responder);
    if (!network) fail_to_reach(options.address, network.error());

    announce(options, *network);
    signals.wait();
    signals.release();
    const farewell end = network->stop(within(drain_time));
    if (options.json)
        print_summary_json(network->statistics(), end);
    else
        print_summary(network->statistics(), end);
    return exit_code::done;
}

}  // namespace mnet::tool
