// What each file of the typed suite stands on: a bench with two loops of one engine on one thread, driven in turn, and connections
// between them.
#pragma once
#include "io/endpoint.hpp"
#include "io/loop.hpp"

#include "engines.hpp"
#include "probes.hpp"
#include "support/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

namespace io_test {

/// A connection, both of whose ends are ours.
struct connection {
    std::unique_ptr<probe_stream> client;
    std::unique_ptr<probe_stream> server;
};

template <typename Engine>
class bench {
    // Before the loops: what is open when there is none of ours yet.
    Engine engine_;
    std::size_t handles_at_first_ = engine_.open_handles();

public:
    explicit bench(std::uint64_t seed) : engine_(seed), random(seed) {}
    bench(const bench&) = delete;
    bench& operator=(const bench&) = delete;

    Engine& engine() { return engine_; }

    std::unique_ptr<io::loop> client_loop = engine_.make_loop();
    std::unique_ptr<io::loop> server_loop = engine_.make_loop();
    std::mt19937_64 random;

    /// Runs both loops in turn until `done()`. False: it did not come true.
    template <typename Predicate>
    [[nodiscard]] bool until(Predicate done) {
        const auto given_up = client_loop->now() + Engine::patience;
        while (!done()) {
            if (client_loop->now() > given_up) return false;
            client_loop->run_once(client_loop->now() + engine_.wait());
            server_loop->run_once(server_loop->now() + engine_.wait());
        }
        return true;
    }

    /// Lets happen what would happen by itself: for "and then nothing more".
    void settle() {
        for (int turn = 0; turn < 20; ++turn) {
            client_loop->run_once(client_loop->now() + engine_.wait());
            server_loop->run_once(server_loop->now() + engine_.wait());
        }
    }

    static constexpr std::size_t more_than_sockets_hold = Engine::more_than_sockets_hold;

    static io::endpoint loopback() { return *io::endpoint::numeric("127.0.0.1", 0); }

    std::vector<std::byte> noise(std::size_t count) {
        std::vector<std::byte> made(count);
        for (std::byte& each : made) each = static_cast<std::byte>(random());
        return made;
    }

    /// Two streams, connected over `where`. Empty pointers when something failed.
    connection connect(const io::endpoint& where = loopback()) {
        connection made{std::make_unique<probe_stream>(*client_loop), std::make_unique<probe_stream>(*server_loop)};
        probe_listener listener(*server_loop);
        const auto bound = server_loop->listen(listener, where, {});
        if (!bound) {
            ADD_FAILURE() << "listen: " << bound.error().message();
            return {};
        }
        listener.on_accepted = [&](int handle) { EXPECT_TRUE(server_loop->attach(*made.server, handle).has_value()); };
        server_loop->accept(listener);
        client_loop->connect(*made.client, *bound);
        const bool open = until([&] { return made.client->open() && made.client->connect_outcome && made.server->open(); });
        EXPECT_TRUE(open) << "no connection came about";
        server_loop->close(listener);
        return made;
    }

    /// Closes both ends that are still open, and waits for the last answer.
    void close(connection& done_with) {
        for (probe_stream* const each : {done_with.client.get(), done_with.server.get()}) {
            if (each != nullptr && each->open()) each->loop.close(*each);
        }
        const auto at_rest = [](const auto& each) { return each == nullptr || each->handle < 0; };
        EXPECT_TRUE(until([&] {
            return at_rest(done_with.client) && at_rest(done_with.server) && answered(done_with.client) && answered(done_with.server);
        })) << "close was not answered";
    }

    /// The loops go; nothing of what was opened may remain.
    void expect_nothing_left() {
        client_loop.reset();
        server_loop.reset();
        EXPECT_EQ(engine_.open_handles(), handles_at_first_) << "something was left open";
    }

private:
    static bool answered(const std::unique_ptr<probe_stream>& each) { return each == nullptr || !each->closing || each->closed_count > 0; }
};

template <typename Engine>
class engine_test : public testing::Test {
protected:
    void SetUp() override {
        if (!Engine::available()) GTEST_SKIP() << "the kernel refuses this engine here";
    }

    /// Runs `body(bench)` on a fresh bench for every seed, and looks for handles that were left open.
    template <typename Body>
    void on_every_seed(Body body) {
        for (const std::uint64_t seed : Engine::seeds()) {
            SCOPED_TRACE("MNET_SEED=" + std::to_string(seed));
            bench<Engine> fresh(seed);
            body(fresh);
            fresh.expect_nothing_left();
            if (!this->HasFailure()) continue;
            std::fprintf(stderr, "%s\n", fresh.engine().report().c_str());
            return;
        }
    }
};

/// An abstract name that no other test has.
inline std::string unused_name() {
    static int count = 0;
    return "@mnet-io-test-" + std::to_string(::getpid()) + '-' + std::to_string(++count);
}

}  // namespace io_test
