// What the tests of the simulated world begin with: two loops and a connection between them.
#pragma once
#include "io/simulated/world.hpp"

#include "probes.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>

namespace io_test {

inline const io::endpoint any_port = *io::endpoint::numeric("127.0.0.1", 0);

/// One connection inside one world, with a loop on a machine of its own for each end.
struct scene {
    explicit scene(std::uint64_t seed = 1, const io::simulated::faults& luck = {}) : universe(seed, luck) {}

    io::simulated::world universe;
    std::unique_ptr<io::loop> client_loop = universe.make_loop(1);
    std::unique_ptr<io::loop> server_loop = universe.make_loop(2);
    probe_listener listener{*server_loop};
    probe_stream client{*client_loop};
    probe_stream server{*server_loop};

    void start() {
        const auto bound = server_loop->listen(listener, any_port, {});
        listener.on_accepted = [this](int handle) { (void)server_loop->attach(server, handle); };
        server_loop->accept(listener);
        client_loop->connect(client, *bound);
    }

    void connect() {
        start();
        ASSERT_TRUE(universe.run_until([this] { return client.connect_outcome.has_value() && server.open(); }));
        ASSERT_TRUE(client.connect_outcome->has_value());
    }
};

}  // namespace io_test
