// Publish and subscribe, served until SIGINT or SIGTERM. What it understands, and its handler, are in pubsub.hpp.
//
//     pubsub [ADDRESS]                in other terminals: mnet send localhost:5050        and type: sub news
//                                                         mnet send localhost:5050 "pub news it works"
#include "pubsub.hpp"

#include <mnet/mnet.hpp>

#include <csignal>
#include <cstddef>
#include <cstdio>

int main(int argument_count, char** arguments) {
    // SIGINT and SIGTERM shall end the wait below. Blocked before any thread starts, they stay blocked in all of them.
    sigset_t ending{};
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, nullptr);

    pubsub::topic_board board;  // outlives the network, whose handlers use it
    auto network =
        mnet::mtcp::listen({.address = argument_count > 1 ? arguments[1] : "localhost:5050", .message_bytes_max = std::size_t{64} << 10},
                           [&board](mnet::client& client) { return pubsub::serve(client, board); });
    if (!network) {
        std::fprintf(stderr, "%s\n", network.error().message().c_str());
        return 1;
    }
    std::printf("listening on %s\n", network->address().c_str());
    std::fflush(stdout);

    int taken = 0;
    sigwait(&ending, &taken);
    return network->stop().complete() ? 0 : 1;
}
