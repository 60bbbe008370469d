// The command line, the processes and the rounds of a peer's program: see peer_program.hpp.
#include "peer_program.hpp"

#include "bench_rounds.hpp"
#include "bench_row.hpp"
#include "peer_processes.hpp"
#include "process.hpp"
#include "protocol.hpp"
#include "quantities.hpp"
#include "trip_clock.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <expected>
#include <stdexcept>
#include <thread>

namespace mnet::bench::peers {

namespace {

using tool::json_row;

struct options {
    settings chosen{};
    std::vector<std::size_t> sizes{};
    std::chrono::nanoseconds seconds{std::chrono::seconds(1)};
};

constexpr std::string_view work_names[] = {"stream", "pingpong", "echo", "idle"};  // in the order of peer_work

/// The server's process: does what is asked for until it is ended.
void serve(const peer& peer, const settings& chosen, control_channel& control) {
    const auto server = peer.make_server(chosen);
    control.send(server->listen());
    for (;;) {
        const auto asked = parse_request(control.receive());
        if (!asked) throw std::runtime_error("the server was asked for what it does not know");
        control.send(ready_text);
        if (asked->work == work::echo) server->echo();
        const receipt got = asked->work == work::stream ? server->receive_stream(asked->count) : server->answer_pingpong(asked->count);
        control.send(to_text(answer{.delivered = got.delivered, .bytes = got.bytes}));
    }
}

/// One row: a server process, and the client here.
class cell {
public:
    cell(const peer& peer, const options& options)
        : options_(options),
          chosen_(options.chosen),
          beside_(peer.beside()),
          server_(chosen_.spin, [&](control_channel& control) { serve(peer, chosen_, control); }),
          address_(server_.control().receive()),
          connect_([this, &peer] { client_ = peer.make_client(chosen_, address_); }) {}

    json_row measure() {
        json_row row{.size = chosen_.size, .counted = false};
        switch (chosen_.work) {
            case peer_work::stream:
                measure_stream(row);
                break;
            case peer_work::pingpong:
                measure_pingpong(row);
                break;
            case peer_work::echo:
                measure_echo(row);
                break;
            case peer_work::idle:
                measure_idle(row);
                break;
        }
        return row;
    }

private:
    using work_of = bench::work;

    std::uint64_t server_cpu_ns() const { return server_.cpu_ns(); }

    void begin(work_of asked, std::uint64_t count = 0) {
        server_.control().send(to_text(request{.work = asked, .count = count, .size = chosen_.size}));
        if (server_.control().receive() != ready_text) throw std::runtime_error("the server is not ready");
    }

    /// `run` between two readings of the clocks of both processes.
    template <typename Run>
    measurement timed(Run&& run) {
        const std::uint64_t server_before = server_cpu_ns();
        const std::uint64_t client_before = own_cpu_ns();
        const std::uint64_t start = now_ns();
        measurement measured = run();
        const std::uint64_t end = now_ns();
        measured.elapsed_ns = end - start;
        measured.sender.cpu_ns = own_cpu_ns() - client_before;
        measured.receiver.cpu_ns = server_cpu_ns() - server_before;
        return measured;
    }

    answer acknowledgement() {
        const auto told = parse_answer(server_.control().receive());
        if (!told) throw std::runtime_error("the server did not acknowledge");
        return *told;
    }

    void measure_stream(json_row& row) {
        connect_();
        const auto round = [&](std::uint64_t count) {
            begin(work_of::stream, count);
            return timed([&] {
                client_->send_stream(count);
                const answer told = acknowledgement();
                return measurement{.messages = count, .delivered = told.delivered, .bytes = told.bytes};
            });
        };
        row.measured = round(tool::calibrate(options_.seconds, round));
    }

    void measure_pingpong(json_row& row) {
        connect_();
        std::vector<std::uint64_t> latencies_ns;
        const auto round = [&](std::uint64_t count) {
            latencies_ns.clear();
            latencies_ns.reserve(count);
            begin(work_of::pingpong, count);
            measurement measured = timed([&] {
                measurement trips{.messages = count};
                const trip_clock clock;
                std::uint64_t begun_at = clock.now();
                for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
                    trips.delivered += client_->round_trip(sequence) ? 1 : 0;
                    const std::uint64_t now = clock.now();
                    latencies_ns.push_back(now - begun_at);
                    begun_at = now;
                }
                clock.to_ns(latencies_ns);
                return trips;
            });
            measured.delivered = std::min(measured.delivered, acknowledgement().delivered);
            measured.bytes = measured.delivered * chosen_.size;
            return measured;
        };
        row.measured = round(tool::calibrate(options_.seconds, round));
        row.latency = tool::percentiles_of(latencies_ns);
    }

    void measure_echo(json_row& row) {
        begin(work_of::echo);
        connect_();
        client_->echo(0);
        const auto round = [&](std::chrono::nanoseconds time) {
            return timed([&] { return client_->echo(now_ns() + static_cast<std::uint64_t>(time.count())); });
        };
        round(options_.seconds / 4);
        row.measured = round(options_.seconds);
    }

