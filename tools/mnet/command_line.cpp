// The command line of `mnet`: see command_line.hpp. The only place that knows CLI11.
#include "command_line.hpp"

#include "quantities.hpp"

#include <mnet/wire/frame.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace mnet::tool {

namespace {

constexpr auto main_examples = R"(Examples:
  mnet serve --echo                        serve on localhost:5050 until Ctrl-C
  mnet send localhost:5050 "hello"         send a message, print the reply
  mnet bench table                         15 sizes, in shared memory and over TCP, beside plain sockets
  mnet cert server localhost               a certificate for TLS, after `mnet cert ca`

`mnet COMMAND --help` says more; so does mnet(1).
Exit status: 0 all done, 1 something was lost or failed, 2 usage, 3 could not listen or connect.)";

constexpr auto serve_examples =
    R"(Prints `listening on ADDRESS` when it is ready and serves until SIGINT or SIGTERM; then it drains for up to
5 seconds, prints a summary to stderr and exits 0.

Examples:
  mnet serve --echo
  mnet serve localhost:0 --reply welcome --handler coroutine
  mnet serve unix:///run/user/1000/log.sock --discard --json
  mnet serve 0.0.0.0:5050 --echo --tls-cert server.pem --tls-key server.key
  mnet serve 0.0.0.0:5050 --bench          the other side of `mnet bench --connect`)";

constexpr auto send_examples =
    R"(Every TEXT is a message; without one, every line of stdin is. Each reply is printed on a line, in the order
of the messages; with --json as {"reply": "..."}, and at the end {"sent": .., "replies": .., "lost": ..,
"elapsed_ns": .., "transport": ".."}. While stdin stays open, what the server sends unasked is printed too.

Examples:
  mnet send localhost:5050 "hello" "world"
  seq 1000 | mnet send localhost:5050 --json
  mnet send tls://localhost:5050 --tls-ca ca.pem "hello"
  mnet send unix:///run/user/1000/log.sock --no-reply --size 1K --count 100000)";

constexpr auto bench_examples = R"(Works:
  table      15 sizes from 0 B to 1 MiB, in shared memory and over TCP: one connection, one way; with another
             --transport, TLS, or a server elsewhere the original's 13 sizes, to 16 KiB
  stream     the same for sizes of your choice
  pingpong   one message there and back at a time: percentiles of the round trip; where both sides poll shared memory,
             beside two bare threads that do the same
  echo       round trips over --clients connections, --depth in flight on each
  idle       memory of the server for each of --clients connections that are silent
  latency    messages at a fixed --rate over --clients connections: percentiles from when each was due

The receiver counts and checks every message and acknowledges. The server is a process of its own, or the
`mnet serve --bench` that --connect names. Every row stands beside a plain-socket program that does the same
work in the same run, in turns, 5 rounds each; the median round counts.

pingpong and echo are closed loops: who waits for an answer sends nothing meanwhile, so a pause is told as one slow
message. latency is an open loop: each message has a time when it is due, and its response time counts from then on,
so a pause is told as all the messages that had to wait. Its rounds are one distribution.

Examples:
  mnet bench table
  mnet bench stream --size 0,16,64,256,1024,16384 --json
  mnet bench stream --size 64,16K --tls
  mnet bench pingpong --spin --transport shm
  mnet bench echo --clients 10000 --depth 16
  mnet bench latency --rate 50000 --clients 100 --seconds 10 --hgrm latency.hgrm)";

constexpr auto cert_examples =
    R"(An authority of your own, once; then a certificate for each server, for the names and addresses by which it is
connected to; then, where servers want to know who connects (mutual TLS), one for each client. Clients get the
authority's certificate, ca.pem, to believe; ca.key stays where certificates are made.

Examples:
  mnet cert ca                             ca.pem and ca.key
  mnet cert server localhost 127.0.0.1     server.pem and server.key, signed by ca
  mnet cert client alice                   client.pem and client.key, signed by ca
  mnet cert show server.pem                for whom, by whom, how long

Keys can be read by their owner alone, and nothing is overwritten.)";

