// Every engine: bytes are sent and received, in order and completely, and end as they should.
#include "engine_suite.hpp"

#include <algorithm>
#include <array>

namespace io_test {
namespace {

template <typename Engine>
class EngineStreams : public engine_test<Engine> {};
TYPED_TEST_SUITE(EngineStreams, engines, engine_names);

TYPED_TEST(EngineStreams, DeliverBytesInOrderHoweverTheyAreCut) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump there(*pair.client, bench.noise(300'000), 1 + bench.random() % 5000);
        const pump back(*pair.server, bench.noise(200'000), 1 + bench.random() % 50'000);
        for (probe_stream* const each : {pair.client.get(), pair.server.get()}) {
            each->keeps_receiving = true;
            each->on_received = [&bench, each] { each->room_bytes = 1 + bench.random() % 20'000; };
            each->loop.receive(*each);
        }
        EXPECT_TRUE(bench.until([&] { return pair.server->bytes.size() == 300'000 && pair.client->bytes.size() == 200'000; }));
        EXPECT_EQ(pair.server->bytes, there.bytes());
        EXPECT_EQ(pair.client->bytes, back.bytes());
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, LeaveASendPendingUntilThePeerReceives) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump there(*pair.client, std::vector<std::byte>(bench.more_than_sockets_hold, std::byte{5}));
        std::size_t before = 0;
        do {  // until the sockets hold no more
            before = there.sent();
            bench.settle();
        } while (there.sent() != before || !there.pending());
        ASSERT_LT(there.sent(), bench.more_than_sockets_hold);

        pair.server->keeps_receiving = true;
        pair.server->room_bytes = 1 << 18;
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return pair.server->bytes.size() == bench.more_than_sockets_hold; }));
        EXPECT_TRUE(there.done());
        EXPECT_FALSE(pair.client->sent_outcomes.empty());
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, TryReceiveSaysTryAgainThenBytesThenTheEnd) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        std::array<std::byte, 100> room{};
        const auto nothing = bench.server_loop->try_receive(*pair.server, room);
        ASSERT_FALSE(nothing.has_value());
        EXPECT_EQ(nothing.error(), std::errc::resource_unavailable_try_again);

