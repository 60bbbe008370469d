// The flood of one client: see bench_flood.hpp.
#include "bench_flood.hpp"

#include "process.hpp"

#include <sched.h>

#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

namespace mnet::tool {

namespace {

/// So many on their way: enough to fill every turn that the server gives this client, many times over.
constexpr int flooded_max = 20'000;

/// A flood from another machine would take no processor from the server and the sender. So this one takes only what they leave: it runs where
/// the server runs, when that sleeps (SCHED_IDLE, sched(7)).
void give_precedence(std::optional<int> processor) noexcept {
    if (processor) pin_to(*processor);
    const sched_param none{};
    (void)::sched_setscheduler(0, SCHED_IDLE, &none);
}

void flood(const std::stop_token& stop, client client, std::size_t size) {
    const std::vector<std::byte> payload(size, std::byte{0x5a});
    const operation until_stopped{.deadline = bench_patience.deadline, .stop = &stop};
    for (int in_flight = 0; !stop.stop_requested();) {
        while (in_flight < flooded_max && client.send(payload)) ++in_flight;
        if (!client.read(until_stopped)) return;
        for (--in_flight; client.try_read(); --in_flight) {
        }
    }
}

}  // namespace

bench_flood::bench_flood(const bench_site& site, std::size_t size) {
    client flooding = site.connect(site.connect_options());
    site.begin(flooding, {.work = bench::work::echo, .size = size});
    thread_ =
        std::jthread([flooding = std::move(flooding), size, processor = site.servers_processor()](const std::stop_token& stop) mutable {
            give_precedence(processor);
            flood(stop, std::move(flooding), size);
        });
}

}  // namespace mnet::tool