/// A value with a text form of its own. `parse` gives nothing for a text that is none.
template <typename Value, typename Parse>
CLI::Option* add_parsed(CLI::App& app, const std::string& name, Value& target, Parse parse, const std::string& form,
                        const std::string& help) {
    const CLI::callback_t store = [&target, parse = std::move(parse), name, form](const CLI::results_t& texts) {
        auto value = parse(texts.front());
        if (!value) throw CLI::ValidationError(name, fmt::format("\"{}\" is no {}", texts.front(), form));
        if constexpr (std::is_same_v<decltype(value), Value>)
            target = std::move(value);  // an option whose absence means something
        else
            target = *std::move(value);
        return true;
    };
    return app.add_option(name, store, help)->type_name("")->expected(1);
}

/// One of `names`, in the order in which the help tells them.
template <typename Value>
CLI::Option* add_choice(CLI::App& app, const std::string& name, Value& target, const std::vector<std::pair<std::string_view, Value>>& names,
                        const std::string& help) {
    const auto parse = [names](const std::string& text) -> std::optional<Value> {
        for (const auto& [known, value] : names)
            if (known == text) return value;
        return std::nullopt;
    };
    std::string all;
    for (const auto& [known, value] : names) all += fmt::format("{}{}", all.empty() ? "" : ", ", known);
    return add_parsed(app, name, target, parse, "choice: " + all, fmt::format("{}: {}", help, all));
}

void add_engine(CLI::App& app, mtcp::engine& target, const std::string& help) {
    add_choice<mtcp::engine>(app, "--engine", target,
                             {{"auto", mtcp::engine::automatic}, {"epoll", mtcp::engine::epoll}, {"uring", mtcp::engine::uring}}, help)
        ->type_name("NAME");
}

void add_sharing(CLI::App& app, mtcp::sharing& target, const std::string& help) {
    using mtcp::sharing;
    add_choice<sharing>(app, "--shared-memory", target,
                        {{"auto", sharing::automatic}, {"off", sharing::off}, {"required", sharing::required}}, help)
        ->type_name("WHETHER");
}

void describe_service(CLI::App& app, serve_options& options) {
    const auto add = [&](const std::string& name, service service, const std::string& help) {
        app.add_flag_callback(name, [&options, service] { options.service = service; }, help)->group("One of");
    };
    add("--echo", service::echo, "send each message back");
    add("--discard", service::discard, "read and count, answer nothing");
    const auto reply = [&options](const std::string& text) {
        options.service = service::reply;
        options.reply_text = text;
    };
    app.add_option_function<std::string>("--reply", reply, "answer each message with TEXT")->type_name("TEXT")->group("One of");
    add("--bench", service::bench, "the server's side of `mnet bench`, with a plain-socket server beside it");
    app.add_flag_callback("--bench-plain", [&options] { options.service = service::plain_bench; })->group("");
}

/// Exactly one thing to do, and one that can be done.
void check_service(const CLI::App& app, const serve_options& options) {
    std::size_t chosen = 0;
    for (const char* const name : {"--echo", "--discard", "--reply", "--bench", "--bench-plain"}) chosen += app.count(name);
    if (chosen != 1) throw CLI::ValidationError("say what to do: one of --echo, --discard, --reply TEXT");
    if (options.service == service::reply && options.reply_text.size() > options.message_bytes_max)
        throw CLI::ValidationError("--reply", "the text is longer than --message-bytes-max");
}

void add_dead_after(CLI::App& app, std::optional<std::chrono::nanoseconds>& target) {
    add_parsed(app, "--dead-after", target, parse_duration, "duration",
               "take a peer for dead that is silent for so long, or takes longer for a message; at least 1s [as the system does]")
        ->type_name("T");
}

