// Connecting, blocking and as a coroutine: what works, and every way in which it may not.
#include "raw_peer.hpp"
#include "servers.hpp"

#include "io/endpoint.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <netinet/in.h>
#include <optional>
#include <sys/socket.h>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

namespace mtcp = mnet::mtcp;
using mnet::errc;
using namespace std::chrono_literals;

/// Both ways of connecting say the same, so each test is about both.
enum class way : std::uint8_t { blocking, coroutine };

mnet::task<std::error_code> dial(mtcp::loop& loop, std::string_view address, const mtcp::connect_options options) {
    auto client = co_await mtcp::async_connect(loop, address, options);
    co_return client ? std::error_code{} : client.error();
}

class Connecting : public testing::TestWithParam<way> {
protected:
    static std::error_code connect(std::string_view address, const mtcp::connect_options& options = {}) {
        if (GetParam() == way::blocking) {
            const auto client = mtcp::connect(address, options);
            return client ? std::error_code{} : client.error();
        }
        auto loop = mtcp::loop::make();
        return loop->run(dial(*loop, address, options));
    }
};
INSTANTIATE_TEST_SUITE_P(As, Connecting, testing::Values(way::blocking, way::coroutine),
                         [](const auto& instance) { return std::string(instance.param == way::blocking ? "Blocking" : "Coroutine"); });

/// A port that somebody holds and nobody listens on.
class refusing_port {
public:
    refusing_port() {
        socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto any = *mnet::io::endpoint::numeric("127.0.0.1", 0);
        sockaddr_in bound{};
        socklen_t length = sizeof bound;
        EXPECT_EQ(::bind(socket_.get(), any.data(), any.length()), 0);
        EXPECT_EQ(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&bound), &length), 0);
        address = "127.0.0.1:" + std::to_string(ntohs(bound.sin_port));
    }
    std::string address{};

private:
    mnet::base::unique_fd socket_{};
};

/// A listening socket whose queue is full, so that the kernel answers no one who knocks.
class deaf_listener {
public:
    deaf_listener() {
        const auto where = *mnet::io::endpoint::numeric("127.0.0.1", static_cast<std::uint16_t>(std::stoi(address().substr(10))));
        for (int count = 0; count < 4; ++count) {
            waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
            (void)::connect(waiting_.back().get(), where.data(), where.length());
        }
    }
    const std::string& address() const { return listener_.address(); }

private:
    raw_listener listener_{"127.0.0.1:0", 0};
    std::vector<mnet::base::unique_fd> waiting_{};
};

TEST_P(Connecting, ToAPortThatNobodyListensOnIsRefused) {
    const refusing_port port;
    EXPECT_EQ(connect(port.address), std::errc::connection_refused);
}

TEST_P(Connecting, ToAUnixPathThatIsNotThereSaysSo) {
    EXPECT_EQ(connect(fresh_address(carrier::unix_path)), std::errc::no_such_file_or_directory);
}

TEST_P(Connecting, ToAnAbstractNameThatNobodyHasIsRefused) {
    EXPECT_EQ(connect(fresh_address(carrier::unix_abstract)), std::errc::connection_refused);
}

TEST_P(Connecting, ToAHostThatDoesNotExistIsUnreachable) {
    const auto error = connect("no-such-host.invalid:1");
    EXPECT_EQ(error, std::errc::host_unreachable) << error.message();
}

TEST_P(Connecting, ToATextThatIsNoAddressSaysSo) {
    for (const char* const text :
         {"", "localhost", "localhost:", "localhost:65536", "::1:5050", "http://localhost:80", "unix://relative"}) {
        EXPECT_EQ(connect(text), errc::invalid_address) << text;
    }
}

TEST_P(Connecting, ToOneWhoNeverAnswersTimesOut) {
    const deaf_listener deaf;
    EXPECT_EQ(connect(deaf.address(), {.dial_timeout = 30ms}), std::errc::timed_out);
}

TEST_P(Connecting, TriesEveryAddressOfAName) {
    // `localhost` may mean ::1 first, where nobody listens.
    auto network = echo_server(shape::message, carrier::tcp_v4);
    EXPECT_EQ(connect("localhost:" + network.address().substr(10)), std::error_code{});
}

