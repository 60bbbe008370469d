// `mnet bench latency`: an open loop. Messages leave at a fixed rate over all clients together, whatever the answers do, and each latency
// counts from when its message was due (bench/open_loop.hpp). The rounds of each side are one distribution.
#include "bench_flood.hpp"
#include "bench_report.hpp"
#include "bench_rounds.hpp"
#include "bench_swarm.hpp"
#include "bench_works.hpp"
#include "latency_report.hpp"
#include "quantities.hpp"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

namespace mnet::tool {

namespace {

constexpr std::array<std::size_t, 1> latency_sizes{64};

struct seen_by_both {
    bench::latencies mnet{};
    bench::latencies plain{};
};

outcome measure(const bench_options& options, bench_site& site, std::size_t clients, std::size_t size, seen_by_both& seen,
                bench_report& report) {
    const auto round_time = options.seconds / options.rounds;
    bench::latencies warm_up;
    bench::open_loop first(options.rate, clients, round_time / 4, warm_up);
    bench::open_loop ours(options.rate, clients, round_time, seen.mnet);
    bench::open_loop theirs(options.rate, clients, round_time, seen.plain);

    std::unique_ptr<bench_swarm> swarm;
    std::optional<bench_flood> flood;
    const contender mnet{.open =
                             [&] {
                                 report.progress(size_text(size) + ", mnet connects");
                                 swarm = std::make_unique<bench_swarm>(site, clients, 1, size);
                                 swarm->measure(first);
                                 if (options.flood) flood.emplace(site, size);
                             },
                         .round =
                             [&] {
                                 const bench::usage before = site.counters().usage;
                                 bench::measurement measured = swarm->measure(ours);
                                 measured.receiver = site.counters().usage - before;
                                 return measured;
                             },
                         .close =
                             [&] {
                                 flood.reset();
                                 swarm.reset();
                             }};

    std::optional<bench::plain::paced_clients> others;
    const contender plain{.open =
                              [&] {
                                  report.progress(size_text(size) + ", plain connects");
                                  others = site.checked_plain(bench::plain::paced_clients::open(site.plain_address(), clients, size));
                                  site.checked_plain(others->measure(first));
                              },
                          .round =
                              [&] {
                                  const bench::usage before = site.plain_counters().usage;
                                  bench::measurement measured = site.checked_plain(others->measure(theirs));
                                  measured.receiver = site.plain_counters().usage - before;
                                  return measured;
                              },
                          .close = [&] { others.reset(); }};

    return compete(mnet, site.has_plain() && !options.flood ? std::optional(plain) : std::nullopt, order_of_swarms(clients), options.rounds,
                   report.progress_of(size));
}

/// FILE itself, or the same with `.WHAT` in front of its extension.
void write_hgrm(const std::filesystem::path& file, std::string_view what, const bench::histogram& seen) {
    std::filesystem::path target = file;
    if (!what.empty()) target.replace_filename(fmt::format("{}.{}{}", file.stem().string(), what, file.extension().string()));
    std::ofstream out(target);
    out << seen.to_hgrm();
    out.close();
    if (!out) throw failure_exit(exit_code::lost, target.string() + ": can't be written");
}

void write_all_hgrm(const std::string& file, const latency_figures& figures) {
    write_hgrm(file, "", figures.mnet->response);
    write_hgrm(file, "service", figures.mnet->service);
    if (figures.plain == nullptr) return;
    write_hgrm(file, "plain", figures.plain->response);
    write_hgrm(file, "plain-service", figures.plain->service);
}

}  // namespace

exit_code bench_latency(const bench_options& options, bench_site& site) {
    const std::size_t clients = options.clients == 0 ? swarm_clients : options.clients;
    bench_report report(options, "latency", site);
    for (const std::size_t size : sizes_or(options, latency_sizes)) {
        const auto seen = std::make_unique<seen_by_both>();
        bench_row row{.size = size, .measured = measure(options, site, clients, size, *seen, report)};
        row.open_loop = latency_figures{
            .rate = options.rate, .mnet = &seen->mnet, .plain = row.measured.plain ? &seen->plain : nullptr, .clients = clients};
        report.add(row);
        if (!options.hgrm.empty()) write_all_hgrm(options.hgrm, *row.open_loop);
    }
    return report.verdict();
}

}  // namespace mnet::tool
