// Echo, one call per message: the shortest server, and the fastest. The handler runs on the network's event loop, so it never waits; what it
// sends leaves when it returns, in one system call for all the messages that came together.
//
//     echo_message [ADDRESS]          in a second terminal: mnet send localhost:5050 hello
#include <mnet/mnet.hpp>

#include <csignal>
#include <cstdio>

int main(int argument_count, char** arguments) {
    // SIGINT and SIGTERM shall end the wait below. Blocked before any thread starts, they stay blocked in all of them.
    sigset_t ending{};
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, nullptr);

    // Nothing to check in the handler: it isn't called while its client has no room, and a client that failed is closed by itself.
    auto network = mnet::mtcp::listen({.address = argument_count > 1 ? arguments[1] : "localhost:5050"},
                                      [](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); });
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