void describe_serve(CLI::App& app, serve_options& options) {
    app.footer(serve_examples);
    app.add_option("ADDRESS", options.address,
                   "host:port, [v6]:port, tls://host:port, unix:///path, unix://@name or shm://name; port 0: any free one [localhost:5050]")
        ->type_name("");
    describe_service(app, options);
    add_choice<handler_shape>(
        app, "--handler", options.handler,
        {{"message", handler_shape::message}, {"coroutine", handler_shape::coroutine}, {"blocking", handler_shape::blocking}},
        "shape of the handler")
        ->type_name("SHAPE");
    app.add_option("--loops", options.loops, "threads with an event loop each, up to 1024; 0: one for each processor [1]")
        ->check(CLI::Range(0, 1024))
        ->type_name("N");
    add_parsed(app, "--message-bytes-max", options.message_bytes_max, parse_size, "size of up to 208 MiB - 1",
               "longest message that is taken [16M]")
        ->type_name("N");
    app.add_option("--clients-max", options.clients_max, "clients at the same time [100000]")->check(CLI::PositiveNumber)->type_name("N");
    add_dead_after(app, options.dead_after);
    auto* const spin = app.add_flag("--spin", options.spin, "poll for up to 1 ms before sleeping: less latency, more CPU");
    app.add_flag("--sleep", options.sleep, "sleep at once; with neither, 50 us of polling where there are few clients")->excludes(spin);
    add_engine(app, options.engine, "how to talk to the kernel [auto]");
    add_sharing(app, options.shared_memory, "whether clients of this host and user move to shared memory [auto]");
    auto* const certificate = app.add_option("--tls-cert", options.tls.certificate, "TLS, with the certificate in FILE")->type_name("FILE");
    app.add_option("--tls-key", options.tls.key, "its key [the same FILE]")->needs(certificate)->type_name("FILE");
    app.add_option("--tls-client-ca", options.tls.client_authority, "let in only clients with a certificate of an authority in FILE")
        ->needs(certificate)
        ->type_name("FILE");
    app.add_flag("--log", options.log, "a line to stderr for each client that comes, is refused, lags behind, or goes, and why");
    app.add_flag("--json", options.json, "print {\"listening\": \"ADDRESS\", ...}, and the summary as JSON");
}

void describe_send(CLI::App& app, send_options& options) {
    app.footer(send_examples);
    app.add_option("ADDRESS", options.address, "host:port, [v6]:port, tls://host:port, unix:///path, unix://@name or shm://name")
        ->type_name("")
        ->required();
    app.add_option("TEXT", options.texts, "messages; without any, the lines of stdin")->type_name("");
    app.add_option("--count", options.count, "send each message N times [1]")->check(CLI::PositiveNumber)->type_name("N");
    add_parsed(app, "--size", options.size, parse_size, "size of up to 208 MiB - 1",
               "make messages of S bytes (1024, 1K, 1M), filled with TEXT; reads no stdin")
        ->type_name("S");
    app.add_flag("--no-reply", options.no_reply, "expect no replies; done when the peer's system has everything");
    add_parsed(app, "--timeout", options.timeout, parse_duration, "duration",
               "longest wait: to connect, for the next reply (500ms, 5s, 1m) [5s]")
        ->type_name("T");
    add_dead_after(app, options.dead_after);
    app.add_flag("--reconnect", options.reconnect, "connect again where the connection is lost; unanswered messages are lost, and counted");
    add_engine(app, options.engine, "how to talk to the kernel [auto]");
    add_sharing(app, options.shared_memory, "whether to share memory with a server of this host and user [auto]");
    app.add_option("--tls-ca", options.tls.authority, "tls://: believe the authorities in FILE [the system's]")->type_name("FILE");
    auto* const certificate =
        app.add_option("--tls-cert", options.tls.certificate, "tls://: who this is, for servers that ask")->type_name("FILE");
    app.add_option("--tls-key", options.tls.key, "its key [the same FILE]")->needs(certificate)->type_name("FILE");
    app.add_flag("--insecure-accept-any-certificate", options.tls.insecure_accept_any_certificate,
                 "tls://: talk to whoever answers; for a look at a server in trouble");
    app.add_flag("--log", options.log, "a line to stderr when it is connected, lags behind, or is closed, and why");
    app.add_flag("--json", options.json, "print replies and a summary as JSON, one object a line");
}

void check_send(const CLI::App& app, const send_options& options) {
    for (const char* const name : {"--tls-ca", "--tls-cert", "--insecure-accept-any-certificate"})
        if (app.count(name) != 0 && !options.address.starts_with("tls://")) throw CLI::ValidationError(name, "is for an address of tls://");
}

