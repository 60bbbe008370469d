// `mnet bench idle`: what a client that does nothing costs its server in memory. All connect, send one message, are silent for the time
// given, and then send another, which is the message that the row counts: each of them was still there.
#include "bench_report.hpp"
#include "bench_rounds.hpp"
#include "bench_swarm.hpp"
#include "bench_works.hpp"
#include "quantities.hpp"

#include <array>
#include <functional>
#include <thread>

namespace mnet::tool {

namespace {

constexpr std::array<std::size_t, 1> idle_sizes{64};
constexpr std::size_t default_clients = 1000;

struct idle_result {
    bench::measurement measured{};
    double bytes_per_client = 0;
};

/// `connect` opens all, `one_each` makes one round trip on each of them.
idle_result measure(const bench_options& options, std::size_t clients, const std::function<bench::answer()>& counters,
                    const std::function<void()>& connect, const std::function<bench::measurement()>& one_each) {
    const std::uint64_t memory_before = counters().resident_bytes;
    connect();
    one_each();
    std::this_thread::sleep_for(options.seconds);
    const bench::answer before = counters();
    idle_result result{.measured = one_each()};
    result.measured.receiver = counters().usage - before.usage;
    result.bytes_per_client =
        (static_cast<double>(before.resident_bytes) - static_cast<double>(memory_before)) / static_cast<double>(clients);
    return result;
}

}  // namespace

exit_code bench_idle(const bench_options& options, bench_site& site) {
    const std::size_t clients = options.clients == 0 ? default_clients : options.clients;
    bench_report report(options, "idle", site);
    for (const std::size_t size : sizes_or(options, idle_sizes)) {
        bench_row row{.size = size};
        {
            report.progress(count_text(clients) + " clients of mnet");
            std::optional<bench_swarm> swarm;
            const idle_result ours = measure(
                options, clients, [&] { return site.counters(); }, [&] { swarm.emplace(site, clients, 1, size); },
                [&] { return swarm->measure_one_each(); });
            row.measured.mnet = ours.measured;
            row.bytes_per_client = ours.bytes_per_client;
        }
        if (site.has_plain()) {
            report.progress(count_text(clients) + " plain clients");
            std::optional<bench::plain::echo_clients> others;
            const idle_result theirs = measure(
                options, clients, [&] { return site.plain_counters(); },
                [&] {
                    others =
                        site.checked_plain(bench::plain::echo_clients::open(site.plain_address(), clients, 1, size, site.plain_waiting()));
                },
                [&] { return site.checked_plain(others->measure_one_each()); });
            row.measured.plain = theirs.measured;
            row.plain_bytes_per_client = theirs.bytes_per_client;
        }
        report.add(row);
    }
    return report.verdict();
}

}  // namespace mnet::tool
