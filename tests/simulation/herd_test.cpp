// A thousand clients that lose their server do not come back all at once: how their arrivals are spread, in slices of time.
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>

namespace mnet {
namespace {

using namespace std::chrono_literals;
using simulation::machine;
using simulation::world;

constexpr std::size_t clients = 1000;
constexpr auto gathering = "127.0.0.1:5050";

task<void> stay(mtcp::loop& loop, std::size_t& returned) {
    const mtcp::connect_options options = {.reconnect = {.policy = mtcp::reconnect_policy::fail_fast}};
    auto connected = co_await mtcp::async_connect(loop, gathering, options);
    if (!connected) co_return;
    client client = *std::move(connected);
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message && message.error() == errc::reconnected) ++returned;
        if (!message && message.error() != errc::reconnected) co_return;
    }
}

task<result<>> wait_for_the_end(client& client) {
    auto message = co_await client.async_read();
    co_return failure(message.error());
}

/// Arrivals in slices of that length, from when the server was there again.
struct arrivals {
    std::map<std::int64_t, std::size_t> slices{};

    void draw(const char* title, std::chrono::nanoseconds slice) const {
        std::printf("%s, clients in each %.3f s:\n", title, std::chrono::duration<double>(slice).count());
        for (const auto& [number, count] : slices) {
            std::printf("%8.3f s %5zu %s\n", std::chrono::duration<double>(slice * number).count(), count,
                        std::string(count / 2, '#').c_str());
        }
    }
    std::size_t largest() const {
        return std::ranges::max_element(slices, {}, [](const auto& each) { return each.second; })->second;
    }
};

/// The server is gone for so long.
arrivals lose_a_server(std::uint64_t seed, std::chrono::nanoseconds gone, std::chrono::nanoseconds slice) {
    arrivals seen;
    world world({.seed = seed});
    {
        std::size_t returned = 0;
        std::chrono::nanoseconds open_at{0};
        bool again = false;
        const auto handler = [&](client& client) -> task<result<>> {
            if (again) ++seen.slices[(world.elapsed() - open_at) / slice];
            return wait_for_the_end(client);
        };
        auto network = world.listen({.address = gathering}, handler, machine{0});
        auto& loop = world.make_loop(machine{1});
        for (std::size_t number = 0; number < clients; ++number) world.start("client", stay(loop, returned));
        world.run_for(10s);
        network = failure(errc::already_closed);
        world.run_for(gone);
        open_at = world.elapsed();
        again = true;
        network = world.listen({.address = gathering}, handler, machine{0});
        world.run_for(2min);
        EXPECT_EQ(returned, clients) << "all are back";
    }
    (void)world.finish();  // the clients stay for ever
    return seen;
}

TEST(Herd, ThatLosesAServerForAMomentComesBackEvenly) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const arrivals seen = lose_a_server(seed, 0s, 10ms);
        if (seed == 1) seen.draw("The server was gone for a moment", 10ms);
        EXPECT_LE(seen.largest(), clients / 10) << "seed " << seed << ": without jitter it were all of them";
        EXPECT_GE(seen.slices.size(), 20U) << "seed " << seed;
    }
}

TEST(Herd, ThatLosesAServerForLongerComesBackOverSeconds) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const arrivals seen = lose_a_server(seed, 10s, 500ms);
        if (seed == 1) seen.draw("The server was gone for 10 s", 500ms);
        EXPECT_LE(seen.largest(), clients / 8) << "seed " << seed;
        EXPECT_GE(seen.slices.size(), 15U) << "seed " << seed;
    }
}

}  // namespace
}  // namespace mnet
