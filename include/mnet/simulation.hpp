// Your server and its clients in a simulated world: one thread, one seed, a clock that skips the time in which nothing happens, and a network
// without sockets on which everything goes wrong that can. The same seed gives the same run, so what failed once fails again.
//
//     simulation::world world({.seed = simulation::seed_or(1), .faults = simulation::lossless_faults()});
//     {
//         auto server = world.listen({.address = "localhost:5050"}, handler);            // your handler, as it is
//         world.start("ann", talk(world.make_loop(), server->address()));                // your clients: coroutines with async_connect
//         world.after(2s, [&] { world.part(simulation::machine{0}, simulation::machine{1}, 10s); });
//         world.run(1h);                                                                 // until all that was started has ended
//     }
//     const simulation::verdict verdict = world.finish();
//     if (!verdict) std::fputs(verdict.report.c_str(), stderr);                          // what broke, the command that repeats it, a trace
//
// Link mnet::simulation. The library runs unchanged, but for three things:
//   - handlers are per-message or coroutines: a blocking handler needs a thread, of which there is none;
//   - addresses are numeric, localhost or of a Unix socket: there is no resolver, no file and no shared memory;
//   - deadlines are spans (`within`), counted on the world's clock; a point of the system's clock means nothing here.
//
// What is checked, all the time and whatever your program does, for every connection without TLS:
//   - what leaves is whole frames one after the other; every byte that was committed is with the kernel or unsent, none is there twice;
//   - no more messages and payload bytes were given to the program than arrived, in the order and of the lengths in which they arrived;
//   - unsent bytes keep to `unsent_bytes_max` and one message;
//   - what was started ends: a world in which nothing can happen any more while somebody waits is broken, so is one that runs out of time;
//   - at the end no handle, no socket of the kernel and no block of a pool is left.
// What only your program knows, such as which answer belongs to which question, it says by `expect`; that a wait kept its deadline by
// `expect_within`.
//
// Driving: time passes in `run`, `run_for`, `run_until_quiet` and `finish`, and inside of whatever blocks: `client::read`, `flush` and `close`
// of a client of `connect`, `network::stop`, the end of both. None of these may be called from a handler, a started coroutine or a call of
// `after`: the process ends with a sentence then, as for a wait that can't end any more.
//
// Thread: all of a world, with what lives in it, belongs to the thread that made it. Worlds share nothing. Memory: a world keeps the last
// 512 things that happened; events cost some hundred nanoseconds of the machine's time each.
#pragma once
#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/export.hpp>
#include <mnet/mtcp/connect.hpp>
#include <mnet/mtcp/loop.hpp>
#include <mnet/mtcp/network.hpp>
#include <mnet/simulation/faults.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mnet::inline v1::simulation {

/// The seed that the environment variable MNET_SEED names (decimal, or 0x and hexadecimal), else `otherwise`.
MNET_API std::uint64_t seed_or(std::uint64_t otherwise) noexcept;

/// Where a network or loop runs: any number names one. Machines matter where they are cut off from each other: `part`, faults::partitions.
/// Every address is local to all of them.
enum class machine : int {};

struct settings {
    std::uint64_t seed = 1;
    simulation::faults faults{};

    /// The command that repeats the run, for the report. Default: MNET_SEED and the command line of this process, for programs that take their
    /// seed from `seed_or`.
    std::string again{};

    /// What the dice throw first, a byte a throw, before the seed has its turn: so a fuzzer chooses the schedule. Borrowed: outlives the world.
    std::span<const std::byte> throws{};
};

/// What became of a world.
struct verdict {
    std::vector<std::string> broken{};  // what did not hold, each with its virtual time; the first 20
    std::string report{};               // these, the command that repeats the run, and a trace; empty where nothing is broken
    injections injected{};              // the faults that struck
    std::chrono::nanoseconds elapsed{0};
    std::uint64_t connections = 0;  // ends that were opened, two a connection
    std::uint64_t frames = 0;       // whole ones that arrived

    explicit operator bool() const noexcept { return broken.empty(); }
};

class MNET_API world {
public:
    explicit world(const settings& how);
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    /// Its networks and the clients of `connect` must be gone; loops and started coroutines are its own.
    ~world();

