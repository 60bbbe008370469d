// `explain` says why a client is stuck: what the peer does not do, how much is queued, and when it is given up.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <string>

namespace mtcp_test {
namespace {

using mnet::within;
using namespace std::chrono_literals;

bool says(const mnet::client& client, std::string_view words) { return client.explain().find(words) != std::string::npos; }

void fill(mnet::client& client) {
    while (client.send(pattern(50'000))) {
    }
}

/// What holds up a client whose peer does not read.
std::string_view hindrance(std::string_view transport) {
    if (transport == "shared_memory") return "lie in shared memory that it has not read";
    if (transport == "unix") return "its program does not read its socket";
    return "peer's window is 0, its program does not read";
}

class Explaining : public EveryCarrier {
protected:
    channel<int> release{};
    mnet::mtcp::network network = serve(
        [this](mnet::client&) -> mnet::result<> {
            (void)release.take();
            return {};
        },
        {.address = fresh_address(GetParam())});
    mnet::client client = connect_to(network.address(), {.dead_after = 60s});
    void TearDown() override { release.put(1); }
};
INSTANTIATE_TEST_SUITE_P(On, Explaining, testing::ValuesIn(all_carriers), carrier_name);

TEST_P(Explaining, AClientWhosePeerDoesNotReadSaysSo) {
    EXPECT_TRUE(says(client, "open")) << client.explain();
    fill(client);
    EXPECT_TRUE(eventually([&] { return says(client, hindrance(client.transport())); })) << client.explain();
    EXPECT_TRUE(says(client, " MiB unsent")) << client.explain();
    if (client.transport() == "tcp" || client.transport() == "tls") {
        EXPECT_TRUE(says(client, "blocked ")) << client.explain();
        EXPECT_TRUE(says(client, "disconnect in ")) << client.explain();
    }
}

TEST(Explanations, AClientThatWasResetSaysHowManyMessagesAreLost) {
    raw_listener listener;
    auto client = connect_to(listener.address(), {.shared_memory = mnet::mtcp::sharing::off});
    raw_peer peer = listener.accept();
    fill(client);
    peer.reset();
    EXPECT_FALSE(client.flush(soon_enough).has_value());
    EXPECT_TRUE(says(client, " messages never left")) << client.explain();
    (void)client.close();
    EXPECT_TRUE(says(client, "closed: ")) << client.explain();
    EXPECT_TRUE(says(client, " messages may not have arrived")) << client.explain();
}

}  // namespace
}  // namespace mtcp_test
