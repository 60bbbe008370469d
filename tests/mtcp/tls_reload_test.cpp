// New certificates while clients talk: who is connected stays, who comes sees the new one, and a file that is no good changes nothing.
#include "certificates.hpp"
#include "servers.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace mtcp_test {
namespace {

using mnet::tls_errc;
namespace mtcp = mnet::mtcp;
namespace tls = mnet::tls;

constexpr int reloads = 100;
constexpr int broken_each = 10;  // every tenth file is broken first
constexpr std::size_t clients_max = 100;

/// Clients that echo until they are told to stop, on a thread of their own.
class echoing_crowd {
public:
    explicit echoing_crowd(std::string address) : address_(std::move(address)), thread_([this] { run(); }) {}
    echoing_crowd(const echoing_crowd&) = delete;
    echoing_crowd& operator=(const echoing_crowd&) = delete;
    ~echoing_crowd() { stop(); }

    /// Round trips of each.
    std::vector<std::uint64_t> trips() const { return {trips_.begin(), trips_.end()}; }

    /// Whether each has made more than then.
    bool went_on_since(const std::vector<std::uint64_t>& then) const {
        return std::ranges::equal(trips(), then, [](std::uint64_t now, std::uint64_t before) { return now > before; });
    }

    /// Gives how many were still connected.
    std::size_t stop() {
        stopping_ = true;
        if (thread_.joinable()) thread_.join();
        return in_order_;
    }

private:
    mnet::task<> talk(mtcp::loop& loop, std::size_t index) {
        const mtcp::connect_options options{.tls = &client_of_tests()};
        auto connected = co_await mtcp::async_connect(loop, address_, options);
        if (!connected) co_return;
        mnet::client client = *std::move(connected);
        const mnet::operation soon_enough{.deadline = mnet::within(patience)};
        while (!stopping_) {
            const std::string text = std::to_string(index) + ":" + std::to_string(trips_[index]);
            if (!client.send(text)) co_return;
            const auto answer = co_await client.async_read(soon_enough);
            if (!answer || answer->text() != text) co_return;
            ++trips_[index];
        }
        ++in_order_;
    }

    void run() {
        auto loop = mtcp::loop::make();
        if (!loop) return;
        std::vector<mnet::task<>> talks;
        std::size_t ended = 0;
        for (std::size_t index = 0; index < clients_max; ++index) {
            talks.push_back(talk(*loop, index));
            talks.back().start({[](void* count) noexcept { ++*static_cast<std::size_t*>(count); }, &ended});
        }
        while (ended < talks.size()) loop->turn();
    }

    std::string address_;
    std::vector<std::atomic<std::uint64_t>> trips_ = std::vector<std::atomic<std::uint64_t>>(clients_max);
    std::atomic<bool> stopping_ = false;
    std::size_t in_order_ = 0;
    std::thread thread_;
};

tls::certificate_files write_server(const support::certificate_folder& files, int number) {
    const auto& authority = certificates_of_tests().authority;
    return files.write("turning", must(tls::certificates::make_server(
                                      authority, {.names = {"number" + std::to_string(number) + ".example", "127.0.0.1"}})));
}

/// Whom a new client meets.
std::string who_answers(const mtcp::network& network) {
    auto client = connect_to(network.address());
    expect_echo(client, "who are you");
    return client.peer_name();
}

class TlsReloads : public EveryShape {};
FOR_EVERY_SHAPE(TlsReloads);

TEST_P(TlsReloads, AHundredTimesWhileAHundredClientsEchoDropNobody) {
    const support::certificate_folder files;
    const auto paths = write_server(files, 0);
    const auto settings = must(tls::server({.certificate = paths.certificate, .key = paths.key}));
    auto network = *listen_echo(GetParam(), {.address = "tls://127.0.0.1:0", .tls = settings});
    echoing_crowd crowd(network.address());
    ASSERT_TRUE(eventually([&] { return crowd.went_on_since(std::vector<std::uint64_t>(clients_max)); }));

    std::string serving = "number0.example";
    for (int number = 1; number <= reloads; ++number) {
        std::string words;
        if (number % broken_each == 0) {
            (void)files.write("turning.pem", "no certificate at all");
            ASSERT_EQ(error_of(network.reload_certificates(&words)), tls_errc::unreadable_file);
            EXPECT_NE(words.find("turning.pem"), std::string::npos) << words;
            EXPECT_EQ(network.reload_error(), words);
            EXPECT_EQ(who_answers(network), serving);
        }
        (void)write_server(files, number);
        ASSERT_TRUE(network.reload_certificates(&words).has_value()) << words;
        serving = "number" + std::to_string(number) + ".example";
        ASSERT_EQ(who_answers(network), serving);
    }
    EXPECT_TRUE(eventually([&, then = crowd.trips()] { return crowd.went_on_since(then); }));
    EXPECT_EQ(crowd.stop(), clients_max);
    const auto told = network.statistics();
    EXPECT_GE(told.reloads, static_cast<std::uint64_t>(reloads));
    EXPECT_GE(told.reloads_failed, static_cast<std::uint64_t>(reloads / broken_each));
    EXPECT_EQ(told.clients_failed, 0U);
    EXPECT_EQ(told.handshakes_failed, 0U);
}

}  // namespace
}  // namespace mtcp_test
