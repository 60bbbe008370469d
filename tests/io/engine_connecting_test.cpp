// Every engine: connections come about, are refused, are withdrawn, and say where they lead.
#include "engine_suite.hpp"

namespace io_test {
namespace {

template <typename Engine>
class EngineConnecting : public engine_test<Engine> {};
TYPED_TEST_SUITE(EngineConnecting, engines, engine_names);

/// Where nobody listens, but somebody just did.
template <typename Bench>
io::endpoint deserted(Bench& bench) {
    probe_listener listener(*bench.server_loop);
    const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
    bench.server_loop->close(listener);
    return *bound;
}

TYPED_TEST(EngineConnecting, AnswersOnlyFromInsideRunOnce) {
    this->on_every_seed([](auto& bench) {
        probe_stream client(*bench.client_loop);
        bench.client_loop->connect(client, deserted(bench));
        EXPECT_TRUE(client.connecting);
        EXPECT_EQ(client.connected_count, 0);
        EXPECT_TRUE(bench.until([&] { return client.connected_count == 1; }));
        EXPECT_FALSE(client.connecting);
    });
}

TYPED_TEST(EngineConnecting, CarriesBytesBothWays) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump there(*pair.client, {std::byte{1}});
        const pump back(*pair.server, {std::byte{2}});
        bench.client_loop->receive(*pair.client);
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return pair.client->bytes == back.bytes() && pair.server->bytes == there.bytes(); }));
        EXPECT_EQ(pair.client->connected_count, 1);
        EXPECT_EQ(pair.server->connected_count, 0);
        bench.close(pair);
    });
}

TYPED_TEST(EngineConnecting, GivesAHandleThatAnotherStreamTakesOver) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const pump back(*pair.server, {std::byte{2}});  // on its way, or there already
        probe_stream heir(*bench.client_loop);
        const int handle = bench.client_loop->release(*pair.client);
        EXPECT_FALSE(pair.client->open());
        ASSERT_TRUE(bench.client_loop->attach(heir, handle).has_value());
        const pump there(heir, {std::byte{1}});
        bench.client_loop->receive(heir);
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return heir.bytes == back.bytes() && pair.server->bytes == there.bytes(); }));
        bench.client_loop->close(heir);
        EXPECT_TRUE(bench.until([&] { return heir.closed_count == 1; }));
        bench.close(pair);
    });
}

TYPED_TEST(EngineConnecting, GivesAHandleThatWasReceivedFromOnce) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        pair.server->room_bytes = 1;
        bench.server_loop->receive_once(*pair.server);
        const pump there(*pair.client, {std::byte{1}, std::byte{2}, std::byte{3}});
        ASSERT_TRUE(bench.until([&] { return pair.server->received_count == 1; }));
        EXPECT_EQ(pair.server->bytes, std::vector{std::byte{1}});
        probe_stream heir(*bench.server_loop);
        heir.keeps_receiving = true;
        ASSERT_TRUE(bench.server_loop->attach(heir, bench.server_loop->release(*pair.server)).has_value());
        bench.server_loop->receive(heir);
        EXPECT_TRUE(bench.until([&] { return heir.bytes == std::vector({std::byte{2}, std::byte{3}}); }));
        bench.server_loop->close(heir);
        EXPECT_TRUE(bench.until([&] { return heir.closed_count == 1; }));
        bench.close(pair);
    });
}

TYPED_TEST(EngineConnecting, IsRefusedWhereNobodyListens) {
    this->on_every_seed([](auto& bench) {
        probe_stream client(*bench.client_loop);
        bench.client_loop->connect(client, deserted(bench));
        ASSERT_TRUE(bench.until([&] { return client.connect_outcome.has_value(); }));
        ASSERT_FALSE(client.connect_outcome->has_value());
        EXPECT_EQ(client.connect_outcome->error(), std::errc::connection_refused);
        EXPECT_FALSE(client.open());
    });
}

