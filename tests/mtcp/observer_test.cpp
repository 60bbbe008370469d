// An observer is told of each client once that it came, and once that it went, with reason and account; and of peers that never became one.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

namespace mtcp_test {
namespace {

using mnet::errc;
using mnet::within;
using namespace std::chrono_literals;

struct told_event {
    std::string what;
    std::uint64_t client = 0;
    std::string address{};
    std::string transport{};
    std::error_code why{};
    mnet::delivery account{};
    std::uint64_t count = 0;
};

/// Keeps what it is told, for a test's thread.
class listener_of_events final : public mnet::observer {
public:
    void accepted(const mnet::observed& who) noexcept override { keep(who, {.what = "accepted"}); }
    void connected(const mnet::observed& who) noexcept override { keep(who, {.what = "connected"}); }
    void refused(const mnet::observed& who, std::error_code why) noexcept override { keep(who, {.what = "refused", .why = why}); }
    void slow(const mnet::observed& who, std::uint64_t unsent) noexcept override { keep(who, {.what = "slow", .count = unsent}); }
    void closed(const mnet::observed& who, std::error_code why, const mnet::delivery& account) noexcept override {
        keep(who, {.what = "closed", .why = why, .account = account});
    }

    told_event next() {
        const auto event = events.take();
        return event ? *event : told_event{.what = "nothing"};
    }

    channel<told_event> events{};

private:
    void keep(const mnet::observed& who, told_event event) {
        event.client = who.client;
        event.address = who.address;
        event.transport = who.transport;
        events.put(event);
    }
};

class Observer : public EveryShapeAndCarrier {
protected:
    listener_of_events seen{};
    mnet::mtcp::network serve_echo() {
        mnet::mtcp::listen_options options{.address = fresh_address(what()), .observer = &seen};
        secure_if_asked(options);
        return *listen_echo(how(), options);
    }
};
FOR_EVERY_SHAPE_AND_CARRIER(Observer);

TEST_P(Observer, OfANetworkIsToldThatAClientCameAndThatItWent) {
    auto network = serve_echo();
    std::string address;
    {
        auto client = connect_to(network.address());
        expect_echo(client, "hello");
        address = client.local_address();
        EXPECT_TRUE(client.close().complete());
    }
    const told_event came = seen.next();
    EXPECT_EQ(came.what, "accepted");
    EXPECT_NE(came.client, 0U);
    EXPECT_EQ(came.transport, transport_of(what()));
    if (what() != carrier::unix_path && what() != carrier::unix_abstract) {
        EXPECT_EQ(came.address, address);
    }
    const told_event went = seen.next();
    EXPECT_EQ(went.what, "closed");
    EXPECT_EQ(went.client, came.client);
    EXPECT_EQ(went.address, came.address);
    EXPECT_EQ(went.why, errc::end_of_stream);
    EXPECT_EQ(went.account.messages_unsent, 0U);
}

TEST_P(Observer, OfAClientIsToldThatItConnectedAndThatItClosed) {
    auto network = listen_echo(how(), {.address = fresh_address(what())});
    listener_of_events mine;
    {
        auto client = connect_to(network->address(), {.observer = &mine});
        expect_echo(client, "hello");
        EXPECT_EQ(mine.next().what, "connected");
        EXPECT_TRUE(client.close().complete());
    }
    const told_event went = mine.next();
    EXPECT_EQ(went.what, "closed");
    EXPECT_EQ(went.why, errc::already_closed);
    EXPECT_TRUE(went.account.complete());
}

TEST_P(Observer, IsToldOfAClientThatTheStopEnded) {
    auto network = serve_echo();
    auto client = connect_to(network.address());
    expect_echo(client, "hello");
    EXPECT_EQ(seen.next().what, "accepted");
    (void)network.stop();
    const told_event went = seen.next();
    EXPECT_EQ(went.what, "closed");
    EXPECT_EQ(went.why, std::errc::operation_canceled);
    EXPECT_TRUE(went.account.complete());
}

TEST(Observers, AreToldWhoIsOneTooMany) {
    listener_of_events seen;
    auto network = serve([](mnet::client&, mnet::message) noexcept {}, {.address = "127.0.0.1:0", .clients_max = 1, .observer = &seen});
    raw_peer first(network.address());
    EXPECT_EQ(seen.next().what, "accepted");
    raw_peer second(network.address());
    const told_event turned_away = seen.next();
    EXPECT_EQ(turned_away.what, "refused");
    EXPECT_EQ(turned_away.client, 0U);
    EXPECT_TRUE(turned_away.address.starts_with("127.0.0.1:")) << turned_away.address;
    EXPECT_EQ(turned_away.why, errc::too_many_clients);
}

TEST(Observers, AreToldWhoseHandshakeFailed) {
    listener_of_events seen;
    auto network = serve([](mnet::client&, mnet::message) noexcept {}, {.address = "tls://127.0.0.1:0", .observer = &seen});
    raw_peer peer(network.address().substr(std::string("tls://").size()));
    peer.send(frame("no handshake at all"));
    peer.finish();
    const told_event turned_away = seen.next();
    EXPECT_EQ(turned_away.what, "refused");
    EXPECT_TRUE(turned_away.address.starts_with("tls://127.0.0.1:")) << turned_away.address;
    EXPECT_TRUE(static_cast<bool>(turned_away.why));
}

TEST(Observers, AreToldOnceOfAClientThatLagsBehind) {
    listener_of_events seen;
    auto network = serve(
        [](mnet::client& client) -> mnet::result<> {
            for (int refused = 0; refused < 10;) refused += client.send(pattern(50'000)) ? 0 : 1;
            return {};
        },
        {.address = "127.0.0.1:0", .unsent_bytes_max = std::size_t{1} << 20, .observer = &seen});
    raw_peer peer(network.address());
    EXPECT_EQ(seen.next().what, "accepted");
    const told_event lags = seen.next();
    EXPECT_EQ(lags.what, "slow");
    EXPECT_GT(lags.count, std::uint64_t{1} << 20);
    while (!peer.receive_some().empty()) {
    }
    EXPECT_EQ(seen.next().what, "closed");
}

TEST(Observers, AreToldNothingAnyMoreOnceTheirNetworkHasStopped) {
    struct shared {
        channel<int> release{};
        channel<int> ended{};
    };
    const auto all = std::make_shared<shared>();
    auto seen = std::make_unique<listener_of_events>();
    {
        auto network = serve(
            [all](mnet::client& client) -> mnet::result<> {
                (void)all->release.take();
                (void)client.close({.deadline = within(0s)});
                all->ended.put(1);
                return {};
            },
            {.address = "127.0.0.1:0", .observer = seen.get()});
        auto client = connect_to(network.address());
        EXPECT_EQ(seen->next().what, "accepted");
        EXPECT_EQ(network.stop(within(20ms)).handlers_left, 1U);
    }
    seen.reset();  // a sanitizer sees who uses it
    all->release.put(1);
    EXPECT_TRUE(all->ended.take().has_value());
}

}  // namespace
}  // namespace mtcp_test
