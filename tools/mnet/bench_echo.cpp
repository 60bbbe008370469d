// `mnet bench echo`: round trips a second over many connections at once, `depth` messages in flight on each. A message is a round trip.
#include "bench_report.hpp"
#include "bench_rounds.hpp"
#include "bench_swarm.hpp"
#include "bench_works.hpp"
#include "quantities.hpp"

#include <array>
#include <memory>

namespace mnet::tool {

namespace {

constexpr std::array<std::size_t, 1> echo_sizes{64};

bench_row measure(const bench_options& options, bench_site& site, std::size_t clients, std::size_t size, bench_report& report) {
    const auto round_time = options.seconds / options.rounds;
    std::unique_ptr<bench_swarm> swarm;
    const contender mnet{.open =
                             [&] {
                                 report.progress(size_text(size) + ", mnet connects");
                                 swarm = std::make_unique<bench_swarm>(site, clients, options.depth, size);
                                 swarm->measure(round_time / 4);
                             },
                         .round =
                             [&] {
                                 const bench::usage before = site.counters().usage;
                                 bench::measurement measured = swarm->measure(round_time);
                                 measured.receiver = site.counters().usage - before;
                                 return measured;
                             },
                         .close = [&] { swarm.reset(); }};

    std::optional<bench::plain::echo_clients> others;
    const contender plain{.open =
                              [&] {
                                  report.progress(size_text(size) + ", plain connects");
                                  others = site.checked_plain(bench::plain::echo_clients::open(site.plain_address(), clients, options.depth,
                                                                                               size, site.plain_waiting()));
                                  site.checked_plain(others->measure(round_time / 4));
                              },
                          .round =
                              [&] {
                                  const bench::usage before = site.plain_counters().usage;
                                  bench::measurement measured = site.checked_plain(others->measure(round_time));
                                  measured.receiver = site.plain_counters().usage - before;
                                  return measured;
                              },
                          .close = [&] { others.reset(); }};

    return {.size = size,
            .measured = compete(mnet, site.has_plain() ? std::optional(plain) : std::nullopt, order_of_swarms(clients), options.rounds,
                                report.progress_of(size))};
}

}  // namespace

exit_code bench_echo(const bench_options& options, bench_site& site) {
    const std::size_t clients = options.clients == 0 ? swarm_clients : options.clients;
    bench_report report(options, "echo", site);
    for (const std::size_t size : sizes_or(options, echo_sizes)) report.add(measure(options, site, clients, size, report));
    return report.verdict();
}

}  // namespace mnet::tool
