// A client: connect, write a message in place, flush, read the reply.
//
//     client [ADDRESS [TEXT]]         against any of the echo examples, or `mnet serve --echo`
#include <mnet/mnet.hpp>

#include <chrono>
#include <cstdio>
#include <string_view>

namespace {

using namespace std::chrono_literals;

mnet::result<> ask(mnet::client& client, std::string_view text) {
    auto writer = client.write(text.size());  // room in the outgoing buffer itself
    if (!writer) return mnet::failure(writer.error());
    if (auto committed = writer->append(text).commit(); !committed) return committed;
    if (auto flushed = client.flush(); !flushed) return flushed;  // now; `read` would do it too, before it waits

    auto reply = client.read({.deadline = mnet::within(5s)});
    if (!reply) return mnet::failure(reply.error());
    std::printf("%.*s\n", static_cast<int>(reply->size()), reply->text().data());  // a view: it ends with the next read

    const mnet::delivery delivered = client.close();
    if (!delivered.complete()) std::fprintf(stderr, "%lu bytes were not delivered\n", static_cast<unsigned long>(delivered.bytes_unsent));
    return {};
}

}  // namespace

int main(int argument_count, char** arguments) {
    const std::string_view address = argument_count > 1 ? arguments[1] : "localhost:5050";
    const std::string_view text = argument_count > 2 ? arguments[2] : "pub help";

    auto client = mnet::mtcp::connect(address, {.dial_timeout = 5s, .dead_after = 30s});
    auto done = client ? ask(*client, text) : mnet::result<>(mnet::failure(client.error()));
    if (done) return 0;
    std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(address.size()), address.data(), done.error().message().c_str());
    return 1;
}