TYPED_TEST(EngineConnecting, SaysWhyAUnixSocketIsNotReached) {
    this->on_every_seed([](auto& bench) {
        const support::scratch_folder folder;
        probe_stream client(*bench.client_loop);
        bench.client_loop->connect(client, *io::endpoint::unix_socket(folder / "socket"));
        ASSERT_TRUE(bench.until([&] { return client.connected_count == 1; }));
        EXPECT_EQ(client.connect_outcome->error(), std::errc::no_such_file_or_directory);
        bench.client_loop->connect(client, *io::endpoint::unix_socket(unused_name()));
        ASSERT_TRUE(bench.until([&] { return client.connected_count == 2; }));
        EXPECT_EQ(client.connect_outcome->error(), std::errc::connection_refused);
    });
}

TYPED_TEST(EngineConnecting, MayConnectAgainInTheAnswerThatRefused) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        probe_stream client(*bench.client_loop);
        const auto nowhere = deserted(bench);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        client.on_connected = [&] {
            if (client.connected_count < 4) bench.client_loop->connect(client, client.connected_count < 3 ? nowhere : *bound);
        };
        bench.client_loop->connect(client, nowhere);
        ASSERT_TRUE(bench.until([&] { return client.connected_count == 4; }));
        EXPECT_TRUE(client.connect_outcome->has_value());
        EXPECT_TRUE(client.open());
        bench.client_loop->close(client);
        EXPECT_TRUE(bench.until([&] { return client.closed_count == 1; }));
        bench.server_loop->close(listener);
    });
}

TYPED_TEST(EngineConnecting, AllowsTheStreamToBeDestroyedInTheAnswerThatRefused) {
    this->on_every_seed([](auto& bench) {
        auto client = std::make_unique<probe_stream>(*bench.client_loop);
        client->on_connected = [&] { client.reset(); };
        bench.client_loop->connect(*client, deserted(bench));
        EXPECT_TRUE(bench.until([&] { return client == nullptr; }));
    });
}

TYPED_TEST(EngineConnecting, SaysThatNoHandlesAreLeft) {
    this->on_every_seed([](auto& bench) {
        probe_stream client(*bench.client_loop);
        const auto where = deserted(bench);
        bench.engine().forbid_handles();
        bench.client_loop->connect(client, where);
        const bool answered = bench.until([&] { return client.connect_outcome.has_value(); });
        bench.engine().allow_handles();
        ASSERT_TRUE(answered);
        ASSERT_FALSE(client.connect_outcome->has_value());
        EXPECT_EQ(client.connect_outcome->error(), std::errc::too_many_files_open);
    });
}

TYPED_TEST(EngineConnecting, IsWithdrawnByClose) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        for (const auto& where : {*bound, deserted(bench)}) {
            probe_stream client(*bench.client_loop);
            bench.client_loop->connect(client, where);
            bench.client_loop->close(client);
            EXPECT_FALSE(client.open());
            ASSERT_TRUE(bench.until([&] { return client.closed_count == 1; }));
            bench.settle();
            EXPECT_EQ(client.answers(), 1);
        }
        bench.server_loop->close(listener);
    });
}

TYPED_TEST(EngineConnecting, MayBeClosedInItsAnswer) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        probe_stream client(*bench.client_loop);
        client.on_connected = [&] { bench.client_loop->close(client); };
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        bench.client_loop->connect(client, *bound);
        EXPECT_TRUE(bench.until([&] { return client.closed_count == 1; }));
        bench.server_loop->close(listener);
    });
}

TYPED_TEST(EngineConnecting, SendsAndReceivesInItsAnswer) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        probe_stream client(*bench.client_loop);
        probe_stream server(*bench.server_loop);
        std::unique_ptr<pump> greeting;
        client.on_connected = [&] {
            greeting = std::make_unique<pump>(client, std::vector<std::byte>{std::byte{7}});
            bench.client_loop->receive(client);
        };
        listener.on_accepted = [&](int handle) {
            ASSERT_TRUE(bench.server_loop->attach(server, handle).has_value());
            bench.server_loop->receive(server);
        };
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        bench.server_loop->accept(listener);
        bench.client_loop->connect(client, *bound);
        EXPECT_TRUE(bench.until([&] { return server.bytes.size() == 1; }));
        bench.server_loop->close(server);
        EXPECT_TRUE(bench.until([&] { return client.ends == 1 && server.closed_count == 1; }));
        bench.server_loop->close(listener);
        bench.client_loop->close(client);
        EXPECT_TRUE(bench.until([&] { return client.closed_count == 1; }));
    });
}

