// Many clients of one benchmark server on one thread: a coroutine each, on one loop. They connect, wait for a round to begin, keep `depth`
// messages in flight until it ends, await what is still out, and wait again.
#pragma once
#include "bench_rounds.hpp"
#include "bench_site.hpp"
#include "measurement.hpp"
#include "open_loop.hpp"

#include <mnet/client.hpp>
#include <mnet/mtcp/connect.hpp>
#include <mnet/mtcp/loop.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace mnet::tool {

/// Clients where the user asks for no number.
constexpr std::size_t swarm_clients = 64;

/// How a swarm and as many plain sockets are measured: in turns where descriptors suffice for both.
order order_of_swarms(std::size_t clients) noexcept;

class bench_swarm {
public:
    /// Connects all. Throws failure_exit.
    bench_swarm(const bench_site& site, std::size_t clients, std::size_t depth, std::size_t size);
    bench_swarm(const bench_swarm&) = delete;
    bench_swarm& operator=(const bench_swarm&) = delete;
    ~bench_swarm();

    /// Round trips for `duration`, then those in flight are awaited. The server's usage is left to the caller. Throws failure_exit.
    bench::measurement measure(std::chrono::nanoseconds duration);

    /// One round trip on each.
    bench::measurement measure_one_each();

    /// An open loop: messages leave when `plan` has them due, those that are due at once in one system call a client.
    bench::measurement measure(bench::open_loop& plan);

private:
    /// Where the coroutines wait for a round.
    struct start_line {
        bench_swarm& swarm;
        bool await_ready() const noexcept { return false; }
        void await_suspend(std::coroutine_handle<> waiting) const noexcept { swarm.waiting_.push_back(waiting); }
        void await_resume() const noexcept {}
    };

    task<> live();
    void write_due(std::size_t index);
    void take(std::span<const std::byte> reply, std::uint64_t sequence) noexcept;
    result<> write(client& client, std::uint64_t sequence) noexcept;
    bench::measurement run(std::chrono::nanoseconds duration, std::uint64_t messages_each);
    void failed(std::error_code reason) noexcept;

    const bench_site& site_;
    std::size_t depth_;
    std::size_t size_;
    std::vector<std::byte> source_;
    mtcp::connect_options options_;
    mtcp::loop loop_;
    std::vector<client> clients_{};
    std::vector<std::coroutine_handle<>> waiting_{};  // at the start line
    std::vector<std::coroutine_handle<>> starting_{};
    std::error_code failure_{};
    std::size_t ended_ = 0;  // coroutines that failed
    bool stopping_ = false;
    std::uint64_t messages_each_ = 0;
    bench::open_loop* plan_ = nullptr;  // of an open loop, while it lasts
    bench::measurement measured_{};
    std::vector<task<>> tasks_{};  // last: they use all the others
};

}  // namespace mnet::tool
