// Clients that return by themselves, in a world where everything can be lost: what they say meanwhile, what arrives, and that whatever does not is
// accounted for.
#include "service.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace mnet {
namespace {

using namespace std::chrono_literals;

TEST(Reconnecting, IsToldOnceByAReadAfterAllThatHadArrived) {
    for (const auto policy : {reconnect_policy::fail_fast, reconnect_policy::buffer}) {
        world world({});
        {
            service echo(world);
            auto client = world.connect(home, with(policy), of_the_client);
            for (const char* const text : {"one", "two"}) EXPECT_TRUE(client->send(text));
            EXPECT_TRUE(client->flush());
            world.run_for(1s);
            echo.go();
            world.run_for(1s);
            echo.open();
            EXPECT_EQ(read(*client), "one");
            EXPECT_EQ(read(*client), "two");
            EXPECT_EQ(read(*client), returned);
            EXPECT_TRUE(client->live());
            EXPECT_EQ(client->statistics().reconnects, 1U);
            EXPECT_TRUE(client->last_delivery().complete());
            EXPECT_EQ(client->last_delivery().bytes_acknowledged, 14U);
            EXPECT_TRUE(client->send("three"));
            EXPECT_EQ(read(*client), "three");
        }
        const auto verdict = world.finish();
        EXPECT_TRUE(verdict) << verdict.report;
    }
}

TEST(Reconnecting, FailsWritesAndFlushesFastMeanwhile) {
    world world({});
    {
        service echo(world);
        auto client = world.connect(home, with(reconnect_policy::fail_fast), of_the_client);
        echo.go();
        EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
        EXPECT_FALSE(client->live());
        EXPECT_EQ(client->send("lost").error(), errc::reconnecting);
        EXPECT_EQ(client->write(4).error(), errc::reconnecting);
        EXPECT_EQ(client->flush().error(), errc::reconnecting);
        EXPECT_EQ(client->try_read().error(), errc::no_data_yet);
        EXPECT_NE(client->explain().find("being connected anew"), std::string::npos) << client->explain();
        echo.open();
        EXPECT_EQ(read(*client), returned);
        EXPECT_TRUE(client->send("there"));
        EXPECT_EQ(read(*client), "there");
        EXPECT_EQ(echo.heard, std::vector<std::string>{"there"});
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(Reconnecting, KeepsWhatIsWrittenMeanwhileAndSendsItOnReturn) {
    world world({});
    {
        service echo(world);
        auto client = world.connect(home, with(reconnect_policy::buffer), of_the_client);
        echo.go();
        EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
        auto writer = client->write(100);
        ASSERT_TRUE(writer);
        EXPECT_TRUE(writer->append("a").commit());
        EXPECT_TRUE(client->send("b"));
        auto large = client->make_buffer(100'000);
        ASSERT_TRUE(large);
        EXPECT_TRUE(client->send(*std::move(large)));
        EXPECT_TRUE(client->send("c"));
        EXPECT_EQ(client->unsent_bytes(), 3 * 5 + 100'004U);
        EXPECT_EQ(client->flush({.deadline = within(1s)}).error(), std::errc::timed_out);
        echo.open();
        EXPECT_TRUE(client->flush());
        EXPECT_EQ(client->unsent_bytes(), 0U);
        EXPECT_EQ(read(*client), returned);
        EXPECT_EQ(read(*client), "a");
        EXPECT_EQ(read(*client), "b");
        EXPECT_EQ(read(*client).size(), 100'000U);
        EXPECT_EQ(read(*client), "c");
        EXPECT_EQ(client->statistics().messages_sent, 4U);
        EXPECT_EQ(client->statistics().payload_bytes_sent, 100'003U);
        EXPECT_TRUE(client->last_delivery().complete());
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(Reconnecting, KeepsWhatHadNotBegunToLeave) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        world world(
            {.seed = seed, .faults = {.send_buffer_bytes = 1000, .receive_buffer_bytes = 1000, .short_sends = 0.5, .pending_sends = 0.3}});
        {
            service echo(world);
            auto client = world.connect(home, {.reconnect = {.policy = reconnect_policy::buffer, .buffer_age_max = 1h}, .dead_after = 5s},
                                        of_the_client);
            world.part(of_the_server, of_the_client);
            std::uint64_t sent = 0;
            for (int message = 0; message < 100; ++message) {
                EXPECT_TRUE(client->send(std::to_string(message) + std::string(96, '.')));
                sent += 4 + std::to_string(message).size() + 96;
            }
            EXPECT_EQ(client->flush({.deadline = within(1min)}).error(), std::errc::timed_out);
            world.reunite(of_the_server, of_the_client);
            EXPECT_EQ(read(*client), returned);
            const delivery lost = client->last_delivery();
            EXPECT_LT(lost.messages_unsent, 15U) << "only what was on its way";
            std::string last;
            for (std::string text = read(*client, 10s); text[0] != '<'; text = read(*client, 10s)) last = text;
            EXPECT_EQ(last.substr(0, 3), "99.");
            std::uint64_t heard = 0;
            for (const std::string& text : echo.heard) heard += 4 + text.size();
            EXPECT_LE(heard, sent - lost.bytes_unsent);
            EXPECT_GE(heard + lost.bytes_unsent + lost.bytes_unacknowledged + lost.bytes_acknowledged, sent);
        }
        const auto verdict = world.finish();
        EXPECT_TRUE(verdict) << verdict.report.substr(0, 3000);
        if (testing::Test::HasFailure()) break;
    }
}

TEST(Reconnecting, KeepsNoMoreThanItsBoundAndNothingThatIsTooOld) {
    world world({});
    {
        service echo(world);
        auto client = world.connect(
            home, {.reconnect = {.policy = reconnect_policy::buffer, .delay_max = 1s, .buffer_bytes_max = 99, .buffer_age_max = 10s}},
            of_the_client);
        echo.go();
        EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
        int kept = 0;
        while (client->send("old...")) ++kept;
        EXPECT_EQ(kept, 10);
        EXPECT_EQ(client->send("more").error(), errc::would_block);
        EXPECT_EQ(client->statistics().writes_refused, 2U);
        EXPECT_EQ(client->read({.deadline = within(9s)}).error(), std::errc::timed_out);
        EXPECT_EQ(client->send("more").error(), errc::would_block);
        EXPECT_EQ(client->read({.deadline = within(2s)}).error(), std::errc::timed_out);
        EXPECT_TRUE(client->send("fresh")) << "the old ones have made room";
        echo.open();
        EXPECT_EQ(read(*client), returned);
        EXPECT_EQ(read(*client), "fresh");
        EXPECT_EQ(echo.heard, std::vector<std::string>{"fresh"});
        EXPECT_EQ(client->last_delivery().messages_unsent, 10U);
        EXPECT_EQ(client->last_delivery().bytes_unsent, 100U);
        EXPECT_EQ(client->statistics().messages_sent, 11U);
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(Reconnecting, GivesUpWhereItIsToldTo) {
    world world({});
    {
        service echo(world);
        auto client =
            world.connect(home, {.reconnect = {.policy = reconnect_policy::buffer, .delay_max = 1s, .give_up_after = 10s}}, of_the_client);
        echo.go();
        const auto begin = world.elapsed();
        EXPECT_EQ(client->read().error(), std::errc::connection_refused);
        EXPECT_GE(world.elapsed() - begin, 10s);
        EXPECT_LE(world.elapsed() - begin, 12s);
        EXPECT_EQ(client->send("late").error(), std::errc::connection_refused);
        EXPECT_FALSE(client->live());
        echo.open();
        EXPECT_TRUE(client->reconnect());
        EXPECT_TRUE(client->send("again"));
        EXPECT_EQ(read(*client), "again");
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

TEST(Reconnecting, EndsWithACloseThatCountsWhatWasKept) {
    for (const bool says_so : {true, false}) {
        world world({});
        {
            service echo(world);
            auto client = world.connect(home, with(reconnect_policy::buffer), of_the_client);
            echo.go();
            EXPECT_EQ(client->read({.deadline = within(1s)}).error(), std::errc::timed_out);
            EXPECT_TRUE(client->send("kept"));
            if (says_so) {
                const delivery account = client->close();
                EXPECT_EQ(account.messages_unsent, 1U);
                EXPECT_EQ(account.bytes_unsent, 8U);
                EXPECT_EQ(client->last_delivery().messages_unsent, 1U);
                EXPECT_EQ(client->close().messages_unsent, 1U);
                EXPECT_EQ(client->read().error(), errc::already_closed);
                EXPECT_EQ(client->send("more").error(), errc::already_closed);
            }
        }
        const auto verdict = world.finish();
        EXPECT_TRUE(verdict) << verdict.report;
    }
}

TEST(Reconnecting, IsNoUseWithAPeerThatSpeaksSomethingElse) {
    world world({});
    {
        auto server = world.listen({.address = home}, [](client& client, message) noexcept { (void)client.send(std::string(2000, 'x')); });
        auto client = world.connect(home, {.reconnect = {.policy = reconnect_policy::fail_fast}, .message_bytes_max = 1000});
        EXPECT_TRUE(client->send("question"));
        EXPECT_EQ(client->read().error(), errc::message_too_large);
        EXPECT_EQ(client->read().error(), errc::message_too_large);
    }
    EXPECT_TRUE(world.finish());
}

// Coroutines ----------------------------------------------------------------------------------------------------------------------

struct talk {
    reconnect_policy policy;
    int questions;
    int asked = 0;
    int answered = 0;
    int reported = 0;  // lost, as far as the client can know: unanswered at a return
    int returns = 0;
    bool finished = false;
};

/// Asks numbered questions, a few ahead. Answers come in the order of the questions, each once; one is missing only where a return was told.
task<void> ask(world& world, mtcp::loop& loop, talk& told) {
    const mtcp::connect_options options = {.reconnect = {.policy = told.policy, .delay_max = 2s}, .dead_after = 5s};
    auto connected = co_await mtcp::async_connect(loop, home, options);
    while (!connected) {
        co_await simulation::pause(loop, 100ms);
        connected = co_await mtcp::async_connect(loop, home, options);
    }
    client client = *std::move(connected);
    int next = 0;           // the answer that is due
    bool may_miss = false;  // a return was told
    const auto on_return = [&] {
        ++told.returns;
        may_miss = true;
        if (told.policy != reconnect_policy::fail_fast) return;
        told.reported += told.asked - next;  // what was asked is not asked again
        next = told.asked;
    };
    while (next < told.questions) {
        while (told.asked < told.questions && told.asked < next + 8) {
            const auto sent = client.send(std::to_string(told.asked));
            if (!sent && sent.error() == errc::reconnected) {
                on_return();
                continue;
            }
            if (!sent) {
                world.expect(sent.error() == errc::reconnecting || sent.error() == errc::would_block,
                             "a send waits at most: " + sent.error().message());
                break;
            }
            ++told.asked;
        }
        if (told.asked % 5 == 0) (void)co_await client.async_flush({.deadline = within(1s)});
        const auto answer = co_await client.async_read({.deadline = within(20s)});
        if (!answer && answer.error() == errc::reconnected) {
            on_return();
            continue;
        }
        if (!answer) {
            if (!world.expect(answer.error() == std::errc::timed_out, "a read says when it returned: " + answer.error().message()))
                co_return;
            if (may_miss) {  // nothing more comes of what was lost
                told.reported += told.asked - next;
                next = told.asked;
            }
            continue;
        }
        const int number = std::stoi(std::string(answer->text()));
        if (!world.expect(number == next || (may_miss && number > next),
                          "the answers are those of the questions, in order, and none twice"))
            co_return;
        told.reported += number - next;
        ++told.answered;
        next = number + 1;
    }
    (void)co_await client.async_close();
    told.finished = true;
}

/// A hundred seeds of bad luck, in which the server restarts, too.
void talk_in_bad_luck(reconnect_policy policy) {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        simulation::faults luck = simulation::lossless_faults();
        luck.resets = 0.02;
        luck.vanishings = seed % 3 == 0 ? 0.01 : 0;
        luck.partitions = seed % 4 == 0 ? 0.02 : 0;
        luck.refusals = seed % 5 == 0 ? 0.5 : 0;
        luck.send_buffer_bytes = luck.receive_buffer_bytes = seed % 2 == 0 ? 20 : 64'000;
        world world({.seed = seed, .faults = luck});
        talk told{.policy = policy, .questions = 300};
        {
            service echo(world);
            world.start("asker", ask(world, world.make_loop(of_the_client), told));
            for (int restart = 0; restart < 3 && !told.finished; ++restart) {
                world.run_for(500ms);
                echo.go();
                world.run_for(500ms);
                echo.open();
            }
            EXPECT_TRUE(world.run(24h));
            world.luck() = {};
        }
        EXPECT_TRUE(told.finished);
        EXPECT_EQ(told.answered + told.reported, told.asked);
        const auto verdict = world.finish();
        EXPECT_TRUE(verdict) << verdict.report.substr(0, 3000);
        if (testing::Test::HasFailure()) break;
    }
}

TEST(ReconnectingCoroutine, AccountsForAllThatItAskedWhileItFailsFast) { talk_in_bad_luck(reconnect_policy::fail_fast); }
TEST(ReconnectingCoroutine, AccountsForAllThatItAskedWhileItBuffers) { talk_in_bad_luck(reconnect_policy::buffer); }

task<void> wait_for_return(mtcp::loop& loop, std::error_code& end) {
    const mtcp::connect_options options = with(reconnect_policy::buffer);
    auto connected = co_await mtcp::async_connect(loop, home, options);
    client client = *std::move(connected);
    const auto answer = co_await client.async_read();
    if (!answer) end = answer.error();
    (void)client.send("there");
    const auto flushed = co_await client.async_flush();
    EXPECT_TRUE(flushed);
}

TEST(ReconnectingCoroutine, MayBeDestroyedWhileItIsAway) {
    world world({});
    {
        service echo(world);
        std::error_code end;
        {
            auto waiting = wait_for_return(world.make_loop(of_the_client), end);
            waiting.start({});
            world.run_for(1s);
            echo.go();
            world.run_for(100ms);
        }
        world.run_for(1min);
        EXPECT_FALSE(end);
    }
    const auto verdict = world.finish();
    EXPECT_TRUE(verdict) << verdict.report;
}

}  // namespace
}  // namespace mnet
