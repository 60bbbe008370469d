// What no library can be faster than, on this machine and in the same run: a copy of the message from one hot place to another, a system call
// that does nothing, and a cache line that two threads hand to each other and back. `bench_limits [--size S,..] [--seconds T]` prints a JSON object
// for each size, one for the system call, and one for the cache line.
#include "base/pause_processor.hpp"
#include "measurement.hpp"
#include "process.hpp"
#include "quantities.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace mnet;

/// ns a call of `once`, over about `seconds`, asked for the time only now and then.
template <typename Once>
double nanoseconds_of(std::chrono::nanoseconds seconds, Once&& once) {
    constexpr std::uint64_t calls_between = 64;
    const std::uint64_t start = bench::now_ns();
    std::uint64_t calls = 0;
    std::uint64_t elapsed = 0;
    while (elapsed < static_cast<std::uint64_t>(seconds.count())) {
        for (std::uint64_t call = 0; call < calls_between; ++call) once();
        calls += calls_between;
        elapsed = bench::now_ns() - start;
    }
    return static_cast<double>(elapsed) / static_cast<double>(calls);
}

/// The compiler must take memory to have been read and written here.
void touched(const void* memory) noexcept { asm volatile("" : : "r"(memory) : "memory"); }

double copy_ns(std::size_t size, std::chrono::nanoseconds seconds) {
    std::vector<std::byte> source(size + 1, std::byte{0x5a});
    std::vector<std::byte> target(size + 1);
    return nanoseconds_of(seconds, [&] {
        touched(source.data());
        std::memcpy(target.data(), source.data(), size);
        touched(target.data());
    });
}

/// The median of a line there and a line back, both sides polling, with a look at the clock for each as `mnet bench pingpong` takes one.
std::uint64_t round_trip_ns(std::chrono::nanoseconds seconds) {
    constexpr std::uint64_t last = ~std::uint64_t{0};
    struct alignas(128) line {  // a processor may fetch two at a time
        std::atomic<std::uint64_t> number{0};
    };
    line there;
    line back;
    std::thread other([&] {
        for (std::uint64_t seen = 0; seen != last;) {
            const std::uint64_t now = there.number.load(std::memory_order_acquire);
            if (now == seen) {
                base::pause_processor();
                continue;
            }
            seen = now;
            back.number.store(seen, std::memory_order_release);
        }
    });
    std::vector<std::uint64_t> trips;
    const std::uint64_t start = bench::now_ns();
    std::uint64_t begun = start;
    std::uint64_t number = 0;
    do {
        ++number;
        there.number.store(number, std::memory_order_release);
        while (back.number.load(std::memory_order_acquire) != number) base::pause_processor();
        const std::uint64_t now = bench::now_ns();
        trips.push_back(now - std::exchange(begun, now));
    } while (begun - start < static_cast<std::uint64_t>(seconds.count()));
    there.number.store(last, std::memory_order_release);
    other.join();
    const auto middle = trips.begin() + static_cast<std::ptrdiff_t>(trips.size() / 2);
    std::ranges::nth_element(trips, middle);
    return *middle;
}

}  // namespace

int main(int argument_count, char** arguments) {
    CLI::App app("What a message costs at least: a copy of it, a system call, and a cache line to another processor and back.");
    std::string sizes = "0,16,64,256,1K,4K,16K,64K,1M";
    std::string seconds = "0.1";
    app.add_option("--size", sizes, "message sizes (0,64,1K)");
    app.add_option("--seconds", seconds, "measured time of a row (0.1, 500ms) [0.1]");
    CLI11_PARSE(app, argument_count, arguments);
    const auto parsed_sizes = tool::parse_sizes(sizes);
    const auto parsed_seconds = tool::parse_duration(seconds);
    if (!parsed_sizes || !parsed_seconds) return 2;

    copy_ns(0, *parsed_seconds);  // the processor takes its time to speed up
    for (const std::size_t size : *parsed_sizes)
        tool::print_line(fmt::format(R"({{"work":"limit-memcpy","size_bytes":{},"ns":{:.3f}}})", size, copy_ns(size, *parsed_seconds)));
    const double call = nanoseconds_of(*parsed_seconds, [] { ::syscall(SYS_getppid); });
    tool::print_line(fmt::format(R"({{"work":"limit-system-call","ns":{:.3f}}})", call));
    tool::print_line(fmt::format(R"({{"work":"limit-round-trip","p50_ns":{}}})", round_trip_ns(*parsed_seconds)));
    return 0;
}
