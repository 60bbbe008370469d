// The simulated kernel and its network: bound addresses, connections, and bytes on their way, as TCP and Linux have them. It works on
// the timeline: what a call sets going arrives as an event later, and where a process is to be told, an answer's event is made; the
// world hands events back to `handle`, answers to the loop that they belong to.
//
// Linux's rules that a program can tell apart: what arrived before a reset can still be received, then ECONNRESET once, then 0; a send
// after it says EPIPE; closing with unreceived bytes, or bytes for a socket that was closed, reset the peer; a listener that closes
// resets who was not accepted; a full backlog lets a connect wait and try again, for two minutes.
//
// Kept simple: every address is local to every machine, which matter only where they are cut off from each other; IPv4 and IPv6 apart;
// Unix sockets are carried like TCP, and a path is free again when its listener closes.
#pragma once
#include "io/simulated/observer.hpp"
#include "io/simulated/random.hpp"
#include "io/simulated/socket.hpp"
#include "io/simulated/timeline.hpp"
#include "io/simulated/trace.hpp"

#include <mnet/simulation/faults.hpp>

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mnet::inline v1::io::simulated {

using simulation::duration_range;
using simulation::faults;
using simulation::injections;
using simulation::lossless_faults;

inline std::unexpected<std::error_code> kernel_failure(int error) noexcept {
    return std::unexpected(std::error_code(error, std::system_category()));
}

class network {
public:
    network(timeline& time, random& dice, const faults& luck, trace& log) noexcept : time_(time), dice_(dice), faults_(luck), log_(log) {}
    network(const network&) = delete;
    network& operator=(const network&) = delete;

    // Connections come about (network.cpp).

    result<endpoint> listen(simulated_loop& loop, io::listener& listener, const endpoint& where, const listen_settings& settings);
    void close(io::listener& listener);
    void connect(simulated_loop& loop, io::stream& stream, const endpoint& where);

    /// The next of the backlog, if any, or EMFILE.
    std::optional<result<int>> accept(acceptor& from);

    // Bytes travel (transmission.cpp). All of them on a socket that exists.

    /// As recv(2): 0 at the end, EAGAIN where there is nothing.
    result<std::size_t> receive(socket& from, std::span<std::byte> target);
    /// As send(2): EAGAIN where there is no room.
    result<std::size_t> send(socket& from, std::span<const std::byte> bytes);
    result<> finish(socket& from);
    /// The process lets go of the socket.
    void close(socket& from);
    void reset(socket& either_end);
    void vanish(socket& either_end);

    /// Nothing passes between the two machines until `until`.
    void part(int one, int other, std::chrono::nanoseconds until);
    void reunite(int one, int other);

    /// The end's process reads slowly from now on.
    void slow_down(socket& end) noexcept;

    /// Both ask for an answer's event where there is something to answer and none was asked for yet.
    void tell_receiver(socket& of);
    void tell_sender(socket& of);
    void tell_acceptor(acceptor& of);

    /// Makes sure that a connection whose peer is silent is given up in time.
    void watch_for_loss(socket& of);

    /// What is not an answer.
    void handle(const event& what);

    socket* find(int handle) noexcept;
    acceptor* find_acceptor(int handle) noexcept;
    std::size_t open_handles() const noexcept { return held_; }
    std::size_t sockets() const noexcept { return sockets_.size(); }
    bool full() const noexcept { return held_ >= faults_.handles_max; }
    void hold(socket& taken) noexcept;

    /// Closes all that this loop has, as the end of a process does.
    void forget(const simulated_loop& loop);

    /// How late an answer comes.
    std::chrono::nanoseconds answer_delay();

    /// Throws the dice for a fault, and counts it.
    bool strikes(double probability, std::uint64_t injections::* kind) {
        if (!dice_.chance(probability)) return false;
        ++(injected_.*kind);
        return true;
    }
    void count(std::uint64_t injections::* kind) noexcept { ++(injected_.*kind); }
    const injections& injected() const noexcept { return injected_; }

    void watch(observer* who) noexcept { observer_ = who; }
    observer* watched_by() const noexcept { return observer_; }

    void note(const char* what, int handle, std::int64_t value = 0) noexcept {
        log_.add({.at = time_.now(), .what = what, .handle = handle, .value = value});
    }

private:
    struct partition {
        std::chrono::nanoseconds since{0};
        std::chrono::nanoseconds until{0};
    };
    using machines = std::pair<int, int>;  // the smaller number first

    socket& make_socket(int machine, int peer_machine);
    const partition* between(const socket& of) const noexcept;
    void try_again(socket& from);
    void destroy(socket& gone);
    std::chrono::nanoseconds latency() { return dice_.between(faults_.latency.min, faults_.latency.max); }
    std::uint16_t next_port();
    bool taken(const endpoint& where, bool reuse_port) const noexcept;
    std::shared_ptr<bound_address> choose(const endpoint& target);

    void close_acceptor(int handle);
    void connect_arrives(socket& client);
    void retry_connect(socket& client);
    void refuse(socket& client, int error);
    void enqueue(socket& from, segment&& what);
    void schedule_delivery(socket& from);
    void segment_arrives(socket& from);
    void deliver(socket& from, socket& to);
    void deliver_to_nobody(socket& from);
    void probe_window_of(const socket& receiver);
    void break_off(socket& of, int error);
    void check_loss(socket& of);
    std::optional<std::chrono::nanoseconds> lost_at(const socket& of) const noexcept;

    timeline& time_;
    random& dice_;
    const faults& faults_;
    trace& log_;
    // Far from any descriptor, so that a handle that is taken for one fails. Never used twice.
    int next_handle_ = 1 << 20;
    std::uint16_t last_port_ = 49151;
    std::size_t held_ = 0;
    std::unordered_map<int, std::unique_ptr<socket>> sockets_;
    std::map<int, std::unique_ptr<acceptor>> acceptors_;
    std::vector<std::shared_ptr<bound_address>> bound_;
    std::map<machines, partition> partitions_;
    injections injected_{};
    observer* observer_ = nullptr;
};

}  // namespace mnet::inline v1::io::simulated
