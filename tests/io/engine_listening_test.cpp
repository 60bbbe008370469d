// Every engine: listening, accepting, and being left without handles.
#include "engine_suite.hpp"

#include <algorithm>

namespace io_test {
namespace {

template <typename Engine>
class EngineListening : public engine_test<Engine> {};
TYPED_TEST_SUITE(EngineListening, engines, engine_names);

/// Connects `count` clients; their streams.
template <typename Bench>
std::vector<std::unique_ptr<probe_stream>> dial(Bench& bench, const io::endpoint& where, std::size_t count) {
    std::vector<std::unique_ptr<probe_stream>> clients;
    for (std::size_t made = 0; made < count; ++made) {
        clients.push_back(std::make_unique<probe_stream>(*bench.client_loop));
        bench.client_loop->connect(*clients.back(), where);
    }
    EXPECT_TRUE(
        bench.until([&] { return std::ranges::all_of(clients, [](const auto& each) { return each->open() && !each->connecting; }); }));
    return clients;
}

template <typename Bench>
void close_all(Bench& bench, std::vector<std::unique_ptr<probe_stream>>& clients) {
    for (const auto& each : clients) bench.client_loop->close(*each);
    EXPECT_TRUE(bench.until([&] { return std::ranges::all_of(clients, [](const auto& each) { return each->closed_count == 1; }); }));
}

template <typename Bench>
void discard_all(Bench& bench, probe_listener& listener) {
    for (const int handle : listener.handles) bench.server_loop->discard(handle);
    listener.handles.clear();
}

TYPED_TEST(EngineListening, GivesTheAddressWithItsPortResolved) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        ASSERT_TRUE(bound.has_value()) << bound.error().message();
        EXPECT_NE(bound->port(), 0);
        EXPECT_TRUE(bound->text().starts_with("127.0.0.1:")) << bound->text();
        EXPECT_TRUE(listener.open());
        bench.server_loop->close(listener);
        EXPECT_FALSE(listener.open());
    });
}

TYPED_TEST(EngineListening, RefusesAnAddressInUse) {
    this->on_every_seed([](auto& bench) {
        probe_listener first(*bench.server_loop);
        probe_listener second(*bench.client_loop);
        const auto bound = bench.server_loop->listen(first, bench.loopback(), {});
        ASSERT_TRUE(bound.has_value());
        const auto again = bench.client_loop->listen(second, *bound, {});
        ASSERT_FALSE(again.has_value());
        EXPECT_EQ(again.error(), std::errc::address_in_use);
        EXPECT_FALSE(second.open());
        bench.server_loop->close(first);
    });
}

TYPED_TEST(EngineListening, RefusesAUnixNameInUse) {
    this->on_every_seed([](auto& bench) {
        const auto where = *io::endpoint::unix_socket(unused_name());
        probe_listener first(*bench.server_loop);
        probe_listener second(*bench.server_loop);
        ASSERT_TRUE(bench.server_loop->listen(first, where, {}).has_value());
        const auto again = bench.server_loop->listen(second, where, {});
        ASSERT_FALSE(again.has_value());
        EXPECT_EQ(again.error(), std::errc::address_in_use);
        bench.server_loop->close(first);
    });
}

TYPED_TEST(EngineListening, ListensAgainWhereItHasClosed) {
    this->on_every_seed([](auto& bench) {
        const support::scratch_folder folder;
        for (const auto& where :
             {bench.loopback(), *io::endpoint::unix_socket(unused_name()), *io::endpoint::unix_socket(folder / "socket")}) {
            probe_listener listener(*bench.server_loop);
            const auto first = bench.server_loop->listen(listener, where, {});
            ASSERT_TRUE(first.has_value());
            bench.server_loop->close(listener);
            const auto second = bench.server_loop->listen(listener, *first, {});
            ASSERT_TRUE(second.has_value()) << first->text() << ": " << second.error().message();
            EXPECT_EQ(*first, *second);
            bench.server_loop->close(listener);
        }
    });
}