        const pump there(*pair.client, bench.noise(10));
        ASSERT_TRUE(bench.until([&] { return there.done(); }));
        ASSERT_TRUE(bench.client_loop->finish(*pair.client).has_value());
        std::vector<std::byte> taken;
        const bool ended = bench.until([&] {
            const auto count = bench.server_loop->try_receive(*pair.server, room);
            if (count) taken.insert(taken.end(), room.begin(), room.begin() + static_cast<std::ptrdiff_t>(*count));
            return count && *count == 0;
        });
        EXPECT_TRUE(ended);
        EXPECT_EQ(taken, there.bytes());
        EXPECT_EQ(pair.server->answers(), 0);
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, ReceiveWhatTryReceiveLeft) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump there(*pair.client, bench.noise(1000));
        std::array<std::byte, 300> room{};
        std::size_t taken = 0;
        ASSERT_TRUE(bench.until([&] {
            const auto count = bench.server_loop->try_receive(*pair.server, room);
            taken += count.value_or(0);
            return count.has_value();
        }));
        pair.server->keeps_receiving = true;
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return taken + pair.server->bytes.size() == 1000; }));
        EXPECT_TRUE(std::equal(pair.server->bytes.begin(), pair.server->bytes.end(), there.bytes().end() - std::ssize(pair.server->bytes)));
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, GiveAllBytesBeforeTheEnd) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump there(*pair.client, bench.noise(50'000));
        ASSERT_TRUE(bench.until([&] { return there.done(); }));
        bench.client_loop->close(*pair.client);
        pair.server->keeps_receiving = true;
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return pair.server->ends == 1; }));
        EXPECT_EQ(pair.server->bytes, there.bytes());
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, SayTheEndAsOftenAsTheyAreAsked) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        EXPECT_TRUE(bench.client_loop->finish(*pair.client).has_value());
        for (int time = 1; time <= 3; ++time) {
            bench.server_loop->receive(*pair.server);
            EXPECT_TRUE(bench.until([&] { return pair.server->ends == time; }));
        }
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, ReceiveAnAnswerAfterTheyFinished) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump question(*pair.client, bench.noise(10));
        ASSERT_TRUE(bench.until([&] { return question.done(); }));
        ASSERT_TRUE(bench.client_loop->finish(*pair.client).has_value());
        pair.server->keeps_receiving = true;
        bench.server_loop->receive(*pair.server);
        ASSERT_TRUE(bench.until([&] { return pair.server->ends == 1; }));
        EXPECT_EQ(pair.server->bytes, question.bytes());

        const pump answer(*pair.server, bench.noise(100'000));
        pair.client->keeps_receiving = true;
        bench.client_loop->receive(*pair.client);
        EXPECT_TRUE(bench.until([&] { return pair.client->bytes.size() == 100'000; }));
        EXPECT_EQ(pair.client->bytes, answer.bytes());
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, RefuseToSendAfterTheyFinished) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        ASSERT_TRUE(bench.client_loop->finish(*pair.client).has_value());
        const pump late(*pair.client, {std::byte{1}});
        ASSERT_TRUE(bench.until([&] { return late.error().has_value(); }));
        EXPECT_EQ(*late.error(), std::errc::broken_pipe);
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, TakeAReceiveThatIsRepeatedAsOne) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        bench.server_loop->receive(*pair.server);
        bench.server_loop->receive(*pair.server);
        for (int time = 0; time < 2; ++time) {
            const pump there(*pair.client, {std::byte{1}});
            ASSERT_TRUE(bench.until([&] { return pair.server->received_count == 1 && there.done(); }));
            bench.settle();
        }
        EXPECT_EQ(pair.server->received_count, 1) << "bytes that came later were given although nobody asked";
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, KeepTheBytesOfAReceiveThatWasCancelled) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        bench.server_loop->receive(*pair.server);
        bench.server_loop->cancel_receive(*pair.server);
        const pump there(*pair.client, {std::byte{1}});
        ASSERT_TRUE(bench.until([&] { return there.done() && bench.client_loop->unacknowledged_bytes(*pair.client) == 0; }));
        bench.settle();
        EXPECT_EQ(pair.server->received_count, 0);

        bench.server_loop->receive(*pair.server);
        bench.server_loop->cancel_receive(*pair.server);  // although it could be answered by now
        bench.settle();
        EXPECT_EQ(pair.server->received_count, 0);

        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return pair.server->bytes == there.bytes(); }));
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, KeepTheBytesThatFoundNoMemory) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump there(*pair.client, bench.noise(100));
        pair.server->room_bytes = 0;
        bench.server_loop->receive(*pair.server);
        ASSERT_TRUE(bench.until([&] { return pair.server->received_count == 1; }));
        ASSERT_EQ(pair.server->receive_errors.size(), 1U);
        EXPECT_EQ(pair.server->receive_errors[0], std::errc::not_enough_memory);

        pair.server->room_bytes = 4096;
        pair.server->keeps_receiving = true;
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return pair.server->bytes == there.bytes(); }));
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, CountTheBytesThatThePeersKernelHasNotGot) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        EXPECT_EQ(bench.client_loop->unacknowledged_bytes(*pair.client), 0U);
        const pump there(*pair.client, std::vector<std::byte>(bench.more_than_sockets_hold));
        std::size_t before = 0;
        do {
            before = there.sent();
            bench.settle();
        } while (there.sent() != before || !there.pending());
        EXPECT_GT(bench.client_loop->unacknowledged_bytes(*pair.client), 0U);
        EXPECT_LE(bench.client_loop->unacknowledged_bytes(*pair.client), there.sent());

        pair.server->keeps_receiving = true;
        pair.server->room_bytes = 1 << 18;
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return there.done() && bench.client_loop->unacknowledged_bytes(*pair.client) == 0; }));
        bench.close(pair);
    });
}

