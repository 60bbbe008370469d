// An echo server that goes and comes back, and what a client of it reads, in a simulated world.
#pragma once
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace mnet {

using mtcp::reconnect_policy;
using simulation::machine;
using simulation::world;

inline constexpr auto home = "127.0.0.1:5050";
inline constexpr machine of_the_server{0};
inline constexpr machine of_the_client{1};

/// A server that echoes and remembers, and can go and come back.
struct service {
    explicit service(world& in) : world_(in) { open(); }

    void open() {
        network = world_.listen(
            {.address = home, .dead_after = std::chrono::seconds(5)},
            [this](client& client, message message) noexcept {
                heard.emplace_back(message.text());
                (void)client.send(message.bytes());
            },
            of_the_server);
        EXPECT_TRUE(network) << network.error().message();
    }
    void go() { network = failure(errc::already_closed); }

    std::vector<std::string> heard{};
    result<mtcp::network> network = failure(errc::already_closed);

private:
    world& world_;
};

inline mtcp::connect_options with(reconnect_policy policy) {
    return {.reconnect = {.policy = policy}, .dead_after = std::chrono::seconds(5)};
}

/// What a read gives: the text, or the error in angle brackets.
inline std::string read(client& client, std::chrono::nanoseconds patience = std::chrono::hours(1)) {
    const auto message = client.read({.deadline = within(patience)});
    return message ? std::string(message->text()) : "<" + message.error().message().substr(0, 30) + ">";
}
inline const std::string returned = "<" + make_error_code(errc::reconnected).message().substr(0, 30) + ">";

}  // namespace mnet
