// Clients that return by themselves, and what their users hold in their hands meanwhile: a message, a writer, a peer.
#include "service.hpp"

#include <algorithm>
#include <string>

namespace mnet {
namespace {

using namespace std::chrono_literals;

TEST(WhileReconnecting, AMessageIsItsUsersUntilTheNextRead) {
    const std::string first(200'000, 'a');
    const std::string second(200'000, 'b');
    world world({});
    {
        service echo(world);
        auto client = world.connect(home, with(reconnect_policy::buffer), of_the_client);
        EXPECT_TRUE(client->send(first) && client->send(second) && client->flush());
        const auto message = client->read();
        ASSERT_TRUE(message);
        world.run_for(1s);  // the second lies with the kernel
        world.reset(*client);
        for (int again = 0; again < 20; ++again) {
            EXPECT_TRUE(client->send(message->bytes()));
            world.run_for(1s);
        }
        EXPECT_TRUE(message->text() == first);
        EXPECT_GT(client->statistics().reconnects, 0U);
        EXPECT_EQ(std::ranges::count(echo.heard, second), 1);
        EXPECT_GE(std::ranges::count(echo.heard, first), 15);
        EXPECT_TRUE(read(*client) == returned);
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(WhileReconnecting, AWriterIsSafeThatIsOpenAtAClose) {
    world world({});
    {
        service echo(world);
        auto client = world.connect(home, with(reconnect_policy::buffer), of_the_client);
        echo.go();
        EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
        EXPECT_TRUE(client->send("kept"));
        auto writer = client->write(8);
        ASSERT_TRUE(writer);
        EXPECT_EQ(client->close().messages_unsent, 1U);
        writer->append("in vain");
        EXPECT_EQ(writer->commit().error(), errc::already_closed);
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(WhileReconnecting, PeersLiveOnAndAfterACloseOthersAreMade) {
    world world({});
    {
        service echo(world);
        auto client = world.connect(home, with(reconnect_policy::buffer), of_the_client);
        echo.go();
        EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
        const peer self = client->self();
        echo.open();
        EXPECT_EQ(read(*client), returned);
        EXPECT_TRUE(self.live());
        EXPECT_TRUE(self.send("posted"));
        EXPECT_EQ(read(*client), "posted");
        (void)client->close();
        EXPECT_FALSE(self.live());
        EXPECT_TRUE(client->reconnect());
        EXPECT_FALSE(self.live()) << "what was closed stays closed";
        const peer other = client->self();
        EXPECT_TRUE(other.send("posted anew"));
        EXPECT_EQ(read(*client), "posted anew");
        echo.go();
        EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
        (void)client->close();
        EXPECT_FALSE(other.live()) << "closed while away";
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(ReconnectingByHand, KeepsAWriterSafeThatIsOpen) {
    world world({});
    {
        service echo(world);
        auto client = world.connect(home, {.dead_after = 5s}, of_the_client);
        auto writer = client->write(8);
        ASSERT_TRUE(writer);
        EXPECT_TRUE(client->reconnect());
        writer->append("in vain");
        EXPECT_EQ(writer->commit().error(), errc::already_closed);
        EXPECT_TRUE(client->send("after"));
        EXPECT_EQ(read(*client), "after");
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(ReconnectingByHand, SendsThePostsThatWaited) {
    world world({.faults = {.send_buffer_bytes = 1000, .receive_buffer_bytes = 1000}});
    {
        service echo(world);
        auto client = world.connect(home, {.dead_after = 5min, .unsent_bytes_max = 2000}, of_the_client);
        const peer self = client->self();
        world.part(of_the_server, of_the_client);
        while (client->send(std::string(500, 'x'))) {
        }
        EXPECT_TRUE(self.send("posted"));
        EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
        world.reunite(of_the_server, of_the_client);
        EXPECT_TRUE(client->reconnect());
        EXPECT_EQ(read(*client), "posted");
        EXPECT_TRUE(self.send("posted again"));
        EXPECT_EQ(read(*client), "posted again");
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

}  // namespace
}  // namespace mnet