/// What only one work understands is a mistake with the others.
void check_bench(const CLI::App& app, const bench_options& options) {
    for (const char* const name : {"--rate", "--hgrm"})
        if (app.count(name) != 0 && options.work != bench_work::latency) throw CLI::ValidationError(name, "is for the work latency");
    if (app.count("--payload") != 0 && options.work != bench_work::stream && options.work != bench_work::table)
        throw CLI::ValidationError("--payload", "is for the works stream and table");
    if (options.tls && !options.connect.empty())
        throw CLI::ValidationError("--tls", "is for a server of its own; one that runs already is named as tls://...");
    if (options.tls && !options.transport.empty() && options.transport != "tcp")
        throw CLI::ValidationError("--tls", "goes with TCP only, not with --transport " + options.transport);
    if (!options.tls_authority.empty() && !options.connect.starts_with("tls://"))
        throw CLI::ValidationError("--tls-ca", "is for --connect tls://...");
    if (!options.hgrm.empty() && options.sizes.size() > 1) throw CLI::ValidationError("--hgrm", "takes one --size");
}

void describe_bench(CLI::App& app, bench_options& options) {
    app.footer(bench_examples);
    add_choice<bench_work>(app, "WORK", options.work,
                           {{"table", bench_work::table},
                            {"stream", bench_work::stream},
                            {"pingpong", bench_work::pingpong},
                            {"echo", bench_work::echo},
                            {"idle", bench_work::idle},
                            {"latency", bench_work::latency}},
                           "what to measure")
        ->required();
    add_parsed(app, "--size", options.sizes, parse_sizes, "list of sizes of up to 208 MiB - 1", "message sizes: a row each (0,64,1K)")
        ->type_name("S[,S...]");
    add_parsed(app, "--seconds", options.seconds, parse_duration, "duration", "measured time of each side of a row (0.1, 500ms) [1]")
        ->type_name("T");
    app.add_option("--clients", options.clients, "connections: echo, latency [64], idle [1000]")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("C");
    app.add_option("--depth", options.depth, "messages in flight on each connection: echo [1]")
        ->check(CLI::Range(1, 1'000'000))
        ->type_name("D");
    app.add_option("--rounds", options.rounds, "rounds of each side, in turns, within that time [5]")
        ->check(CLI::Range(1, 1000))
        ->type_name("N");
    auto* const spin = app.add_flag("--spin", options.spin, "all sides poll for up to 1 ms before they sleep");
    app.add_flag("--sleep", options.sleep, "no side polls before it sleeps; pingpong does so by itself")->excludes(spin);
    app.add_option("--rate", options.rate, "latency: messages a second, over all clients together [10000]")
        ->check(CLI::Range(1, 10'000'000))
        ->type_name("R");
    app.add_flag("--flood", options.flood, "latency: one more client floods mnet's server meanwhile; without the plain program");
    app.add_option("--hgrm", options.hgrm, "latency: write the distributions to FILE and its neighbours, for HdrHistogram's plotter")
        ->type_name("FILE");
    add_choice<std::string>(app, "--transport", options.transport, {{"tcp", "tcp"}, {"unix", "unix"}, {"shm", "shm"}, {"auto", "auto"}},
                            "auto: TCP that moves to shared memory by itself, and TCP beside it in table and stream [table auto, else tcp]")
        ->type_name("NAME");
    add_choice<payload>(app, "--payload", options.payload, {{"copied", payload::copied}, {"in_place", payload::in_place}},
                        "stream, table: a message is copied in, or written where it is read from [copied]")
        ->type_name("NAME");
    app.add_option("--connect", options.connect, "measure the `mnet serve --bench` that listens there")->type_name("ADDRESS");
    app.add_flag("--tls", options.tls, "a server with TLS, with certificates made for this run; stream and table: beside OpenSSL alone");
    app.add_option("--tls-ca", options.tls_authority, "--connect tls://...: believe the authorities in FILE [the system's]")
        ->type_name("FILE");
    add_engine(app, options.engine, "how both sides talk to the kernel [auto]");
    app.add_flag("--json", options.json, "one JSON object a row");
}

