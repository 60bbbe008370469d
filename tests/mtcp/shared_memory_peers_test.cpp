// Peers in shared memory that die or stop: the others get an end or an error at once, messages before it are whole, and nothing is left behind.
//
// Peers that are killed live in processes of their own, that are forked from one that was forked before there were threads.
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "support/random.hpp"

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;
using mnet::mtcp::sharing;

// A stream of messages that tell their number -----------------------------------------------------------------------------------------

/// Small ones, long ones, and some that are longer than the memory for them.
std::size_t size_of(std::uint64_t number) {
    if (number % 50 == 7) return (std::size_t{3} << 20) + number;
    if (number % 13 == 0) return (100 << 10) + number;
    return number % 5 == 0 ? 20 << 10 : 8 + number % 500;
}

mnet::result<> send_numbered(mnet::client& client, std::uint64_t number) {
    auto writer = client.write(size_of(number));
    if (!writer) return mnet::failure(writer.error());
    const auto space = writer->space();
    std::memset(space.data(), static_cast<int>(number & 0xffU), space.size());
    std::memcpy(space.data(), &number, sizeof(number));
    writer->advance(space.size());
    return writer->commit();
}

bool is_numbered(std::span<const std::byte> message, std::uint64_t number) {
    std::uint64_t found = 0;
    if (message.size() != size_of(number)) return false;
    std::memcpy(&found, message.data(), sizeof(found));
    const auto rest = message.subspan(sizeof(found));
    return found == number && std::ranges::all_of(rest, [&](std::byte each) { return each == static_cast<std::byte>(number); });
}

mnet::task<mnet::result<>> stream_from_a_coroutine(mnet::client& client) {
    for (std::uint64_t number = 0;; ++number) {
        if (auto sent = send_numbered(client, number); !sent) co_return sent;
        if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
    }
}

// Processes ---------------------------------------------------------------------------------------------------------------------------

void be_a_streaming_client(const std::string& address) {
    auto client = mnet::mtcp::connect(address, {.shared_memory = sharing::required});
    if (!client) return;
    for (std::uint64_t number = 0;; ++number) {
        if (!send_numbered(*client, number) || (number % 3 == 0 && !client->flush())) return;
    }
}

/// Where peers come from, and are buried.
class nursery {
public:
    struct child {
        pid_t id = -1;
        std::string address{};
    };

    nursery() {
        if (::pipe(orders_) != 0 || ::pipe(answers_) != 0) std::abort();
        id_ = ::fork();
        if (id_ == 0) {
            ::close(orders_[1]);
            work();
            ::_exit(0);
        }
        ::close(orders_[0]);
        ::close(answers_[1]);
    }
    nursery(const nursery&) = delete;
    nursery& operator=(const nursery&) = delete;
    ~nursery() {
        ::close(orders_[1]);
        ::close(answers_[0]);
        (void)::waitpid(id_, nullptr, 0);
    }

    /// "stream ADDRESS": a client that sends numbered messages. "serve": a server that does. "echo": a server that answers.
    child bear(const std::string& kind) const {
        write_line(orders_[1], kind);
        const std::string told = read_line(answers_[0]);
        const std::size_t blank = told.find(' ');
        if (blank == std::string::npos) return {};
        return {.id = std::stoi(told), .address = told.substr(blank + 1)};
    }

    /// Stops it, and waits until all of its threads have stopped.
    static bool stop(const child& which) {
        ::kill(which.id, SIGSTOP);
        return eventually([&] {
            for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(which.id) + "/task")) {
                std::string line;
                std::getline(std::ifstream(thread.path() / "stat"), line);
                if (!line.substr(line.rfind(')')).starts_with(") T")) return false;
            }
            return true;
        });
    }

    /// Ends it as kill(1) -9 does; after that the kernel has cleaned up behind it.
    void kill(const child& which) const {
        ::kill(which.id, SIGKILL);
        write_line(orders_[1], "bury");
        (void)read_line(answers_[0]);
    }