TEST_P(Connecting, TriesEveryAddressOfAList) {
    const refusing_port nobody;
    const deaf_listener deaf;
    auto network = echo_server(shape::message, carrier::tcp_v4);
    EXPECT_EQ(connect(nobody.address + "," + network.address()), std::error_code{});
    EXPECT_EQ(connect(network.address() + "," + nobody.address), std::error_code{});
    EXPECT_EQ(connect(fresh_address(carrier::unix_path) + "," + network.address()), std::error_code{});
    EXPECT_EQ(connect(deaf.address() + "," + network.address(), {.dial_timeout = 2s, .shared_memory = mtcp::sharing::off}),
              std::error_code{})
        << "each has its share of the time";
    EXPECT_EQ(connect(nobody.address + "," + nobody.address), std::errc::connection_refused);
    for (const std::string& broken : {network.address() + ",", "," + network.address(), network.address() + ",nonsense"}) {
        EXPECT_EQ(connect(broken), errc::invalid_address) << broken;
    }
}

TEST_P(Connecting, ShufflesAListEachTimeAnew) {
    std::vector<mnet::mtcp::network> networks;
    std::string all;
    for (int count = 0; count < 3; ++count) {
        networks.push_back(echo_server(shape::message, carrier::tcp_v4));
        all += (all.empty() ? "" : ",") + networks.back().address();
    }
    EXPECT_TRUE(eventually([&] {
        (void)connect(all, {.order = mtcp::address_order::shuffled});
        return std::ranges::all_of(networks, [](const auto& each) { return each.statistics().clients_accepted > 0; });
    }));
}

TEST_P(Connecting, ToNoHostMeansThisHost) {
    auto network = echo_server(shape::message, carrier::tcp_v4);
    EXPECT_EQ(connect(":" + network.address().substr(10)), std::error_code{});
    EXPECT_EQ(connect("tcp://:" + network.address().substr(10)), std::error_code{});
}

TEST_P(Connecting, WithEveryOptionSetWorks) {
    auto network = echo_server(shape::message);
    EXPECT_EQ(
        connect(network.address(), {.dial_timeout = 10s, .dead_after = 10s, .message_bytes_max = 1, .unsent_bytes_max = 1, .spin = 1us}),
        std::error_code{});
}

TEST(ConnectingBlocking, EndsAtTheDeadlineAndByTheTokenOfItsOperation) {
    const deaf_listener deaf;
    EXPECT_EQ(error_of(mtcp::connect(deaf.address(), {}, {.deadline = mnet::within(10ms)})), std::errc::timed_out);
    std::stop_source source;
    const std::stop_token token = source.get_token();
    std::thread other([&source] { source.request_stop(); });
    EXPECT_EQ(error_of(mtcp::connect(deaf.address(), {}, {.stop = &token})), std::errc::operation_canceled);
    other.join();
}

TEST(ConnectingBlocking, GivesAClientThatMayMoveToAnotherThread) {
    auto network = echo_server(shape::message);
    auto client = connect_to(network.address());
    expect_echo(client, "here");
    std::thread other([moved = std::move(client)]() mutable { expect_echo(moved, "there"); });
    other.join();
}

// On a loop ---------------------------------------------------------------------------------------------------------------------------

mnet::task<int> talk(mtcp::loop& loop, std::string address, int messages) {
    auto client = co_await mtcp::async_connect(loop, address, {.dead_after = 10s, .tls = tls_for(address)});
    if (!client) co_return -1;
    for (int count = 0; count < messages; ++count) {
        const std::string text = std::to_string(count);
        if (!client->send(text)) co_return count;
        auto answer = co_await client->async_read({.deadline = mnet::within(patience)});
        if (!answer || answer->text() != text) co_return count;
    }
    const mnet::delivery delivery = co_await client->async_close();
    co_return delivery.complete() ? messages : -2;
}

class OnALoop : public EveryShapeAndCarrier {};
FOR_EVERY_SHAPE_AND_CARRIER(OnALoop);

TEST_P(OnALoop, AClientTalksAndCloses) {
    auto network = echo_server(how(), what());
    auto loop = mtcp::loop::make();
    EXPECT_EQ(loop->run(talk(*loop, network.address(), 100)), 100);
}

mnet::task<mnet::result<mnet::client>> dial_for_keeps(mtcp::loop& loop, std::string address) {
    auto client = co_await mtcp::async_connect(loop, address);
    co_return client;
}