TYPED_TEST(EngineListening, AnswersEveryAcceptWithOneConnection) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        auto clients = dial(bench, *bound, 3);
        bench.settle();
        EXPECT_TRUE(listener.handles.empty()) << "an answer that nobody asked for";
        for (std::size_t count = 1; count <= 3; ++count) {
            bench.server_loop->accept(listener);
            ASSERT_TRUE(bench.until([&] { return listener.handles.size() == count; }));
            bench.settle();
            EXPECT_EQ(listener.handles.size(), count);
        }
        discard_all(bench, listener);
        bench.server_loop->close(listener);
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, TakesAnAcceptThatIsRepeatedAsOne) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        bench.server_loop->accept(listener);
        bench.server_loop->accept(listener);
        auto clients = dial(bench, *bound, 2);
        bench.settle();
        EXPECT_EQ(listener.handles.size(), 1U);
        discard_all(bench, listener);
        bench.server_loop->close(listener);
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, AcceptsManyWhereEachAnswerAsksForTheNext) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        listener.keeps_accepting = true;
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        bench.server_loop->accept(listener);
        auto clients = dial(bench, *bound, 100);
        EXPECT_TRUE(bench.until([&] { return listener.handles.size() == 100; }));
        discard_all(bench, listener);
        bench.server_loop->close(listener);
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, AnswersNothingOnceClosed) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        auto clients = dial(bench, *bound, 1);
        bench.server_loop->accept(listener);
        bench.server_loop->close(listener);
        bench.settle();
        EXPECT_TRUE(listener.handles.empty());
        EXPECT_TRUE(listener.errors.empty());
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, ResetsWhoeverWasNotAcceptedWhenItCloses) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        auto clients = dial(bench, *bound, 1);
        bench.server_loop->close(listener);
        bench.client_loop->receive(*clients[0]);
        ASSERT_TRUE(bench.until([&] { return clients[0]->received_count == 1; }));
        ASSERT_EQ(clients[0]->receive_errors.size(), 1U);
        EXPECT_EQ(clients[0]->receive_errors[0], std::errc::connection_reset);
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, MayBeClosedAndDestroyedInItsAnswer) {
    this->on_every_seed([](auto& bench) {
        auto listener = std::make_unique<probe_listener>(*bench.server_loop);
        listener->keeps_accepting = true;
        listener->on_accepted = [&](int handle) {
            bench.server_loop->discard(handle);
            bench.server_loop->close(*listener);
            listener.reset();
        };
        const auto bound = bench.server_loop->listen(*listener, bench.loopback(), {});
        bench.server_loop->accept(*listener);
        std::vector<std::unique_ptr<probe_stream>> clients;
        for (int made = 0; made < 2; ++made) {
            clients.push_back(std::make_unique<probe_stream>(*bench.client_loop));
            bench.client_loop->connect(*clients.back(), *bound);
        }
        EXPECT_TRUE(bench.until([&] { return listener == nullptr; }));
        bench.settle();
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, EndsAConnectionThatIsDiscarded) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        listener.on_accepted = [&](int handle) { bench.server_loop->discard(handle); };
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        bench.server_loop->accept(listener);
        auto clients = dial(bench, *bound, 1);
        bench.client_loop->receive(*clients[0]);
        EXPECT_TRUE(bench.until([&] { return clients[0]->ends == 1; }));
        bench.server_loop->close(listener);
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, TakesBytesThatArrivedBeforeTheAccept) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        probe_stream server(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        auto clients = dial(bench, *bound, 1);
        const pump early(*clients[0], {std::byte{1}, std::byte{2}});
        ASSERT_TRUE(bench.until([&] { return early.done() && bench.client_loop->unacknowledged_bytes(*clients[0]) == 0; }));
        listener.on_accepted = [&](int handle) {
            EXPECT_TRUE(bench.server_loop->attach(server, handle).has_value());
            server.keeps_receiving = true;
            bench.server_loop->receive(server);
        };
        bench.server_loop->accept(listener);
        EXPECT_TRUE(bench.until([&] { return server.bytes == early.bytes(); }));
        bench.server_loop->close(listener);
        bench.server_loop->close(server);
        close_all(bench, clients);
        EXPECT_TRUE(bench.until([&] { return server.closed_count == 1; }));
    });
}

