// Every engine: what a turn of the loop does: timers, wake-ups, waiting, and everybody's turn.
#include "engine_suite.hpp"

namespace io_test {
namespace {

using namespace std::chrono_literals;

template <typename Engine>
class EngineTurns : public engine_test<Engine> {};
TYPED_TEST_SUITE(EngineTurns, engines, engine_names);

/// A timer that writes down when it was called.
class probe_timer {
public:
    explicit probe_timer(io::loop& home) : loop(home) {}

    io::loop& loop;
    action on_due;
    std::vector<std::chrono::nanoseconds> calls;
    mnet::base::timer timer{this, [](void* self) noexcept { static_cast<probe_timer*>(self)->due(); }};

private:
    void due() {
        EXPECT_GE(loop.now(), timer.due()) << "early";
        calls.push_back(loop.now());
        if (on_due) on_due();
    }
};

TYPED_TEST(EngineTurns, RunTimersInTheirOrderAndNeverEarly) {
    this->on_every_seed([](auto& bench) {
        std::vector<int> order;
        probe_timer first(*bench.client_loop), second(*bench.client_loop), third(*bench.client_loop);
        first.on_due = [&] { order.push_back(1); };
        second.on_due = [&] { order.push_back(2); };
        third.on_due = [&] { order.push_back(3); };
        const auto start = bench.client_loop->now();
        bench.client_loop->set(third.timer, start + 30ms);
        bench.client_loop->set(first.timer, start + 5ms);
        bench.client_loop->set(second.timer, start + 15ms);
        EXPECT_TRUE(bench.until([&] { return order.size() == 3; }));
        EXPECT_EQ(order, (std::vector{1, 2, 3}));
    });
}

TYPED_TEST(EngineTurns, RunATimerWhoseTimeHasPassed) {
    this->on_every_seed([](auto& bench) {
        probe_timer late(*bench.client_loop);
        bench.client_loop->set(late.timer, 0ns);
        EXPECT_TRUE(late.calls.empty()) << "not before run_once";
        EXPECT_TRUE(bench.until([&] { return late.calls.size() == 1; }));
        bench.settle();
        EXPECT_EQ(late.calls.size(), 1U);
    });
}

TYPED_TEST(EngineTurns, WaitNoLongerThanForTheNextTimer) {
    this->on_every_seed([](auto& bench) {
        probe_timer soon(*bench.client_loop);
        bench.client_loop->set(soon.timer, bench.client_loop->now() + 3ms);
        while (soon.calls.empty()) bench.client_loop->run_once(io::never);
    });
}

TYPED_TEST(EngineTurns, RunATimerThatArmsItselfAnew) {
    this->on_every_seed([](auto& bench) {
        probe_timer again(*bench.client_loop);
        again.on_due = [&] {
            if (again.calls.size() < 5) bench.client_loop->set(again.timer, bench.client_loop->now() + 1ms);
        };
        bench.client_loop->set(again.timer, 0ns);
        EXPECT_TRUE(bench.until([&] { return again.calls.size() == 5; }));
        for (std::size_t index = 1; index < again.calls.size(); ++index) EXPECT_GE(again.calls[index] - again.calls[index - 1], 1ms);
    });
}

TYPED_TEST(EngineTurns, EndAlthoughATimerIsAlwaysDue) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        probe_timer always(*bench.client_loop);
        always.on_due = [&] { bench.client_loop->set(always.timer, 0ns); };
        bench.client_loop->set(always.timer, 0ns);
        const pump there(*pair.server, bench.noise(1000));
        pair.client->keeps_receiving = true;
        bench.client_loop->receive(*pair.client);
        EXPECT_TRUE(bench.until([&] { return pair.client->bytes == there.bytes(); }));
        EXPECT_GT(always.calls.size(), 0U);
        bench.close(pair);
        bench.client_loop->cancel(always.timer);
    });
}

TYPED_TEST(EngineTurns, LetATimerCancelAndMoveOthers) {
    this->on_every_seed([](auto& bench) {
        probe_timer first(*bench.client_loop), cancelled(*bench.client_loop), moved(*bench.client_loop);
        const auto start = bench.client_loop->now();
        first.on_due = [&] {
            bench.client_loop->cancel(cancelled.timer);
            bench.client_loop->cancel(cancelled.timer);
            bench.client_loop->set(moved.timer, start + 4ms);
        };
        bench.client_loop->set(first.timer, start + 1ms);
        bench.client_loop->set(cancelled.timer, start + 6ms);
        bench.client_loop->set(moved.timer, start + 1h);
        EXPECT_TRUE(bench.until([&] { return moved.calls.size() == 1 && bench.client_loop->now() > start + 10ms; }));
        EXPECT_TRUE(cancelled.calls.empty());
        EXPECT_EQ(first.calls.size(), 1U);
    });
}