    void measure_idle(json_row& row) {
        begin(work_of::echo);
        const std::uint64_t before = resident_bytes(server_.id());
        connect_();
        client_->echo(0);
        std::this_thread::sleep_for(options_.seconds);
        const std::uint64_t after = resident_bytes(server_.id());
        row.measured = timed([&] { return client_->echo(0); });
        row.bytes_per_client = (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(chosen_.clients);
    }

    const options& options_;
    const settings& chosen_;
    std::shared_ptr<void> beside_;  // outlives both ends
    server_end server_;
    std::string address_;
    std::function<void()> connect_;
    std::unique_ptr<client> client_{};
};

int measure_cell(const peer& peer, const options& options) {
    const settings& chosen = options.chosen;
    json_row row{.size = chosen.size};
    const auto reason = peer.cannot(chosen);
    if (!reason) row = cell(peer, options).measure();
    row.work = fmt::format("{}-{}", peer.name, work_names[static_cast<std::size_t>(chosen.work)]);
    row.transport = chosen.transport;
    row.engine = peer.name;
    if (reason) {
        tool::print_line(nlohmann::ordered_json{
            {"work", row.work}, {"transport", row.transport}, {"engine", row.engine}, {"size_bytes", row.size}, {"skipped", *reason}}
                             .dump());
        return 0;
    }
    tool::print_line(to_json(row).dump());
    if (row.measured.delivered == row.measured.messages) return 0;
    fmt::print(stderr, "{}, {}: only {} of {} messages were delivered\n", row.work, tool::size_text(row.size), row.measured.delivered,
               row.measured.messages);
    return 1;
}

/// What the command line says, or how the program ends.
std::expected<options, int> parsed(const peer& peer, int argument_count, const char* const* arguments) {
    CLI::App app(fmt::format("The work of `mnet bench`, done with {}: one JSON object a row.", peer.name));
    options read;
    settings& chosen = read.chosen;
    std::string work_name;
    std::string sizes = "64";
    std::string seconds = "1";
    std::size_t clients = 0;
    chosen.transport = peer.transports.front();
    const std::vector<std::string> works(std::begin(work_names), std::end(work_names));
    app.add_option("WORK", work_name, "stream, pingpong, echo or idle")->required()->check(CLI::IsMember(works));
    app.add_option("--size", sizes, "message sizes, a row each (0,64,1K) [64]");
    app.add_option("--seconds", seconds, "measured time of a row (0.1, 500ms) [1]");
    app.add_option("--clients", clients, "connections: echo [64], idle [1000]")->check(CLI::Range(1, 1'000'000));
    app.add_option("--depth", chosen.depth, "messages in flight on each connection: echo [1]")->check(CLI::Range(1, 1'000'000));
    app.add_flag("--spin", chosen.spin, "both sides poll for up to 1 ms before they sleep");
    app.add_option("--transport", chosen.transport, "one of those that the library has")
        ->check(CLI::IsMember(std::vector<std::string>(peer.transports.begin(), peer.transports.end())));
    app.add_flag_function("--json", [](std::int64_t) {}, "as always");
    try {
        app.parse(argument_count, arguments);
    } catch (const CLI::ParseError& error) {
        return std::unexpected(app.exit(error) == 0 ? 0 : 2);
    }

    const auto parsed_sizes = tool::parse_sizes(sizes);
    const auto parsed_seconds = tool::parse_duration(seconds);
    if (!parsed_sizes || !parsed_seconds) {
        fmt::print(stderr, "{}: \"{}\" is no list of sizes, or \"{}\" is no duration\n", peer.name, sizes, seconds);
        return std::unexpected(2);
    }
    read.sizes = *parsed_sizes;
    read.seconds = *parsed_seconds;
    chosen.work = static_cast<peer_work>(std::ranges::find(works, work_name) - works.begin());
    const bool echoes = chosen.work == peer_work::echo;
    const bool many = echoes || chosen.work == peer_work::idle;
    chosen.clients = !many ? 1 : clients != 0 ? clients : echoes ? 64 : 1000;
    if (!echoes) chosen.depth = 1;
    return read;
}

}  // namespace

void fail(std::string_view what, std::string_view reason) { throw std::runtime_error(fmt::format("{}: {}", what, reason)); }

int run_peer(const peer& peer, int argument_count, const char* const* arguments) {
    auto options = parsed(peer, argument_count, arguments);
    if (!options) return options.error();
    tool::raise_descriptor_limit();

    int status = 0;
    for (const std::size_t size : options->sizes) {
        options->chosen.size = size;
        // A process for each row: libraries that can't start twice in one start once in each.
        const int ended = in_child(peer.name, options->seconds, [&] { return measure_cell(peer, *options); });
        status = std::max(status, ended);
    }
    return status;
}

}  // namespace mnet::bench::peers