TYPED_TEST(EngineListening, SaysThatNoHandlesAreLeftAndAcceptsOnceThereAre) {
    this->on_every_seed([](auto& bench) {
        probe_listener listener(*bench.server_loop);
        const auto bound = bench.server_loop->listen(listener, bench.loopback(), {});
        auto clients = dial(bench, *bound, 2);
        bench.engine().forbid_handles();
        for (std::size_t refused = 1; refused <= 3; ++refused) {
            bench.server_loop->accept(listener);
            if (!bench.until([&] { return listener.errors.size() == refused; })) break;
        }
        bench.settle();
        bench.engine().allow_handles();
        ASSERT_EQ(listener.errors.size(), 3U);
        for (const auto& error : listener.errors) EXPECT_EQ(error, std::errc::too_many_files_open);
        EXPECT_TRUE(listener.handles.empty());

        listener.keeps_accepting = true;
        bench.server_loop->accept(listener);
        EXPECT_TRUE(bench.until([&] { return listener.handles.size() == 2; })) << "the connections stayed in the backlog";
        discard_all(bench, listener);
        bench.server_loop->close(listener);
        close_all(bench, clients);
    });
}

TYPED_TEST(EngineListening, SharesASocketWithAnotherLoop) {
    this->on_every_seed([](auto& bench) {
        probe_listener first(*bench.server_loop);
        probe_listener second(*bench.client_loop);
        const auto where = *io::endpoint::unix_socket(unused_name());
        const auto bound = bench.server_loop->listen(first, where, {});
        ASSERT_TRUE(bound.has_value());
        const auto along = bench.client_loop->listen(second, where, {.along = &first});
        ASSERT_TRUE(along.has_value()) << along.error().message();
        EXPECT_EQ(*along, *bound);
        first.keeps_accepting = second.keeps_accepting = true;
        bench.server_loop->accept(first);
        bench.client_loop->accept(second);
        auto clients = dial(bench, where, 20);
        EXPECT_TRUE(bench.until([&] { return first.handles.size() + second.handles.size() == 20; }));
        discard_all(bench, first);
        discard_all(bench, second);

        bench.server_loop->close(first);
        auto later = dial(bench, where, 5);
        EXPECT_TRUE(bench.until([&] { return second.handles.size() == 5; })) << "who listened along goes on alone";
        discard_all(bench, second);
        bench.client_loop->close(second);
        close_all(bench, clients);
        close_all(bench, later);
    });
}

TYPED_TEST(EngineListening, SharesAPortBetweenLoops) {
    this->on_every_seed([](auto& bench) {
        probe_listener first(*bench.server_loop);
        probe_listener second(*bench.client_loop);
        const auto bound = bench.server_loop->listen(first, bench.loopback(), {.reuse_port = true});
        ASSERT_TRUE(bound.has_value());
        ASSERT_TRUE(bench.client_loop->listen(second, *bound, {.reuse_port = true}).has_value());
        first.keeps_accepting = second.keeps_accepting = true;
        bench.server_loop->accept(first);
        bench.client_loop->accept(second);
        auto clients = dial(bench, *bound, 64);
        EXPECT_TRUE(bench.until([&] { return first.handles.size() + second.handles.size() == 64; }));
        EXPECT_FALSE(first.handles.empty()) << "64 connections, and one of two had none";
        EXPECT_FALSE(second.handles.empty());
        discard_all(bench, first);
        discard_all(bench, second);
        bench.server_loop->close(first);
        bench.client_loop->close(second);
        close_all(bench, clients);
    });
}

}  // namespace
}  // namespace io_test
