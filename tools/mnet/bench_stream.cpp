// `mnet bench stream`: one connection, messages one way, as fast as they go. The receiver counts and checks each, and reports at the end;
// time runs from the first write to that report.
#include "bare_tls.hpp"
#include "bench_report.hpp"
#include "bench_rounds.hpp"
#include "bench_works.hpp"
#include "quantities.hpp"
#include "stamp.hpp"

#include <mnet/wire/encoder.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace mnet::tool {

namespace {

using bench::measurement;
using bench::stamping;

constexpr std::array<std::size_t, 6> stream_sizes{0, 16, 64, 256, 1024, 16384};

/// Where a write was refused: waits, if that is because the client is as far ahead of its peer as it may be.
result<> wait_for_room(client& client, std::error_code refused) noexcept {
    if (refused != errc::would_block) return failure(refused);
    return client.flush(bench_patience);
}

constexpr std::string_view text_of(payload what) noexcept { return what == payload::in_place ? "in_place" : "copied"; }

/// Numbers each message. What is copied stays in the cache.
template <stamping Stamping, payload Payload>
result<> send_stream(client& client, std::uint64_t count, std::span<const std::byte> source) noexcept {
    const std::size_t size = source.size();
    for (std::uint64_t sequence = 0; sequence < count;) {
        auto writer = client.write(size);
        if (!writer) [[unlikely]] {
            if (auto waited = wait_for_room(client, writer.error()); !waited) return waited;
            continue;
        }
        const std::span<std::byte> target = writer->space();
        if (Payload == payload::copied && size != 0) std::memcpy(target.data(), source.data(), size);
        bench::stamp<Stamping>(target.first(size), sequence++);
        if (auto committed = writer->advance(size).commit(); !committed) [[unlikely]]
            return committed;
    }
    return client.flush(bench_patience);
}

template <payload Payload>
measurement measure(const bench_site& site, client& client, std::uint64_t count, std::size_t size) {
    const std::vector<std::byte> source(size, std::byte{0x5a});
    site.begin(client, {.work = bench::work::stream, .count = count, .size = size});

    const bench::usage before = bench::usage_now(client.system_calls());
    const std::uint64_t start = bench::now_ns();
    const auto sent =
        bench::with_stamping(size, [&](auto stamping) { return send_stream<stamping.value, Payload>(client, count, source); });
    site.checked(sent);
    const auto report = client.read(bench_patience);
    const std::uint64_t end = bench::now_ns();
    const bench::usage used = bench::usage_now(client.system_calls()) - before;

    const bench::answer told = site.understood(site.checked(report).text());
    return {.messages = count,
            .delivered = told.delivered,
            .bytes = told.bytes,
            .elapsed_ns = end - start,
            .sender = used,
            .receiver = told.usage};
}

/// One row of mnet alone.
measurement measure(const bench_site& site, client& client, std::uint64_t count, std::size_t size, payload payload) {
    return payload == payload::in_place ? measure<payload::in_place>(site, client, count, size)
                                        : measure<payload::copied>(site, client, count, size);
}

bench_row row_alone(const bench_options& options, bench_site& site, client& client, std::size_t size, payload payload,
                    bench_report& report) {
    const auto ours = [&](std::uint64_t count) { return measure(site, client, count, size, payload); };
    const std::uint64_t count = calibrate(options.seconds / options.rounds, ours);
    const contender mnet{.round = [&] { return ours(count); }};
    return {.size = size,
            .measured = compete(mnet, std::nullopt, order::taking_turns, options.rounds, report.progress_of(size)),
            .payload = std::string(text_of(payload)),
            .transport = std::string(client.transport())};
}

bench_row row_beside_plain(const bench_options& options, bench_site& site, client& client, std::optional<bench::plain::connection>& plain,
                           std::optional<bench::bare_tls>& openssl, std::size_t size, payload payload, bench_report& report) {
    const auto ours = [&](std::uint64_t count) { return measure(site, client, count, size, payload); };
    const auto theirs = [&](std::uint64_t count) { return site.checked_plain(bench::plain::measure_stream(*plain, count, size)); };
    std::uint64_t count = calibrate(options.seconds / options.rounds, ours);
    std::optional<contender> other;
    if (plain) {
        // As many messages of each; where one is much slower, as many as it can take.
        count = std::min(count, calibrate(options.seconds / options.rounds, theirs));
        other.emplace(contender{.round = [&] { return theirs(count); }});
    }
    std::optional<contender> alone;
    if (openssl) alone.emplace(contender{.round = [&] { return openssl->measure(count, size); }});
    const contender mnet{.round = [&] { return ours(count); }};
    return {.size = size,
            .measured = compete(mnet, other, order::taking_turns, options.rounds, report.progress_of(size), alone),
            .payload = std::string(text_of(payload)),
            .transport = std::string(client.transport())};
}

}  // namespace

std::span<const std::size_t> sizes_or(const bench_options& options, std::span<const std::size_t> own) noexcept {
    return options.sizes.empty() ? own : std::span<const std::size_t>(options.sizes);
}

exit_code stream_rows(const bench_options& options, bench_site& site, std::string_view work, std::span<const std::size_t> sizes) {
    client first = site.connect(site.connect_options());
    std::optional<client> over_tcp;
    if (site.has_both()) over_tcp.emplace(site.connect(site.tcp_options()));
    std::optional<bench::plain::connection> plain;
    if (site.has_plain()) plain.emplace(site.connect_plain(std::ranges::max(sizes)));
    std::optional<bench::bare_tls> openssl;
    if (site.has_tls()) {
        auto made = bench::bare_tls::make();
        if (!made) throw failure_exit(exit_code::lost, "OpenSSL alone: " + reason_text(made.error()));
        openssl.emplace(std::move(*made));
    }

    bench_report report(options, work, site);
    for (const std::size_t size : sizes) {
        report.progress(size_text(size) + ", warming up");
        if (options.payload == payload::in_place) {
            report.add(row_alone(options, site, first, size, payload::in_place, report));
            continue;
        }
        if (!over_tcp) {
            report.add(row_beside_plain(options, site, first, plain, openssl, size, options.payload, report));
            continue;
        }
        const bench_row in_place = row_alone(options, site, first, size, payload::in_place, report);
        const bench_row copied = row_alone(options, site, first, size, payload::copied, report);
        report.add(in_place, copied, row_beside_plain(options, site, *over_tcp, plain, openssl, size, payload::copied, report));
    }
    return report.verdict();
}

exit_code bench_stream(const bench_options& options, bench_site& site) {
    return stream_rows(options, site, "stream", sizes_or(options, stream_sizes));
}

}  // namespace mnet::tool
