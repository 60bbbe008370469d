// `mnet bench pingpong`: one message there and back at a time, from a blocking client; the time of each round trip is kept. A closed loop:
// the next begins when the last has ended.
#include "bare_memory.hpp"
#include "bench_report.hpp"
#include "bench_rounds.hpp"
#include "bench_works.hpp"
#include "process.hpp"
#include "quantities.hpp"
#include "stamp.hpp"
#include "trip_clock.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace mnet::tool {

namespace {

using bench::measurement;

constexpr std::array<std::size_t, 2> pingpong_sizes{16, 1024};

result<> send_numbered(client& client, std::span<const std::byte> source, std::uint64_t sequence) noexcept {
    auto writer = client.write(source.size());
    if (!writer) return failure(writer.error());
    const auto target = writer->space();
    writer->append(source);
    bench::stamp(target, sequence);
    return writer->commit();
}

/// `latencies_ns` has room for `count` more.
measurement measure(const bench_site& site, client& client, std::uint64_t count, std::size_t size,
                    std::vector<std::uint64_t>& latencies_ns) {
    const std::vector<std::byte> source(size, std::byte{0x5a});
    site.begin(client, {.work = bench::work::pingpong, .count = count, .size = size});

    measurement measured{.messages = count};
    const bench::usage before = bench::usage_now(client.system_calls());
    const bench::trip_clock clock;
    const std::uint64_t start = bench::now_ns();
    std::uint64_t begun_at = clock.now();
    for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
        site.checked(send_numbered(client, source, sequence));
        const auto reply = client.read(bench_patience);  // flushes first
        if (!reply) fail(exit_code::lost, site.address(), reply.error());
        const std::uint64_t now = clock.now();
        latencies_ns.push_back(now - begun_at);
        begun_at = now;
        if (!bench::intact(reply->bytes(), size, sequence)) continue;
        ++measured.delivered;
        measured.bytes += size;
    }
    measured.elapsed_ns = bench::now_ns() - start;
    measured.sender = bench::usage_now(client.system_calls()) - before;
    clock.to_ns(std::span(latencies_ns).last(count));
    measured.receiver = site.understood(site.checked(client.read(bench_patience)).text()).usage;
    return measured;
}

}  // namespace

exit_code bench_pingpong(const bench_options& options, bench_site& site) {
    const auto sizes = sizes_or(options, pingpong_sizes);
    client client = site.the_only_client();  // so that its loop may poll for it alone
    std::optional<bench::plain::connection> plain;
    if (site.has_plain()) plain.emplace(site.connect_plain(std::ranges::max(sizes)));
    std::optional<bench::bare_memory> memory;
    if (site.polls_memory()) memory.emplace([processor = *site.servers_processor()] { pin_to(processor); });

    bench_report report(options, "pingpong", site);
    for (const std::size_t size : sizes) {
        report.progress(size_text(size) + ", warming up");
        std::vector<std::uint64_t> ours;
        std::vector<std::uint64_t> theirs;
        std::vector<std::uint64_t> alone;
        const std::uint64_t count = calibrate(options.seconds / options.rounds, [&](std::uint64_t messages) {
            ours.clear();
            ours.reserve(messages);
            return measure(site, client, messages, size, ours);
        });
        ours.clear();
        const auto rounds = static_cast<std::uint64_t>(options.rounds);
        ours.reserve(count * rounds);
        theirs.reserve(count * (rounds + 1));
        alone.reserve(count * rounds);

        std::optional<contender> other;
        if (plain) {
            const auto round = [&] { return site.checked_plain(bench::plain::measure_pingpong(*plain, count, size, theirs)); };
            round();
            theirs.clear();
            other.emplace(contender{.round = round});
        }
        std::optional<contender> bare;
        if (memory) bare.emplace(contender{.round = [&] { return memory->measure_pingpong(count, size, alone); }});
        const contender mnet{.round = [&] { return measure(site, client, count, size, ours); }};
        bench_row row{.size = size, .measured = compete(mnet, other, order::taking_turns, options.rounds, report.progress_of(size), bare)};
        row.latency = percentiles_of(ours);
        if (plain) row.plain_latency = percentiles_of(theirs);
        if (memory) row.bare_latency = percentiles_of(alone);
        report.add(row);
    }
    return report.verdict();
}

}  // namespace mnet::tool
