// The loop of games and simulations: read all that is there, then do something else, and again. `try_read` never waits: it gives a message,
// or errc::no_data_yet.
//
// Each client has a counter of its own: `add N` raises it, `get` asks for it. Between two looks at the network the counter rises by itself.
//
//     polling_loop [ADDRESS]          in a second terminal: mnet send localhost:5050 "add 5" get
#include <mnet/mnet.hpp>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;

constexpr auto step_time = 10ms;

std::string obey(std::string_view command, long& counter) {
    if (command.starts_with("add ")) {
        long more = 0;
        std::from_chars(command.data() + 4, command.data() + command.size(), more);
        counter += more % 1'000'000;
        return "added";
    }
    if (command == "get") return std::to_string(counter);
    return "error: say `add N` or `get`";
}

mnet::result<> play(mnet::client& client) {
    long counter = 0;
    auto next_step = std::chrono::steady_clock::now() + step_time;
    for (;;) {
        auto message = client.try_read();
        while (message) {
            if (auto sent = client.send(obey(message->text(), counter)); !sent) return sent;
            message = client.try_read();
        }
        if (message.error() != mnet::errc::no_data_yet) return mnet::failure(message.error());

        if (std::chrono::steady_clock::now() >= next_step) {  // something else
            ++counter;
            next_step += step_time;
        }
        // Sleeps until the next step is due or a message is there, and sends the answers first. A loop that may burn a whole processor calls
        // `flush` here instead, and goes on at once.
        auto waited = client.wait({.deadline = mnet::deadline::at(next_step)});
        if (!waited && waited.error() != std::errc::timed_out) return waited;
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

    auto network = mnet::mtcp::listen({.address = argument_count > 1 ? arguments[1] : "localhost:5050"}, play);
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