TYPED_TEST(EngineTurns, ReturnWhenTheirTimeIsUp) {
    this->on_every_seed([](auto& bench) {
        const auto until = bench.client_loop->now() + 5ms;
        while (bench.client_loop->now() < until) bench.client_loop->run_once(until);
    });
}

TYPED_TEST(EngineTurns, NeverWaitForATimeThatHasPassed) {
    this->on_every_seed([](auto& bench) {
        const auto before = bench.client_loop->now();
        for (int turn = 0; turn < 10; ++turn) {
            bench.client_loop->run_once(bench.client_loop->now());
            bench.client_loop->run_once(before - 1h);
            bench.client_loop->run_once(0ns);
        }
        // Of a real engine this only shows that no wait is without end; in virtual time a short one shows as well.
        if (TypeParam::is_simulated) {
            EXPECT_LT(bench.client_loop->now() - before, 1ms);
        }
    });
}

TYPED_TEST(EngineTurns, CallTheWakeFunctionOnTheirOwnThread) {
    this->on_every_seed([](auto& bench) {
        int woken = 0;
        bench.client_loop->on_wake(&woken, [](void* count) noexcept { ++*static_cast<int*>(count); });
        bench.client_loop->wake();
        EXPECT_EQ(woken, 0);
        while (woken == 0) bench.client_loop->run_once(io::never);
        bench.settle();
        EXPECT_EQ(woken, 1);
        bench.client_loop->wake();
        bench.client_loop->wake();
        while (woken == 1) bench.client_loop->run_once(io::never);
        bench.settle();
        EXPECT_LE(woken, 3);
    });
}

TYPED_TEST(EngineTurns, AreWokenAgainFromTheWakeFunction) {
    this->on_every_seed([](auto& bench) {
        struct waker {
            io::loop& loop;
            int count = 0;
        } waker{*bench.client_loop};
        bench.client_loop->on_wake(&waker, [](void* owner) noexcept {
            auto& self = *static_cast<struct waker*>(owner);
            if (++self.count < 5) self.loop.wake();
        });
        bench.client_loop->wake();
        while (waker.count < 5) bench.client_loop->run_once(io::never);
        EXPECT_EQ(waker.count, 5);
    });
}

TYPED_TEST(EngineTurns, ReturnFromAWakeThatNobodyListensTo) {
    this->on_every_seed([](auto& bench) {
        bench.client_loop->wake();
        bench.client_loop->run_once(io::never);
        bench.client_loop->wake();
        bench.client_loop->run_once(io::never);
    });
}

TYPED_TEST(EngineTurns, WaitWhileSpinningIsAllowed) {
    this->on_every_seed([](auto& bench) {
        bench.client_loop->spin(100us);
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump there(*pair.server, bench.noise(1000));
        pair.client->keeps_receiving = true;
        bench.client_loop->receive(*pair.client);
        EXPECT_TRUE(bench.until([&] { return pair.client->bytes == there.bytes(); }));
        bench.close(pair);
    });
}

TYPED_TEST(EngineTurns, ServeEveryStreamAlthoughOneIsBusy) {
    this->on_every_seed([](auto& bench) {
        auto busy = bench.connect();
        auto quiet = bench.connect();
        ASSERT_TRUE(busy.client != nullptr && quiet.client != nullptr);
        const pump flood(*busy.client, std::vector<std::byte>(bench.more_than_sockets_hold));
        busy.server->keeps_receiving = true;
        busy.server->room_bytes = 64;  // so that it is ready again in every turn
        bench.server_loop->receive(*busy.server);
        ASSERT_TRUE(bench.until([&] { return busy.server->received_count > 10; }));

        const pump word(*quiet.client, {std::byte{1}});
        bench.server_loop->receive(*quiet.server);
        probe_timer timer(*bench.server_loop);
        bench.server_loop->set(timer.timer, 0ns);
        EXPECT_TRUE(bench.until([&] { return quiet.server->bytes.size() == 1 && timer.calls.size() == 1; }));
        EXPECT_FALSE(flood.done()) << "the others were served only once the busy stream had ended";
        bench.close(busy);
        bench.close(quiet);
    });
}

TYPED_TEST(EngineTurns, CountWhatTheyDo) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        EXPECT_GE(bench.server_loop->counted().accepts, 1U);
        const pump there(*pair.client, {std::byte{1}});
        bench.server_loop->receive(*pair.server);
        ASSERT_TRUE(bench.until([&] { return pair.server->bytes.size() == 1; }));
        EXPECT_GE(bench.client_loop->counted().sends, 1U);
        EXPECT_GE(bench.server_loop->counted().receives, 1U);
        EXPECT_GE(bench.server_loop->counted().waits, 1U);
        const auto& counted = bench.server_loop->counted();
        EXPECT_GE(counted.system_calls, counted.accepts + counted.receives);
        bench.close(pair);
    });
}

}  // namespace
}  // namespace io_test