TEST(OnALoop, ADialThatIsDestroyedBeforeItsEndLeavesNothingBehind) {
    const deaf_listener deaf;
    auto loop = mtcp::loop::make();
    {
        auto dialing = dial_for_keeps(*loop, deaf.address());
        dialing.start({});
        EXPECT_FALSE(dialing.done());
    }
    auto resolving = dial_for_keeps(*loop, "no-such-host.invalid:1");
    resolving.start({});
    resolving.reset();
    auto network = echo_server(shape::message);
    EXPECT_EQ(loop->run(talk(*loop, network.address(), 3)), 3);
}

mnet::task<mnet::result<>> wait_with(mnet::client& client, bool& ended) {
    auto message = co_await client.async_read();
    ended = true;
    co_return mnet::failure(message.error());
}

mnet::task<bool> abandon_a_read(mtcp::loop& loop, std::string address) {
    auto client = co_await mtcp::async_connect(loop, address);
    bool ended = false;
    {
        auto reading = wait_with(*client, ended);
        reading.start({});
    }
    if (!client->send("after")) co_return false;
    auto answer = co_await client->async_read();
    co_return answer && answer->text() == "after" && !ended;
}

TEST(OnALoop, AReadThatIsDestroyedBeforeItsEndLeavesTheClientUsable) {
    auto network = echo_server(shape::message);
    auto loop = mtcp::loop::make();
    EXPECT_TRUE(loop->run(abandon_a_read(*loop, network.address())));
}

mnet::task<std::error_code> reconnect_on_a_loop(mtcp::loop& loop, std::string address) {
    auto client = co_await mtcp::async_connect(loop, address);
    co_return client->reconnect().error();
}

TEST(OnALoop, AClientDoesNotReconnectBecauseThatWouldBlock) {
    auto network = echo_server(shape::message);
    auto loop = mtcp::loop::make();
    EXPECT_EQ(loop->run(reconnect_on_a_loop(*loop, network.address())), errc::blocks_the_loop);
}

// Beside a served client ----------------------------------------------------------------------------------------------------------------

mnet::task<mnet::result<>> relay(mnet::client& client, const std::string& upstream) {
    auto beyond = co_await mtcp::async_connect(client, upstream);
    if (!beyond) co_return mnet::failure(beyond.error());
    for (;;) {
        auto question = co_await client.async_read();
        if (!question) co_return mnet::failure(question.error());
        if (auto sent = beyond->send(question->bytes()); !sent) co_return sent;
        auto answer = co_await beyond->async_read();
        if (!answer) co_return mnet::failure(answer.error());
        if (auto sent = client.send(answer->bytes()); !sent) co_return sent;
    }
}

TEST(BesideAServedClient, AHandlerConnectsOnAndRelays) {
    auto upstream = echo_server(shape::message);
    {
        auto proxy = serve([address = upstream.address()](mnet::client& client) { return relay(client, address); },
                           {.address = "127.0.0.1:0", .loops = 2});
        std::vector<mnet::client> clients;
        for (int count = 0; count < 10; ++count) clients.push_back(connect_to(proxy.address()));
        for (int round = 0; round < 10; ++round) {
            for (auto& each : clients) expect_echo(each, "through " + std::to_string(round));
        }
        EXPECT_TRUE(eventually([&] { return upstream.statistics().clients == 10; }));
        clients.erase(clients.begin() + 5, clients.end());
        EXPECT_TRUE(eventually([&] { return upstream.statistics().clients == 5; }));
        EXPECT_TRUE(proxy.stop().complete());
    }
    EXPECT_TRUE(eventually([&] { return upstream.statistics().clients == 0; }));
}

TEST(BesideAServedClient, ABlockingHandlersClientHasNoLoopToShare) {
    endings ends;
    auto network = serve([&ends](mnet::client& client) -> mnet::result<> {
        auto loop = mtcp::loop::make();
        auto dialing = mtcp::async_connect(client, "127.0.0.1:1");
        ends.put(error_of(loop->run(std::move(dialing))));
        return {};
    });
    auto client = connect_to(network.address());
    EXPECT_EQ(ends.take(), std::make_error_code(std::errc::operation_not_supported));
}

}  // namespace
}  // namespace mtcp_test
