// Every engine: close is answered last, may be called and answered anywhere, and leaves nothing behind.
#include "engine_suite.hpp"

#include <algorithm>

namespace io_test {
namespace {

template <typename Engine>
class EngineClosing : public engine_test<Engine> {};
TYPED_TEST_SUITE(EngineClosing, engines, engine_names);

TYPED_TEST(EngineClosing, IsAnsweredOnlyFromInsideALaterRunOnce) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        bool inside = true;
        pair.client->on_received = [&] {
            bench.client_loop->close(*pair.client);
            EXPECT_EQ(pair.client->closed_count, 0);
            EXPECT_FALSE(pair.client->open());
            inside = false;
        };
        pair.client->on_closed = [&] { EXPECT_FALSE(inside) << "closed came in the middle of another answer"; };
        bench.client_loop->receive(*pair.client);
        bench.server_loop->close(*pair.server);
        EXPECT_EQ(pair.server->closed_count, 0);
        EXPECT_TRUE(bench.until([&] { return pair.client->closed_count == 1 && pair.server->closed_count == 1; }));
    });
}

TYPED_TEST(EngineClosing, AnswersOnceHoweverOftenItIsAsked) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        bench.client_loop->close(*pair.client);
        bench.client_loop->close(*pair.client);
        ASSERT_TRUE(bench.until([&] { return pair.client->closed_count == 1; }));
        bench.client_loop->close(*pair.client);
        bench.settle();
        EXPECT_EQ(pair.client->closed_count, 1);
        bench.close(pair);
    });
}

TYPED_TEST(EngineClosing, AnswersAStreamThatWasNeverOpened) {
    this->on_every_seed([](auto& bench) {
        probe_stream unopened(*bench.client_loop);
        bench.client_loop->close(unopened);
        EXPECT_EQ(unopened.closed_count, 0);
        EXPECT_TRUE(bench.until([&] { return unopened.closed_count == 1; }));
    });
}

TYPED_TEST(EngineClosing, EndsEveryRequestWithoutAnAnswer) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump endless(*pair.client, std::vector<std::byte>(bench.more_than_sockets_hold));
        ASSERT_TRUE(bench.until([&] { return endless.pending(); }));
        bench.client_loop->receive(*pair.client);
        bench.server_loop->close(*pair.server);  // would answer both requests
        const int before = pair.client->answers();
        bench.client_loop->close(*pair.client);
        ASSERT_TRUE(bench.until([&] { return pair.client->closed_count == 1; }));
        bench.settle();
        EXPECT_EQ(pair.client->answers(), before + 1);
        bench.close(pair);
    });
}

TYPED_TEST(EngineClosing, MayHappenInReceivedAndInSent) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump endless(*pair.client, std::vector<std::byte>(bench.more_than_sockets_hold));
        ASSERT_TRUE(bench.until([&] { return endless.pending(); }));
        pair.client->on_sent = [&] { bench.client_loop->close(*pair.client); };
        pair.server->keeps_receiving = true;  // which asks anew right before the close
        pair.server->room_bytes = 1 << 20;
        pair.server->on_received = [&] {
            if (pair.client->closing) bench.server_loop->close(*pair.server);
        };
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return pair.client->closed_count == 1 && pair.server->closed_count == 1; }));
    });
}

TYPED_TEST(EngineClosing, MayHitAnotherStreamInAnAnswer) {
    this->on_every_seed([](auto& bench) {
        std::vector<connection> pairs;
        for (int made = 0; made < 4; ++made) pairs.push_back(bench.connect());
        int answered = 0;
        for (auto& pair : pairs) {
            ASSERT_TRUE(pair.client != nullptr);
            pair.client->on_received = [&] {
                ++answered;
                for (auto& other : pairs) bench.client_loop->close(*other.client);
            };
            bench.client_loop->receive(*pair.client);
        }
        for (auto& pair : pairs) EXPECT_TRUE(bench.server_loop->finish(*pair.server).has_value());
        EXPECT_TRUE(
            bench.until([&] { return std::ranges::all_of(pairs, [](const auto& each) { return each.client->closed_count == 1; }); }));
        EXPECT_EQ(answered, 1) << "a closed stream was answered";
        for (auto& pair : pairs) bench.close(pair);
    });
}

