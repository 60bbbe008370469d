// A proxy for questions and answers: each client gets a connection of its own to the server behind, made beside it on the same event loop, so
// that one thread carries all the pairs.
//
//     proxy [ADDRESS [SERVER]]        in other terminals: mnet serve localhost:5051 --echo
//                                                         mnet send localhost:5050 hello
#include <mnet/mnet.hpp>

#include <csignal>
#include <cstdio>
#include <string>

namespace {

mnet::task<mnet::result<>> relay(mnet::client& client, std::string server_address) {
    auto server = co_await mnet::mtcp::async_connect(client, server_address);
    if (!server) {
        (void)client.send("error: " + server.error().message());
        co_return mnet::failure(server.error());
    }
    for (;;) {
        auto question = co_await client.async_read();
        if (!question) co_return mnet::failure(question.error());
        if (auto sent = server->send(question->bytes()); !sent) co_return sent;

        auto answer = co_await server->async_read();
        if (!answer) co_return mnet::failure(answer.error());
        if (auto sent = client.send(answer->bytes()); !sent) co_return sent;
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

    // The lambda may capture, because it is no coroutine: it only makes one.
    const std::string server_address = argument_count > 2 ? arguments[2] : "localhost:5051";
    auto network = mnet::mtcp::listen({.address = argument_count > 1 ? arguments[1] : "localhost:5050"},
                                      [server_address](mnet::client& client) { return relay(client, server_address); });
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
