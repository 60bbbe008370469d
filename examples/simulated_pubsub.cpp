// The server of pubsub.hpp, as it is, in a simulated world: two publishers number what they publish, three subscribers check what they get,
// and the network between them does its worst. Each world has a seed of its own.
//
// What a subscriber may rely on: what one publisher published arrives in its order, each text once, without a gap; where that can't be, the
// connection ends instead. A subscriber that is cut off comes back, and has missed what was published meanwhile. A publisher that is cut
// off doesn't know what became of its last text: that one may be missing.
//
//     simulated_pubsub [WORLDS]       200 worlds by default; MNET_SEED=n repeats the one of seed n alone
#include "pubsub.hpp"

#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace {

using namespace std::chrono_literals;
namespace simulation = mnet::simulation;

constexpr int publishers = 2;
constexpr int subscribers = 3;
constexpr int texts = 50;  // of each publisher

simulation::faults bad_luck() {
    simulation::faults luck = simulation::lossless_faults();
    luck.bandwidth_bytes = 1'000'000;
    luck.resets = 0.002;
    luck.vanishings = 0.001;
    luck.partitions = 0.002;
    luck.refusals = 0.05;
    luck.slow_readers = 0.2;
    luck.clock_jumps = 0.0005;
    return luck;
}

struct gathering {
    simulation::world& world;
    mnet::mtcp::loop& loop;
    std::string address;
    int publishing = publishers;
    std::set<std::pair<int, int>> doubtful{};  // publisher and number of the texts that got no answer
    std::uint64_t arrived = 0;
};

/// Publishes its texts one after the other; each is answered before the next. What got no answer may have been published: it isn't repeated.
mnet::task<void> publish(gathering& all, int number) {
    for (int text = 0; text < texts;) {
        auto connected = co_await mnet::mtcp::async_connect(all.loop, all.address, {.dead_after = 5s});
        if (!connected) {
            co_await simulation::pause(all.loop, 100ms);
            continue;
        }
        mnet::client client = *std::move(connected);
        for (; text < texts; ++text) {
            (void)client.send("pub news " + std::to_string(number) + " " + std::to_string(text));
            const auto answer = co_await client.async_read({.deadline = mnet::within(20s)});
            if (answer) continue;
            all.doubtful.emplace(number, text++);
            break;
        }
    }
    --all.publishing;
}

/// `news PUBLISHER NUMBER`
bool follows(std::string_view message, const gathering& all, std::map<int, int>& last) {
    int publisher = 0;
    int number = 0;
    if (!message.starts_with("news ")) return false;
    const char* const end = message.data() + message.size();
    const auto first = std::from_chars(message.data() + 5, end, publisher);
    if (first.ptr == end || std::from_chars(first.ptr + 1, end, number).ptr != end) return false;
    const auto [entry, fresh] = last.try_emplace(publisher, number);
    if (fresh) return true;
    int expected = std::exchange(entry->second, number) + 1;
    while (expected < number && all.doubtful.contains({publisher, expected})) ++expected;
    return expected == number;
}

/// Subscribes, checks what comes, and comes back when it was cut off, until nobody publishes any more.
mnet::task<void> subscribe(gathering& all) {
    while (all.publishing > 0) {
        auto connected = co_await mnet::mtcp::async_connect(all.loop, all.address, {.dead_after = 5s});
        if (!connected) {
            co_await simulation::pause(all.loop, 100ms);
            continue;
        }
        mnet::client client = *std::move(connected);
        (void)client.send("sub news");
        bool subscribed = false;
        std::map<int, int> last;  // number of each publisher
        for (;;) {
            const auto message = co_await client.async_read({.deadline = mnet::within(1s)});
            if (!message && client.live() && all.publishing > 0) continue;  // only the deadline has passed
            if (!message) break;
            if (!subscribed) {
                subscribed = all.world.expect(message->text() == "subscribed to news", "the first answer is that to sub");
                continue;
            }
            ++all.arrived;
            all.world.expect(follows(message->text(), all, last), "what one publisher published arrives in order, once, without a gap");
        }
    }
}

simulation::verdict run(std::uint64_t seed, std::uint64_t& arrived) {
    simulation::world world({.seed = seed, .faults = bad_luck()});
    pubsub::topic_board board;
    {
        auto network = world.listen({.dead_after = 5s}, [&board](mnet::client& client) { return pubsub::serve(client, board); });
        gathering all{.world = world, .loop = world.make_loop(simulation::machine{1}), .address = network->address()};
        for (int number = 0; number < subscribers; ++number) world.start("subscriber " + std::to_string(number), subscribe(all));
        for (int number = 0; number < publishers; ++number) world.start("publisher " + std::to_string(number), publish(all, number));
        world.run(24h);
        arrived += all.arrived;
    }
    world.expect(board.empty(), "the board holds nobody who is gone");
    return world.finish();
}

}  // namespace

int main(int argument_count, char** arguments) {
    const bool one = std::getenv("MNET_SEED") != nullptr;
    const std::uint64_t first = simulation::seed_or(1);
    const std::uint64_t worlds = one ? 1 : argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 200;
    std::chrono::nanoseconds elapsed{0};
    simulation::injections injected;
    std::uint64_t arrived = 0;
    for (std::uint64_t seed = first; seed < first + worlds; ++seed) {
        const simulation::verdict verdict = run(seed, arrived);
        if (!verdict) {
            std::fputs(verdict.report.c_str(), stderr);
            return 1;
        }
        elapsed += verdict.elapsed;
        injected += verdict.injected;
    }
    std::printf("%llu worlds, %.1f virtual hours, %llu faults, %llu texts arrived as they were published\n",
                static_cast<unsigned long long>(worlds), std::chrono::duration<double, std::ratio<3600>>(elapsed).count(),
                static_cast<unsigned long long>(injected.total()), static_cast<unsigned long long>(arrived));
}
