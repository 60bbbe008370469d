// `mnet bench`: see bench.hpp.
#include "bench.hpp"

#include "bench_site.hpp"
#include "bench_works.hpp"
#include "process.hpp"

namespace mnet::tool {

namespace {

exit_code run_work(const bench_options& options, bench_site& site) {
    switch (options.work) {
        case bench_work::table:
            return bench_table(options, site);
        case bench_work::stream:
            return bench_stream(options, site);
        case bench_work::pingpong:
            return bench_pingpong(options, site);
        case bench_work::echo:
            return bench_echo(options, site);
        case bench_work::idle:
            return bench_idle(options, site);
        case bench_work::latency:
            return bench_latency(options, site);
    }
    return exit_code::usage;
}

}  // namespace

exit_code run_bench(const bench_options& asked) {
    bench_options options = asked;
    // Between two that sleep, or two that poll: everything else would compare ways of waiting.
    if (options.work == bench_work::pingpong && !options.spin) options.sleep = true;
    if (options.transport.empty()) options.transport = options.work == bench_work::table && !options.tls ? "auto" : "tcp";
    raise_descriptor_limit();
    end_servers_on_signals();
    bench_site site(options);
    const exit_code verdict = run_work(options, site);
    if (const std::string wrong = site.stop(); !wrong.empty()) throw failure_exit(exit_code::lost, wrong);
    return verdict;
}

}  // namespace mnet::tool