    // Who is in it ----------------------------------------------------------------------------------------------------------------

    /// As mtcp::listen. Errors also: std::errc::operation_not_supported (a blocking handler; an address of shm://).
    result<mtcp::network> listen(const mtcp::listen_options& options, mtcp::detail::any_handler handler, machine where = {});

    template <typename Handler>
        requires std::is_invocable_v<Handler&, client&, message> || std::is_invocable_v<Handler&, client&>
    result<mtcp::network> listen(const mtcp::listen_options& options, Handler handler, machine where = {}) {
        return listen(options, mtcp::detail::make_handler(std::move(handler)), where);
    }

    /// A loop for mtcp::async_connect, the world's own. Its `run` and `turn` drive the world.
    mtcp::loop& make_loop(machine where = {});

    /// As mtcp::connect. Each of the client's calls that waits drives the world.
    result<client> connect(std::string_view address, const mtcp::connect_options& options = {}, machine where = {});

    /// Starts a coroutine, and keeps it to its end. An exception that leaves it breaks the world. `name` is for reports.
    void start(std::string name, task<void> work);

    // Time ------------------------------------------------------------------------------------------------------------------------

    /// Since the world's making.
    std::chrono::nanoseconds elapsed() const noexcept;

    /// Until every started coroutine has ended. Where one has not within `limit`, or never can, the world is broken, and it gives false.
    bool run(std::chrono::nanoseconds limit);

    /// For so long.
    void run_for(std::chrono::nanoseconds span);

    /// Until nothing is left to happen, but `limit` at most: no event, no timer, nothing on its way. False at the limit.
    bool run_until_quiet(std::chrono::nanoseconds limit);

    /// Calls it in so long. There it may order misfortune, change `luck`, start coroutines, and use clients of the world's loops and peers.
    void after(std::chrono::nanoseconds span, std::move_only_function<void()> what);

    // Misfortune ------------------------------------------------------------------------------------------------------------------

    /// What goes wrong by chance, from now on.
    faults& luck() noexcept;

    /// The network resets the client's connection: both ends notice at once, what is on its way is lost.
    void reset(client& either_end);
    /// The ends of the client's connection vanish for each other: see faults::vanishings.
    void vanish(client& either_end);
    /// Resets the client's connection as soon as so many more bytes of what it sends have arrived: from 1 on, a frame is cut at every byte.
    void cut_after(client& sender, std::size_t bytes);
    /// The client's process reads slowly from now on: see faults::slow_readers.
    void slow_down(client& reader);
    /// Cuts two machines off from each other, for so long at most: see faults::partitions.
    void part(machine one, machine other, std::chrono::nanoseconds length = std::chrono::nanoseconds::max());
    void reunite(machine one, machine other);
    /// The clock skips ahead; what was due in between happens late.
    void jump(std::chrono::nanoseconds span);

    // Truth -----------------------------------------------------------------------------------------------------------------------

    /// That this holds; `rule` says it as a sentence. Gives back whether it does.
    bool expect(bool holds, std::string_view rule);

    /// That no more than `span` has passed since `since` (of `elapsed`), jumps of the clock aside. Forgiven: 3 ms, and a hundredth, for the
    /// timers' ticks and for the work of others at that moment.
    bool expect_within(std::chrono::nanoseconds since, std::chrono::nanoseconds span, std::string_view rule);

    /// Whether nothing is broken so far.
    bool sound() const noexcept;

    /// Ends what is left of coroutines and loops, lets the kernel's last bytes arrive, looks for leaks, and judges. Networks and blocking
    /// clients must be gone: what they hold counts as a leak. Once; nothing runs in the world afterwards.
    verdict finish();

private:
    struct parts;
    std::unique_ptr<parts> parts_;
};

/// Lets so much virtual time pass for a coroutine on this loop: a program that takes its time, a reader that is slow.
/// `co_await simulation::pause(loop, 10ms)`.
MNET_API task<void> pause(mtcp::loop& loop, std::chrono::nanoseconds span);

/// The same inside a coroutine handler, on the loop of `beside`, which must outlive it. A client of `connect` has a loop of its own: there it
/// ends at once.
MNET_API task<void> pause(client& beside, std::chrono::nanoseconds span);

}  // namespace mnet::inline v1::simulation
