// What the benchmark programs of other libraries share, one program a library (`bench_peer_NAME`): the command line, the two processes, the
// rounds, the clocks, the checks of what arrived and the JSON rows. Each peer brings a server and a client, written as its own documentation
// and its own benchmarks do; peer_program.cpp measures them as `mnet bench` measures mnet and plain sockets.
//
//     bench_peer_NAME stream|pingpong|echo|idle [--size S,..] [--seconds T] [--clients C] [--depth D] [--spin] [--transport NAME]
//
// Server and client are two processes, forked before the library is started in either. What they say to each other around the measured
// messages (bench/protocol.hpp: the request, the receiver's acknowledgement) goes over a socket pair of their own, so that a peer that knows
// one direction only can be measured too. A work that a library can't do is told as a row with "skipped": REASON.
#pragma once
#include "measurement.hpp"
#include "stamp.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::bench::peers {

enum class peer_work : std::uint8_t { stream, pingpong, echo, idle };

struct settings {
    peer_work work = peer_work::stream;
    std::string transport{};
    std::size_t size = 64;
    std::size_t clients = 1;
    std::size_t depth = 1;
    bool spin = false;
};

/// What a receiver has counted.
struct receipt {
    std::uint64_t delivered = 0;  // arrived whole, and what was expected
    std::uint64_t bytes = 0;

    /// `sequence` is what the message should say.
    void count(std::span<const std::byte> payload, std::size_t size, std::uint64_t sequence) noexcept {
        bytes += payload.size();
        delivered += intact(payload, size, sequence) ? 1 : 0;
    }
};

/// The receiving end, in a process of its own. Everything throws std::exception when it can't go on.
class server {
public:
    server() = default;
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    virtual ~server() = default;

    /// Where the client finds it; it listens from here on.
    virtual std::string listen() = 0;

    /// The next `count` messages of the one client, each checked.
    virtual receipt receive_stream(std::uint64_t count) = 0;

    /// The same, and each is sent back before the next is read.
    virtual receipt answer_pingpong(std::uint64_t count) = 0;

    /// Sends back all messages of all clients, until the process is ended.
    [[noreturn]] virtual void echo() = 0;
};

/// The sending end. Connected when it was made: one connection, or `settings::clients` of them for echo and idle.
class client {
public:
    client() = default;
    client(const client&) = delete;
    client& operator=(const client&) = delete;
    virtual ~client() = default;

    /// Hands over messages 0 to count - 1, all but the waiting for their arrival.
    virtual void send_stream(std::uint64_t count) = 0;

    /// Sends message `sequence`, awaits its reply and gives whether that is intact.
    virtual bool round_trip(std::uint64_t sequence) = 0;

    /// Keeps settings::depth messages in flight on each connection until now_ns() is `until_ns`, then awaits those that are out. With 0: one
    /// message on each.
    virtual measurement echo(std::uint64_t until_ns) = 0;
};

struct peer {
    std::string_view name;
    std::vector<std::string_view> transports;  // the first is the default
    std::function<std::unique_ptr<server>(const settings&)> make_server;
    std::function<std::unique_ptr<client>(const settings&, const std::string& address)> make_client;

    /// Why the library can't do that work; nothing when it can.
    std::function<std::optional<std::string>(const settings&)> cannot = [](const settings&) { return std::nullopt; };

    /// Starts what must run beside both (a broker); it ends when the object goes.
    std::function<std::shared_ptr<void>()> beside = [] { return nullptr; };
};

/// main() of a peer: 0 when all was delivered, 1 when something was lost or failed, 2 for a wrong command line.
int run_peer(const peer& peer, int argument_count, const char* const* arguments);

/// A std::runtime_error of the library's, as `WHAT: REASON`.
[[noreturn]] void fail(std::string_view what, std::string_view reason);

/// Turns an event loop until `done()`: `wait` handles what happens and sleeps until something does; where both sides spin, `poll` handles
/// what is there without sleeping, for up to `spin_time` after `progress` last changed.
template <typename Done, typename Poll, typename Wait>
void turn_until(bool spin, const std::uint64_t& progress, Done&& done, Poll&& poll, Wait&& wait) {
    constexpr auto spin_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(spin_time).count());
    std::uint64_t seen = progress;
    std::uint64_t sleep_at = spin ? now_ns() + spin_ns : 0;
    while (!done()) {
        if (!spin) {
            wait();
            continue;
        }
        poll();
        if (progress == seen && now_ns() < sleep_at) continue;
        if (progress == seen && !done()) wait();
        seen = progress;
        sleep_at = now_ns() + spin_ns;
    }
}

}  // namespace mnet::bench::peers