TYPED_TEST(EngineClosing, MayHitAnotherStreamInItsAnswer) {
    this->on_every_seed([](auto& bench) {
        auto first = bench.connect();
        auto second = bench.connect();
        ASSERT_TRUE(first.client != nullptr && second.client != nullptr);
        first.client->on_closed = [&] { bench.client_loop->close(*second.client); };
        bench.client_loop->close(*first.client);
        EXPECT_TRUE(bench.until([&] { return second.client->closed_count == 1; }));
        bench.close(first);
        bench.close(second);
    });
}

TYPED_TEST(EngineClosing, AllowsTheStreamToBeDestroyedInItsAnswer) {
    this->on_every_seed([](auto& bench) {
        auto first = bench.connect();
        auto second = bench.connect();
        ASSERT_TRUE(first.client != nullptr && second.client != nullptr);
        first.client->on_closed = [&] { first.client.reset(); };
        second.client->on_closed = [&] { second.client.reset(); };
        bench.client_loop->receive(*first.client);
        bench.client_loop->close(*first.client);
        bench.client_loop->close(*second.client);
        EXPECT_TRUE(bench.until([&] { return first.client == nullptr && second.client == nullptr; }));
        bench.close(first);
        bench.close(second);
    });
}

TYPED_TEST(EngineClosing, AllowsTheStreamToConnectAgainInItsAnswer) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        probe_stream next(*bench.client_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        probe_stream& client = *pair.client;
        client.on_closed = [&] {
            client.closed_count = 0;
            client.connect_outcome.reset();
            client.on_closed = nullptr;
            bench.client_loop->connect(client, *bound);
        };
        bench.client_loop->close(client);
        ASSERT_TRUE(bench.until([&] { return client.connected_count == 2; }));
        EXPECT_TRUE(client.connect_outcome->has_value());
        EXPECT_TRUE(client.open());
        bench.server_loop->close(listener);
        bench.close(pair);
    });
}

TYPED_TEST(EngineClosing, LeavesNothingBehindInAStormOfConnections) {
    this->on_every_seed([](auto& bench) {
        constexpr std::size_t connections = 200;
        probe_listener listener(*bench.server_loop);
        listener.keeps_accepting = true;
        std::vector<std::unique_ptr<probe_stream>> all;
        const auto close_at_random = [&](probe_stream& stream) {
            if (stream.open() && bench.random() % 2 == 0) stream.loop.close(stream);
        };
        const auto prepare = [&](io::loop& loop) -> probe_stream& {
            probe_stream& made = *all.emplace_back(std::make_unique<probe_stream>(loop));
            made.keeps_receiving = true;
            made.on_received = [&] { close_at_random(made); };
            return made;
        };
        listener.on_accepted = [&](int handle) {
            probe_stream& made = prepare(*bench.server_loop);
            if (!bench.server_loop->attach(made, handle)) return;
            (void)bench.server_loop->send(made, bytes_of("welcome"));
            bench.server_loop->receive(made);
            close_at_random(made);
        };
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        bench.server_loop->accept(listener);
        for (std::size_t made = 0; made < connections; ++made) {
            probe_stream& client = prepare(*bench.client_loop);
            client.on_connected = [&] {
                if (!client.open()) return;
                if (bench.random() % 2 == 0) (void)bench.client_loop->send(client, bytes_of("hello"));
                if (bench.random() % 2 == 0) bench.client_loop->receive(client);
                close_at_random(client);
            };
            bench.client_loop->connect(client, *bound);
            if (made % 16 == 0) bench.settle();
        }
        EXPECT_TRUE(bench.until([&] { return listener.handles.size() == connections; }));
        bench.server_loop->close(listener);
        bench.settle();
        for (const auto& stream : all) stream->loop.close(*stream);
        EXPECT_TRUE(bench.until([&] { return std::ranges::all_of(all, [](const auto& each) { return each->closed_count == 1; }); }));
    });
}

}  // namespace
}  // namespace io_test
