// `mnet bench`: what arrives, how fast, and what it costs, beside the plain-socket program of bench/plain_sockets.hpp in the same run.
//
// - bench.cpp: the options made whole, the server process, the choice of the work.
// - bench_table.cpp, bench_stream.cpp, bench_pingpong.cpp, bench_echo.cpp, bench_idle.cpp, bench_latency.cpp: one work
//   each.
// - bench_site.hpp: the two servers that are measured. bench_rounds.hpp: who is measured when. bench_report.hpp: what is printed.
// - With TLS, table and stream stand beside OpenSSL alone, too: bench/bare_tls.hpp. Through memory that both sides poll, pingpong stands beside
//   two threads alone: bench/bare_memory.hpp.
#pragma once
#include "failure.hpp"

#include <mnet/mtcp/options.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mnet::tool {

/// Where a message comes from. copied: from memory of the sender's own. in_place: the sender writes where it is read from; what it writes is the
/// number of the message, at both ends, and the time is that of handing over.
enum class payload : std::uint8_t { copied, in_place };

enum class bench_work : std::uint8_t { table, stream, pingpong, echo, idle, latency };

struct bench_options {
    bench_work work = bench_work::table;
    std::vector<std::size_t> sizes{};                           // empty: the work's own
    std::chrono::nanoseconds seconds{std::chrono::seconds(1)};  // measured time of each side of a row
    std::size_t clients = 0;                                    // 0: the work's own
    std::size_t depth = 1;
    double rate = 10'000;                           // latency: messages a second over all clients
    bool flood = false;                             // latency: one more client floods the server meanwhile
    std::string hgrm{};                             // latency: where the distributions are written to, when not empty
    int rounds = 5;                                 // of each side, in turns; the median counts
    bool spin = false;                              // everybody polls for long
    bool sleep = false;                             // nobody polls; with neither, each does as it does by default
    mtcp::engine engine = mtcp::engine::automatic;  // of both sides
    std::string transport{};                        // empty: the work's own; auto: what two processes of this host get by themselves
    std::string connect{};                          // empty: a server process of our own
    bool tls = false;                               // that process serves with TLS
    std::string tls_authority{};                    // whom to believe, of a `connect` with tls://; empty: the system's
    tool::payload payload = payload::copied;        // stream, table; where memory is shared and TCP stands beside it, both are measured
    bool json = false;
};

/// Throws failure_exit.
exit_code run_bench(const bench_options& options);

}  // namespace mnet::tool
