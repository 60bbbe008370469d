// A test of a user's own server, with an installed mnet: one message there and back in a simulated world.
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <cstdio>

int main() {
    mnet::simulation::world world({.seed = 1});
    {
        auto server = world.listen({}, [](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); });
        auto client = world.connect(server->address());
        world.expect(client && client->send("hello"), "a client can send");
        const auto answer = client->read();
        world.expect(answer && answer->text() == "hello", "what was sent comes back");
    }
    const auto verdict = world.finish();
    std::fputs(verdict.report.c_str(), stderr);
    return verdict ? 0 : 1;
}