TYPED_TEST(EngineConnecting, NamesBothEnds) {
    this->on_every_seed([](auto& bench) {
        auto pair = bench.connect();
        ASSERT_TRUE(pair.client != nullptr);
        const auto client_local = bench.client_loop->local_endpoint(*pair.client);
        const auto client_remote = bench.client_loop->remote_endpoint(*pair.client);
        const auto server_local = bench.server_loop->local_endpoint(*pair.server);
        const auto server_remote = bench.server_loop->remote_endpoint(*pair.server);
        ASSERT_TRUE(client_local && client_remote && server_local && server_remote);
        EXPECT_EQ(*client_local, *server_remote);
        EXPECT_EQ(*client_remote, *server_local);
        EXPECT_NE(*client_local, *client_remote);
        EXPECT_NE(client_local->port(), 0);
        bench.close(pair);
    });
}

TYPED_TEST(EngineConnecting, WorksOverIPv6) {
    this->on_every_seed([](auto& bench) {
        const auto loopback = *io::endpoint::numeric("::1", 0);
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, loopback, {});
        if (!bound && bound.error() == std::errc::address_not_available) GTEST_SKIP() << "no IPv6 loopback here";
        bench.server_loop->close(listener);
        auto pair = bench.connect(loopback);
        ASSERT_TRUE(pair.client != nullptr);
        EXPECT_EQ(bench.client_loop->remote_endpoint(*pair.client)->family(), AF_INET6);
        const pump there(*pair.client, {std::byte{1}});
        bench.server_loop->receive(*pair.server);
        EXPECT_TRUE(bench.until([&] { return pair.server->bytes == there.bytes(); }));
        bench.close(pair);
    });
}

TYPED_TEST(EngineConnecting, WorksOverUnixSockets) {
    this->on_every_seed([](auto& bench) {
        const support::scratch_folder folder;
        for (const std::string& name : {unused_name(), folder / "socket"}) {
            SCOPED_TRACE(name);
            const auto where = *io::endpoint::unix_socket(name);
            auto pair = bench.connect(where);
            ASSERT_TRUE(pair.client != nullptr);
            EXPECT_EQ(*bench.client_loop->remote_endpoint(*pair.client), where);
            EXPECT_EQ(*bench.server_loop->local_endpoint(*pair.server), where);
            EXPECT_TRUE(bench.server_loop->remote_endpoint(*pair.server)->is_unix());
            const pump there(*pair.client, bench.noise(100'000));
            pair.server->keeps_receiving = true;
            bench.server_loop->receive(*pair.server);
            EXPECT_TRUE(bench.until([&] { return pair.server->bytes == there.bytes(); }));
            bench.close(pair);
        }
    });
}

TYPED_TEST(EngineConnecting, StaysUsableWhenConfigured) {
    this->on_every_seed([](auto& bench) {
        const support::scratch_folder folder;
        for (const auto& where : {bench.loopback(), *io::endpoint::unix_socket(folder / "socket")}) {
            auto pair = bench.connect(where);
            ASSERT_TRUE(pair.client != nullptr);
            const std::chrono::seconds long_enough(60);
            bench.client_loop->configure(*pair.client, {.keep_alive = long_enough, .user_timeout = long_enough});
            bench.client_loop->configure(*pair.client, {});
            const pump there(*pair.client, {std::byte{1}});
            bench.server_loop->receive(*pair.server);
            EXPECT_TRUE(bench.until([&] { return pair.server->bytes == there.bytes(); }));
            bench.close(pair);
        }
    });
}

}  // namespace
}  // namespace io_test
