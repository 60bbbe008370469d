// Echo with a blocking handler: a thread for each client, plain control flow. For few clients, and for handlers that call what blocks: a
// database, a file, another library.
//
//     echo_blocking [ADDRESS]         in a second terminal: mnet send localhost:5050 hello
#include <mnet/mnet.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>

namespace {

using namespace std::chrono_literals;

mnet::result<> echo(mnet::client& client) {
    for (;;) {
        // Sends what is committed, then waits. A client that says nothing for ten minutes is let go.
        auto message = client.read({.deadline = mnet::within(10min)});
        if (!message) return mnet::failure(message.error());

        auto sent = client.send(message->bytes());
        if (!sent && sent.error() == mnet::errc::would_block) {  // the peer reads more slowly than it writes: wait for it
            if (auto flushed = client.flush({.deadline = mnet::within(30s)}); !flushed) return flushed;
            sent = client.send(message->bytes());
        }
        if (!sent) return sent;
    }
}

}  // namespace

int main(int argument_count, char** arguments) {
    // SIGINT and SIGTERM shall end the wait below. Blocked before any thread starts, they stay blocked in all of them.
    sigset_t ending{};
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ending, nullptr);

    auto network = mnet::mtcp::listen({.address = argument_count > 1 ? arguments[1] : "localhost:5050"}, echo);
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
