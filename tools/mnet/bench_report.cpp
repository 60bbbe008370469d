// Rows of a benchmark as JSON and as a table: see bench_report.hpp.
#include "bench_report.hpp"

#include "machine.hpp"
#include "process.hpp"
#include "quantities.hpp"

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace mnet::tool {

namespace {

constexpr std::string_view side_by_side_head =
    "                 shared memory, delivered                   TCP, delivered\n"
    "     size         in place        copied in            mnet         plain  ratio    allocs    messages of each";

constexpr std::string_view openssl_line =
    "openssl: SSL_write and SSL_read of the same bytes in full records on memory BIOs, one after the other on one thread; no kernel, no "
    "second process, no finding of messages";

constexpr std::string_view memory_line =
    "memory: two threads of one process that copy the same bytes there and back and look for them all the time; no frames, no second "
    "process. Where the two processors lie decides it";

std::string_view bare_line(std::string_view bare) noexcept {
    if (bare == "openssl") return openssl_line;
    return bare == "memory" ? memory_line : std::string_view();
}

/// Who does the same without messages, where somebody does.
std::string bare_of(const bench_options& options, const bench_site& site) {
    const bool streams = options.work == bench_work::table || options.work == bench_work::stream;
    if (site.has_tls() && streams && options.payload == payload::copied) return "openssl";
    return site.polls_memory() && options.work == bench_work::pingpong ? "memory" : "";
}

std::string head(bench_work work, std::string_view bare) {
    std::string line = fmt::format("{:>9} {:>13} {:>13} {:>11} {:>10} {:>11} {:>6}", "size", "messages", "delivered", "a message", "MB/s",
                                   "plain", "ratio");
    if (!bare.empty()) line += fmt::format(" {:>11} {:>6}", bare, "ratio");
    line += fmt::format(" {:>9} {:>9}", "allocs", "syscalls");
    if (work == bench_work::pingpong) line += fmt::format(" {:>9} {:>9} {:>9} {:>9}", "p50", "p99", "p99.9", "max");
    if (work == bench_work::pingpong && !bare.empty()) line += fmt::format(" {:>11}", fmt::format("{} p50", bare));
    if (work == bench_work::idle) line += fmt::format(" {:>12} {:>12}", "bytes/client", "plain");
    if (work == bench_work::echo) line += fmt::format(" {:>12} {:>12}", "trips/s", "plain");
    return line;
}

/// What a round trip's time is counted from, where there are such.
std::string_view loop_kind(bench_work work) {
    if (work == bench_work::latency)
        return "open loop: messages are due at a fixed rate. response: from then on; service: from when it was written. The sender polls.";
    if (work == bench_work::pingpong || work == bench_work::echo) return "closed loop: the next message leaves when an answer has come";
    return {};
}

/// 0 is written as such; else enough digits to tell it from 0.
std::string rate_text(double value) {
    return value == 0.0 ? "0" : value < 0.01 ? fmt::format("{:.1e}", value) : fmt::format("{:.2f}", value);
}

std::string trips_text(const bench::measurement& measured) {
    const double nanoseconds = measured.ns_per_message();
    return count_text(nanoseconds <= 0 ? 0 : static_cast<std::uint64_t>(1e9 / nanoseconds));
}

}  // namespace

bench_report::bench_report(const bench_options& options, std::string_view work, const bench_site& site)
    : json_(options.json),
      terminal_(::isatty(STDERR_FILENO) != 0),
      kind_(options.work),
      rounds_(options.rounds),
      work_(work),
      transport_(site.transport()),
      plain_transport_(site.plain_transport()),
      engine_(site.engine()),
      side_by_side_(site.has_both() && options.payload == payload::copied && (kind_ == bench_work::table || kind_ == bench_work::stream)),
      bare_(bare_of(options, site)) {
    if (json_) return;
    const std::string_view who = kind_ == bench_work::latency ? "the server" : "who waits";
    std::string_view wait = "sleeps when there is nothing, mnet after 50 us of polling where a thread has few clients";
    if (options.spin) wait = "spins before it sleeps";
    if (options.sleep) wait = "sleeps when there is nothing";
    print_line(fmt::format("{}: {} over {}, engine {}, {} {}", work_, site.address(), transport_, engine_, who, wait));
    if (const std::string_view kind = loop_kind(kind_); !kind.empty()) print_line(kind);
    if (const std::string_view bare = bare_line(bare_); !bare.empty()) print_line(bare);
    for (const std::string& line : machine_lines()) print_line(line);
    print_line("");
    if (side_by_side_) {
        print_line(side_by_side_head);
    } else if (kind_ != bench_work::latency) {
        print_line(head(kind_, bare_));
    }
}

bench_report::~bench_report() { clear_progress(); }

void bench_report::progress(std::string_view what) {
    if (!terminal_) return;
    fmt::print(stderr, "\r\x1b[K{}: {}", work_, what);
    std::fflush(stderr);
}

on_round bench_report::progress_of(std::size_t size) {
    return [this, size](int round, std::string_view who) {
        progress(fmt::format("{}, round {} of {}, {}", size_text(size), round, rounds_, who));
    };
}

void bench_report::clear_progress() {
    if (!terminal_) return;
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
}

void bench_report::add(const bench_row& row) {
    clear_progress();
    if (json_) {
        print_json(row, side::mnet);
        if (row.measured.plain) print_json(row, side::plain);
        if (row.measured.bare) print_json(row, side::bare);
    } else {
        print_table(row);
    }
    if (row.open_loop) {
        for (const std::string& line : rate_complaints(*row.open_loop, row.size)) print_error(line);
    }
    tell_lost(row);
}

void bench_report::add(const bench_row& in_place, const bench_row& copied, const bench_row& over_tcp) {
    clear_progress();
    if (json_) {
        for (const bench_row* const row : {&in_place, &copied, &over_tcp}) print_json(*row, side::mnet);
        if (over_tcp.measured.plain) print_json(over_tcp, side::plain);
    } else {
        const auto time = [](const bench::measurement& measured) { return duration_text(measured.ns_per_message()); };
        const auto& plain = over_tcp.measured.plain;
        const auto ratio = over_tcp.measured.ratio();
        std::uint64_t allocated = 0;
        for (const bench_row* const row : {&in_place, &copied, &over_tcp}) allocated += allocations(row->measured.mnet);
        print_line(fmt::format("{:>9} {:>16} {:>16} {:>15} {:>13} {:>6} {:>9}    {}, {}, {}", size_text(in_place.size),
                               time(in_place.measured.mnet), time(copied.measured.mnet), time(over_tcp.measured.mnet),
                               plain ? time(*plain) : "-", ratio ? fmt::format("{:.2f}", *ratio) : "-", allocated,
                               count_text(in_place.measured.mnet.delivered), count_text(copied.measured.mnet.delivered),
                               count_text(over_tcp.measured.mnet.delivered)));
    }
    for (const bench_row* const row : {&in_place, &copied, &over_tcp}) tell_lost(*row);
}

void bench_report::tell_lost(const bench_row& row) {
    tell_lost("", row.size, row.measured.mnet);
    if (row.measured.plain) tell_lost("plain-", row.size, *row.measured.plain);
    if (row.measured.bare) tell_lost(bare_ + "-", row.size, *row.measured.bare);
}

void bench_report::tell_lost(std::string_view who, std::size_t size, const bench::measurement& measured) {
    if (measured.delivered == measured.messages) return;
    lost_ = true;
    print_error(fmt::format("{}{}, {}: {} of {} messages were not delivered", who, work_, size_text(size),
                            measured.messages - std::min(measured.messages, measured.delivered), measured.messages));
}

void bench_report::print_json(const bench_row& row, side whose) const {
    if (whose == side::bare) {
        print_line(to_json({.work = bare_ + "-" + work_,
                            .transport = "memory",
                            .engine = bare_,
                            .size = row.size,
                            .measured = *row.measured.bare,
                            .bare = bare_,
                            .ratio_to_bare = 1.0,
                            .latency = row.bare_latency})
                       .dump());
        return;
    }
    const bool plain = whose == side::plain;
    const auto against_plain = row.open_loop ? ratio_of(*row.open_loop) : row.measured.ratio();
    const auto ratio = plain ? std::optional(1.0) : against_plain;
    auto line = to_json({.work = plain ? "plain-" + work_ : work_,
                         .transport = plain                   ? plain_transport_
                                      : row.transport.empty() ? transport_
                                                              : row.transport,
                         .payload = plain ? "" : row.payload,
                         .engine = plain ? "plain" : engine_,
                         .size = row.size,
                         .measured = plain ? *row.measured.plain : row.measured.mnet,
                         .ratio_to_plain = ratio,
                         .bare = bare_,
                         .ratio_to_bare = plain ? std::nullopt : row.measured.ratio_to_bare(),
                         .latency = plain ? row.plain_latency : row.latency,
                         .bytes_per_client = plain ? row.plain_bytes_per_client : row.bytes_per_client});
    if (row.open_loop) add_latency(line, *row.open_loop, plain);
    print_line(line.dump());
}

void bench_report::print_table(const bench_row& row) const {
    if (row.open_loop) {
        for (const std::string& line : latency_lines(*row.open_loop, row.size, terminal_columns())) print_line(line);
        return;
    }
    const bench::measurement& measured = row.measured.mnet;
    const auto& plain = row.measured.plain;
    const auto ratio_text = [](const std::optional<double>& value) { return value ? fmt::format("{:.2f}", *value) : "-"; };
    std::string line = fmt::format("{:>9} {:>13} {:>13} {:>11} {:>10.1f} {:>11} {:>6}", size_text(row.size), count_text(measured.messages),
                                   count_text(measured.delivered), duration_text(measured.ns_per_message()), megabytes_per_second(measured),
                                   plain ? duration_text(plain->ns_per_message()) : "-", ratio_text(row.measured.ratio()));
    if (const auto& bare = row.measured.bare)
        line += fmt::format(" {:>11} {:>6}", duration_text(bare->ns_per_message()), ratio_text(row.measured.ratio_to_bare()));
    line += fmt::format(" {:>9} {:>9}", rate_text(measured.per_message(allocations(measured))),
                        rate_text(measured.per_message(system_calls(measured))));
    if (row.latency) {
        const auto text = [](std::uint64_t nanoseconds) { return duration_text(static_cast<double>(nanoseconds)); };
        line += fmt::format(" {:>9} {:>9} {:>9} {:>9}", text(row.latency->p50_ns), text(row.latency->p99_ns), text(row.latency->p999_ns),
                            text(row.latency->max_ns));
        if (row.bare_latency) line += fmt::format(" {:>11}", text(row.bare_latency->p50_ns));
    }
    const auto bytes = [](const std::optional<double>& value) { return value ? fmt::format("{:.0f}", *value) : "-"; };
    if (row.bytes_per_client) line += fmt::format(" {:>12} {:>12}", bytes(row.bytes_per_client), bytes(row.plain_bytes_per_client));
    if (kind_ == bench_work::echo) line += fmt::format(" {:>12} {:>12}", trips_text(measured), plain ? trips_text(*plain) : "-");
    print_line(line);
}

}  // namespace mnet::tool