private:
    static void write_line(int pipe, const std::string& text) {
        const std::string line = text + "\n";
        if (::write(pipe, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
    }

    static std::string read_line(int pipe) {
        std::string line;
        char letter = 0;
        while (::read(pipe, &letter, 1) == 1 && letter != '\n') line += letter;
        return line;
    }

    void work() const {
        for (std::string order = read_line(orders_[0]); !order.empty(); order = read_line(orders_[0])) {
            if (order == "bury") {
                (void)::waitpid(-1, nullptr, 0);
                write_line(answers_[1], "done");
            } else if (::fork() == 0) {
                live(order);
                for (;;) ::pause();
            }
        }
    }

    void live(const std::string& order) const {
        const mnet::mtcp::listen_options options{
            .address = "127.0.0.1:0", .shared_memory = sharing::required, .shared_memory_bytes_max = 1 << 20};
        const auto tell = [this](const std::string& address) { write_line(answers_[1], std::to_string(::getpid()) + " " + address); };
        if (order.starts_with("stream ")) {
            tell("-");
            be_a_streaming_client(order.substr(7));
        } else {
            static auto network =
                order == "serve" ? mnet::mtcp::listen(options, stream_from_a_coroutine) : listen_echo(shape::message, options);
            tell(network ? network->address() : std::string("-"));
        }
    }

    int orders_[2]{};
    int answers_[2]{};
    pid_t id_ = -1;
};

std::set<std::string> files_in_shared_memory() {
    std::set<std::string> found;
    std::error_code absent;
    for (const auto& each : std::filesystem::directory_iterator("/dev/shm", absent)) found.insert(each.path().string());
    return found;
}

bool is_an_end(std::error_code how) {
    return how == mnet::errc::end_of_stream || how == mnet::errc::truncated || how == std::errc::broken_pipe ||
           how == std::errc::connection_reset;
}

class SharedMemoryPeers : public testing::Test {
protected:
    SharedMemoryPeers() { ::unsetenv("MNET_SHARED_MEMORY"); }
    ~SharedMemoryPeers() override { ::setenv("MNET_SHARED_MEMORY", "off", 1); }

    const bool settled = descriptors_of_earlier_tests_are_closed();
    const nursery peers;
    support::random_source random;
    const std::size_t descriptors = open_descriptors();
    const std::set<std::string> files = files_in_shared_memory();

    void expect_nothing_left() const {
        EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors; })) << open_descriptors() << ", before: " << descriptors;
        EXPECT_EQ(files_in_shared_memory(), files);
    }
};

constexpr int kills = 100;

TEST_F(SharedMemoryPeers, ThatAreServersMayBeKilledAtAnyMoment) {
    for (int round = 0; round < kills; ++round) {
        const auto server = peers.bear("serve");
        auto client = connect_to(server.address, {.shared_memory = sharing::required});
        const std::uint64_t until = random.magnitude_below(400);
        std::uint64_t number = 0;
        std::error_code how;
        while (!how) {
            if (number == until) ::kill(server.id, SIGKILL);
            const auto message = client.read({.deadline = mnet::within(patience)});
            how = error_of(message);
            if (message) {
                ASSERT_TRUE(is_numbered(message->bytes(), number++)) << "round " << round << ", message " << number;
            }
        }
        peers.kill(server);
        ASSERT_TRUE(is_an_end(how)) << "round " << round << ": " << how.message() << " after " << number << " of " << until;
        ASSERT_GE(number, until);
        EXPECT_FALSE(client.read().has_value()) << "for good";
        EXPECT_FALSE(client.send("anybody there?").has_value() && client.flush().has_value());
    }
    expect_nothing_left();
}

/// Reads numbered messages to their end.
struct taken_notes {
    std::atomic<std::uint64_t> count = 0;
    std::atomic<bool> whole = true;
    endings ends{};

    void take(std::span<const std::byte> message, std::uint64_t number) {
        if (!is_numbered(message, number)) whole = false;
        ++count;
    }

    mnet::task<mnet::result<>> read_on_a_loop(mnet::client& client) {
        for (std::uint64_t number = 0;; ++number) {
            auto message = co_await client.async_read();
            if (!message) {
                ends.put(message.error());
                co_return mnet::failure(message.error());
            }
            take(message->bytes(), number);
        }
    }

    mnet::result<> read_on_a_thread(mnet::client& client) {
        for (std::uint64_t number = 0;; ++number) {
            auto message = client.read();
            if (!message) {
                ends.put(message.error());
                return mnet::failure(message.error());
            }
            take(message->bytes(), number);
        }
    }
};

TEST_F(SharedMemoryPeers, ThatAreClientsMayBeKilledAtAnyMoment) {
    taken_notes reading;
    const mnet::mtcp::listen_options options{.address = "127.0.0.1:0", .shared_memory_clients_max = 2, .shared_memory_bytes_max = 1 << 20};
    {
        auto on_a_loop = serve([&](mnet::client& client) { return reading.read_on_a_loop(client); }, options);
        auto on_a_thread = serve([&](mnet::client& client) { return reading.read_on_a_thread(client); }, options);
        for (int round = 0; round < kills; ++round) {
            auto& network = round % 2 == 0 ? on_a_loop : on_a_thread;
            ASSERT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
            reading.count = 0;
            const std::uint64_t until = random.magnitude_below(400);
            const auto client = peers.bear("stream " + network.address());
            ASSERT_TRUE(eventually([&] { return reading.count >= until && network.statistics().clients_accepted > 0; }));
            peers.kill(client);
            if (until == 0 && !eventually([&] { return network.statistics().clients == 0; })) break;  // it may not have come at all
            if (until == 0) {
                while (reading.ends.size() > 0) EXPECT_TRUE(is_an_end(*reading.ends.take()));
                continue;
            }
            const auto how = reading.ends.take();
            ASSERT_TRUE(how.has_value()) << "round " << round;
            ASSERT_TRUE(is_an_end(*how)) << "round " << round << ": " << how->message();
            ASSERT_TRUE(reading.whole) << "round " << round;
        }
        EXPECT_TRUE(eventually([&] { return on_a_loop.statistics().clients + on_a_thread.statistics().clients == 0; }));
    }
    expect_nothing_left();
}