/// What the three that make a certificate have in common.
void describe_making(CLI::App& app, cert_options& options, const std::string& out, int days) {
    app.add_option("--out", options.out, fmt::format("write NAME.pem and NAME.key, neither of which is there yet [{}]", out))
        ->type_name("NAME");
    app.add_option("--days", options.days, fmt::format("how long it is good for, from now on [{}]", days))
        ->check(CLI::Range(1, 36'500))
        ->type_name("N");
    using tls::certificates::key_type;
    add_choice<key_type>(app, "--key", options.key, {{"p256", key_type::p256}, {"p384", key_type::p384}, {"rsa", key_type::rsa_3072}},
                         "kind of key [p256]")
        ->type_name("KIND");
    app.add_flag("--json", options.json, "print {\"certificate\": \"FILE\", \"key\": \"FILE\"}");
}

void describe_signer(CLI::App& app, cert_options& options) {
    app.add_option("--ca", options.signed_by, "the authority that signs: NAME.pem and NAME.key [ca]")->type_name("NAME");
}

void describe_cert(CLI::App& app, cert_options& options) {
    app.footer(cert_examples);
    app.require_subcommand(1);
    const auto add = [&](const std::string& name, cert_work work, const std::string& help) -> CLI::App& {
        CLI::App& chosen = *app.add_subcommand(name, help);
        chosen.footer(cert_examples);
        chosen.parse_complete_callback([&options, work] { options.work = work; });
        return chosen;
    };
    CLI::App& authority = add("ca", cert_work::authority, "make an authority, that signs certificates");
    authority.add_option("NAME", options.common_name, "what people see of it [mnet authority]")->type_name("");
    describe_making(authority, options, "ca", 3650);

    CLI::App& server = add("server", cert_work::server, "make a server's certificate");
    server.add_option("NAME", options.names, "DNS names (*.example.org, too) and IP addresses by which it is connected to")
        ->type_name("")
        ->required();
    describe_signer(server, options);
    describe_making(server, options, "server", 825);

    CLI::App& client = add("client", cert_work::client, "make a client's certificate");
    client.add_option("NAME", options.names, "who it is, to the server: the first name; all of them, if they are DNS names or addresses")
        ->type_name("")
        ->required();
    describe_signer(client, options);
    describe_making(client, options, "client", 825);

    CLI::App& show = add("show", cert_work::show, "say what is in certificate files");
    show.add_option("FILE", options.files, "PEM files")->type_name("")->required();
    show.add_flag("--json", options.json, "one JSON object a certificate");
}

}  // namespace

std::expected<command, exit_code> parse_command_line(int argument_count, const char* const* arguments) {
    CLI::App app("Messages, not bytes, between processes.", "mnet");
    app.footer(main_examples);
    app.set_version_flag("--version", "mnet " MNET_VERSION, "print the version and exit");
    app.set_help_flag("-h,--help", "print this and exit");
    app.require_subcommand(0, 1);

    serve_options serve;
    send_options send;
    bench_options bench;
    cert_options cert;
    CLI::App& serve_command = *app.add_subcommand("serve", "serve messages: echo, discard or a fixed reply");
    CLI::App& send_command = *app.add_subcommand("send", "send messages and print the replies");
    CLI::App& bench_command = *app.add_subcommand("bench", "measure: what arrives, how fast, what it costs");
    CLI::App& cert_command = *app.add_subcommand("cert", "make certificates for TLS, and look at them");
    describe_serve(serve_command, serve);
    describe_send(send_command, send);
    describe_bench(bench_command, bench);
    describe_cert(cert_command, cert);
    try {
        app.parse(argument_count, arguments);
        if (app.get_subcommands().empty()) throw CLI::ValidationError("say what to do: serve, send, bench or cert");
        if (serve_command.parsed()) check_service(serve_command, serve);
        if (send_command.parsed()) check_send(send_command, send);
        if (bench_command.parsed()) check_bench(bench_command, bench);
    } catch (const CLI::Success& asked) {  // help, version
        app.exit(asked);
        return std::unexpected(exit_code::done);
    } catch (const CLI::Error& error) {
        std::string place = "mnet";
        for (const CLI::App* chosen : app.get_subcommands()) place += " " + chosen->get_name();
        fmt::print(stderr, "mnet: {}\nTry `{} --help`.\n", error.what(), place);
        return std::unexpected(exit_code::usage);
    }
    if (serve_command.parsed()) return serve;
    if (send_command.parsed()) return send;
    if (cert_command.parsed()) return cert;
    return bench;
}

}  // namespace mnet::tool