/// Closes the server's end with a byte unreceived, which resets the connection; `bytes_first` are sent to the client before.
template <typename Bench>
void reset_by_server(Bench& bench, connection& pair, std::size_t bytes_first = 0) {
    const pump unread(*pair.client, {std::byte{1}});
    const pump last(*pair.server, std::vector<std::byte>(bytes_first, std::byte{9}));
    EXPECT_TRUE(bench.until([&] {
        return unread.done() && bench.client_loop->unacknowledged_bytes(*pair.client) == 0 &&  //
               last.done() && bench.server_loop->unacknowledged_bytes(*pair.server) == 0;
    }));
    bench.server_loop->close(*pair.server);
    EXPECT_TRUE(bench.until([&] { return pair.server->closed_count == 1; }));
}

TYPED_TEST(EngineStreams, SayAResetOnceAndThenTheEnd) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        bench.client_loop->receive(*pair.client);
        reset_by_server(bench, pair);
        ASSERT_TRUE(bench.until([&] { return pair.client->received_count == 1; }));
        ASSERT_EQ(pair.client->receive_errors.size(), 1U);
        EXPECT_EQ(pair.client->receive_errors[0], std::errc::connection_reset);
        bench.client_loop->receive(*pair.client);
        EXPECT_TRUE(bench.until([&] { return pair.client->ends == 1; }));
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, GiveWhatArrivedBeforeAReset) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        reset_by_server(bench, pair, 3);
        bench.settle();
        pair.client->keeps_receiving = true;
        bench.client_loop->receive(*pair.client);
        ASSERT_TRUE(bench.until([&] { return pair.client->receive_errors.size() == 1; }));
        EXPECT_EQ(pair.client->receive_errors[0], std::errc::connection_reset);
        EXPECT_EQ(pair.client->bytes, std::vector<std::byte>(3, std::byte{9}));
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, SayAnEndThatComesTogetherWithTheLastBytes) {
    this->on_every_seed([](auto& bench) {
        for (const bool as_a_reset : {false, true}) {
            auto pair = bench.connect();
            ASSERT_TRUE(pair.client != nullptr);
            const pump unread(*pair.server, {std::byte{1}});
            pair.server->keeps_receiving = true;
            bench.server_loop->receive(*pair.server);
            bench.settle();
            // All of it without a turn of the receiver in between.
            const pump last(*pair.client, bench.noise(10));
            while (!last.done()) bench.client_loop->run_once(bench.client_loop->now() + std::chrono::milliseconds(1));
            if (as_a_reset) {
                bench.client_loop->close(*pair.client);
            } else {
                EXPECT_TRUE(bench.client_loop->finish(*pair.client).has_value());
            }
            EXPECT_TRUE(bench.until([&] { return pair.server->ends + std::ssize(pair.server->receive_errors) > 0; }))
                << (as_a_reset ? "a reset" : "an end") << " was lost";
            if (!as_a_reset) {  // which may overtake them
                EXPECT_EQ(pair.server->bytes, last.bytes());
            }
            bench.close(pair);
        }
    });
}

TYPED_TEST(EngineStreams, FailToSendOnceThePeerIsGone) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        bench.server_loop->close(*pair.server);
        ASSERT_TRUE(bench.until([&] { return pair.server->closed_count == 1; }));
        const pump in_vain(*pair.client, std::vector<std::byte>(4 * bench.more_than_sockets_hold), 1000);
        ASSERT_TRUE(bench.until([&] { return in_vain.error().has_value(); }));
        EXPECT_TRUE(*in_vain.error() == std::errc::broken_pipe || *in_vain.error() == std::errc::connection_reset)
            << in_vain.error()->message();
        bench.close(pair);
    });
}

TYPED_TEST(EngineStreams, AnswerAPendingSendWithTheReset) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump endless(*pair.client, std::vector<std::byte>(bench.more_than_sockets_hold));
        std::size_t before = 0;
        do {
            before = endless.sent();
            bench.settle();
        } while (endless.sent() != before || !endless.pending());
        bench.server_loop->close(*pair.server);
        ASSERT_TRUE(bench.until([&] { return endless.error().has_value(); }));
        EXPECT_TRUE(*endless.error() == std::errc::broken_pipe || *endless.error() == std::errc::connection_reset);
        EXPECT_FALSE(endless.done());
        bench.close(pair);
    });
}

}  // namespace
}  // namespace io_test
