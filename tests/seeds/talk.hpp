// The clients of a run: coroutines that send ahead, read late and give up, and one with a loop of its own that reconnects. Each checks
// every answer against what it sent.
#pragma once
#include "seeds/choices.hpp"

#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>
#include <mnet/tls.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace seeds {

struct outcome {
    std::vector<std::string> sent{};
    std::uint64_t echoed = 0;
    std::uint64_t told = 0;  // broadcasts that came
    std::error_code error{};
    bool finished = false;
};

/// What the clients of a run share.
struct setting {
    mnet::simulation::world& world;
    mnet::mtcp::loop& loop;
    std::string address;
    bounds limits;
    std::chrono::milliseconds dead_after;
    std::uint64_t seed;
    const mnet::tls::client_settings* tls;
};

/// Sends messages, now and then ahead of the answers, and checks each answer against what was sent.
mnet::task<void> talk(setting& all, std::uint64_t number, outcome& told);

/// A blocking client that asks, goes away with answers unread, and asks the same again on its next connection.
void ask_again_and_again(setting& all, mnet::simulation::machine where, std::uint64_t connections);

}  // namespace seeds