TEST_F(SharedMemoryPeers, ThatAreStoppedAreSlowPeersAndGoOnWhereTheyWere) {
    constexpr std::size_t bound = 1 << 20;
    constexpr std::size_t size = 1000;
    const auto server = peers.bear("echo");
    auto client = connect_to(server.address, {.unsent_bytes_max = bound, .shared_memory = sharing::required});
    expect_echo(client, "hello");
    ASSERT_TRUE(nursery::stop(server));
    unsigned sent = 0;
    std::error_code how;
    while (!how && sent < 100'000) {
        how = error_of(client.send(pattern(size, sent)));
        if (!how) ++sent;
    }
    EXPECT_EQ(how, mnet::errc::would_block) << "after " << sent;
    EXPECT_LE(client.unsent_bytes(), bound + size + 4);
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(50ms)})), std::errc::timed_out);
    EXPECT_EQ(error_of(client.flush({.deadline = mnet::within(50ms)})), std::errc::timed_out);
    EXPECT_TRUE(client.live()) << client.explain();
    ::kill(server.id, SIGCONT);
    for (unsigned number = 0; number < sent; ++number) {
        const auto answer = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(answer.has_value()) << number << ": " << answer.error().message();
        ASSERT_TRUE(same(answer->bytes(), pattern(size, number))) << number;
    }
    peers.kill(server);
}

TEST_F(SharedMemoryPeers, ThatReadLateLetACoroutineGoOnThatFlushesMoreThanTheMemoryHolds) {
    auto network = serve(stream_from_a_coroutine, {.address = "127.0.0.1:0", .shared_memory_bytes_max = 1 << 20});
    auto client = connect_to(network.address(), {.shared_memory = sharing::required});
    for (std::uint64_t number = 0; number < 200; ++number) {
        const auto message = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(message.has_value()) << number << ": " << message.error().message();
        ASSERT_TRUE(is_numbered(message->bytes(), number));
    }
}

TEST_F(SharedMemoryPeers, ThatReadLateLetAHandlerGoOnThatWasPaused) {
    auto opened = listen_echo(shape::message, {.address = "127.0.0.1:0", .unsent_bytes_max = 64 << 10, .shared_memory_bytes_max = 0});
    ASSERT_TRUE(opened.has_value());
    auto client = connect_to(opened->address(), {.unsent_bytes_max = 64 << 10, .shared_memory = sharing::required});
    unsigned answered = 0;
    const auto read_one = [&] {
        const auto answer = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(answer.has_value()) << answered << ": " << answer.error().message() << "; " << client.explain();
        ASSERT_TRUE(same(answer->bytes(), pattern(100 << 10, answered))) << answered;
        ++answered;
    };
    constexpr unsigned count = 300;
    for (unsigned number = 0; number < count; ++number) {
        const bytes sent = pattern(100 << 10, number);
        while (!client.send(sent) && !HasFatalFailure()) read_one();
    }
    while (answered < count && !HasFatalFailure()) read_one();
}

TEST_F(SharedMemoryPeers, AreFoundAgainAfterAReconnect) {
    auto server = peers.bear("echo");
    auto client = connect_to(server.address);
    for (int round = 0; round < 3; ++round) {
        peers.kill(server);
        EXPECT_TRUE(is_an_end(error_of(client.read({.deadline = mnet::within(patience)}))));
        server = peers.bear("echo");
        ASSERT_TRUE(client.reconnect(server.address).has_value());
        EXPECT_EQ(client.transport(), "shared_memory");
        expect_echo(client, "hello");
    }
    peers.kill(server);
}

TEST_F(SharedMemoryPeers, ThatAreStoppedCostACloseItsDeadlineAndAConnectItsPatience) {
    const auto server = peers.bear("echo");
    auto client = connect_to(server.address, {.unsent_bytes_max = 1 << 20, .shared_memory = sharing::required});
    expect_echo(client, "hello");
    ASSERT_TRUE(nursery::stop(server));
    const bytes unread = pattern(1000);
    while (client.send(unread)) {  // more than the memory takes
    }
    const auto left = client.close({.deadline = mnet::within(100ms)});
    EXPECT_GT(left.bytes_unsent, 0U);
    EXPECT_FALSE(left.complete());
    auto other = connect_to(server.address);
    EXPECT_EQ(other.transport(), "tcp");
    EXPECT_NE(other.explain().find("does not answer"), std::string::npos) << other.explain();
    ::kill(server.id, SIGCONT);
    expect_echo(other, "late, but here");
    peers.kill(server);
}

}  // namespace
}  // namespace mtcp_test
