// Echo as a coroutine: a handler that reads like a blocking one, and thousands of clients on one thread. For conversations that have a state:
// a login before anything else, an answer in several parts, a question to another server (proxy.cpp).
//
//     echo_coroutine [ADDRESS]        in a second terminal: mnet send localhost:5050 hello
#include <mnet/mnet.hpp>

#include <csignal>
#include <cstdio>

namespace {

mnet::task<mnet::result<>> echo(mnet::client& client) {
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());  // the usual end: errc::end_of_stream

        auto sent = client.send(message->bytes());
        if (!sent && sent.error() == mnet::errc::would_block) {  // the peer reads more slowly than it writes: wait for it
            if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
            sent = client.send(message->bytes());
        }
        if (!sent) co_return sent;
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
