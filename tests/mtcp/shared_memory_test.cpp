// Clients of the same host move to shared memory by themselves, or say why they don't; and what goes through it arrives.
//
// What it shares with every other transport is tested with them; how peers die, stop and lie: shared_memory_peers_test.cpp.
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/random.hpp"

namespace mtcp_test {
namespace {

using namespace std::chrono_literals;
using mnet::mtcp::sharing;

constexpr std::size_t kibibyte = 1024;
constexpr std::size_t mebibyte = 1024 * kibibyte;

/// The environment may say that nothing is shared, which is what these tests are about.
class SharedMemory : public testing::Test {
protected:
    SharedMemory() { ::unsetenv("MNET_SHARED_MEMORY"); }
    ~SharedMemory() override {
        if (before_) ::setenv("MNET_SHARED_MEMORY", before_->c_str(), 1);
    }

    static std::optional<std::string> value() {
        const char* const text = std::getenv("MNET_SHARED_MEMORY");
        return text == nullptr ? std::nullopt : std::optional<std::string>(text);
    }

private:
    const std::optional<std::string> before_ = value();
};

mnet::mtcp::network echo_with(mnet::mtcp::listen_options options, shape how = shape::message) {
    if (options.address == mnet::mtcp::listen_options().address) options.address = "127.0.0.1:0";
    auto opened = listen_echo(how, options);
    EXPECT_TRUE(opened.has_value()) << opened.error().message();
    return *std::move(opened);
}

/// Over TCP after all, for that reason.
void expect_fallback(mnet::client& client, std::string_view reason) {
    EXPECT_EQ(client.transport(), "tcp");
    EXPECT_NE(client.explain().find("not in shared memory: "), std::string::npos) << client.explain();
    EXPECT_NE(client.explain().find(reason), std::string::npos) << client.explain();
    expect_echo(client, "hello all the same");
}

std::error_code error_of_connect(const std::string& address, const mnet::mtcp::connect_options& options) {
    return error_of(mnet::mtcp::connect(address, options));
}

// Moving ---------------------------------------------------------------------------------------------------------------------------

TEST_F(SharedMemory, CarriesClientsOfThisHostWithoutBeingAskedFor) {
    for (const char* const address : {"127.0.0.1:0", "[::1]:0", "localhost:0", "0.0.0.0:0"}) {
        auto network = echo_with({.address = address});
        EXPECT_EQ(network.sharing_reason(), "in shared memory, those of the same user");
        std::string where = network.address();
        if (where.starts_with("0.0.0.0")) where.replace(0, 7, "127.0.0.1");
        auto client = connect_to(where);
        EXPECT_EQ(client.transport(), "shared_memory") << address;
        EXPECT_NE(client.explain().find("in shared memory"), std::string::npos) << client.explain();
        EXPECT_EQ(client.remote_address(), where);
        expect_echo(client, "hello");
    }
}

TEST_F(SharedMemory, CarriesClientsOnALoop) {
    auto network = echo_with({});
    auto loop = *mnet::mtcp::loop::make();
    const std::string address = network.address();
    auto talk = [](mnet::mtcp::loop& on, const std::string& where) -> mnet::task<std::string> {
        auto client = co_await mnet::mtcp::async_connect(on, where);
        if (!client || !client->send("hello")) co_return "failed";
        auto answer = co_await client->async_read();
        co_return std::string(client->transport()) + (answer && answer->text() == "hello" ? ": answered" : ": failed");
    };
    EXPECT_EQ(loop.run(talk(loop, address)), "shared_memory: answered");
}

TEST_F(SharedMemory, IsLeftAloneWhereTheServerSaysOff) {
    auto network = echo_with({.shared_memory = sharing::off});
    EXPECT_EQ(network.sharing_reason(), "over the network: shared memory is off");
    auto client = connect_to(network.address());
    expect_fallback(client, "no server of mnet there shares memory");
    EXPECT_EQ(error_of_connect(network.address(), {.shared_memory = sharing::required}), std::errc::connection_refused);
}

TEST_F(SharedMemory, IsLeftAloneWhereTheClientSaysOff) {
    auto network = echo_with({.shared_memory = sharing::required});
    auto client = connect_to(network.address(), {.shared_memory = sharing::off});
    EXPECT_EQ(client.transport(), "tcp");
    EXPECT_EQ(client.explain().find("shared memory"), std::string::npos) << "he knows: " << client.explain();
    auto other = connect_to(network.address(), {.shared_memory = sharing::required});
    EXPECT_EQ(other.transport(), "shared_memory");
}

TEST_F(SharedMemory, IsWhatTheEnvironmentSaysWhereNobodySaysMore) {
    auto network = echo_with({});
    ::setenv("MNET_SHARED_MEMORY", "off", 1);
    EXPECT_EQ(connect_to(network.address()).transport(), "tcp");
    EXPECT_EQ(connect_to(network.address(), {.shared_memory = sharing::required}).transport(), "shared_memory");
    EXPECT_EQ(echo_with({}).sharing_reason(), "over the network: shared memory is off");
    ::setenv("MNET_SHARED_MEMORY", "required", 1);
    EXPECT_EQ(connect_to(network.address()).transport(), "shared_memory");
    ::setenv("MNET_SHARED_MEMORY", "perhaps", 1);
    EXPECT_EQ(error_of_connect(network.address(), {}), std::errc::invalid_argument);
    ::unsetenv("MNET_SHARED_MEMORY");
}

TEST_F(SharedMemory, IsForAsManyClientsAsTheServerSays) {
    auto network = echo_with({.shared_memory_clients_max = 2});
    std::optional<mnet::client> first = connect_to(network.address());
    auto second = connect_to(network.address());
    auto third = connect_to(network.address());
    EXPECT_EQ(first->transport(), "shared_memory");
    EXPECT_EQ(second.transport(), "shared_memory");
    expect_fallback(third, "shared_memory_clients_max");
    EXPECT_EQ(error_of_connect(network.address(), {.shared_memory = sharing::required}), std::errc::connection_refused);
    first.reset();
    EXPECT_TRUE(eventually([&] { return connect_to(network.address()).transport() == "shared_memory"; })) << "its place is free again";
    expect_echo(second, "undisturbed");
}

TEST_F(SharedMemory, LeavesNoDescriptorBehind) {
    ASSERT_TRUE(descriptors_of_earlier_tests_are_closed());
    const std::size_t before = open_descriptors();
    {
        auto network = echo_with({});
        for (int round = 0; round < 100; ++round) {
            auto client = connect_to(network.address(), {.shared_memory = sharing::required});
            expect_echo(client, "hello");
        }
    }
    EXPECT_TRUE(eventually([&] { return open_descriptors() == before; })) << open_descriptors() << ", before: " << before;
}

TEST_F(SharedMemory, OrTcpOrAnErrorComesOfAConnectHoweverFewDescriptorsAreLeft) {
    ASSERT_TRUE(descriptors_of_earlier_tests_are_closed());
    auto network = echo_with({});
    {
        auto warm = connect_to(network.address());
    }
    for (std::size_t left = 0; left < 12; ++left) {
        std::vector<mnet::base::unique_fd> spare;
        for (std::size_t count = 0; count < left; ++count) spare.emplace_back(::dup(0));
        std::optional<mnet::result<mnet::client>> outcome;
        {
            const no_descriptors short_of_them;
            spare.clear();
            outcome = mnet::mtcp::connect(network.address(), {.dial_timeout = 3s});
        }
        if (*outcome) {
            expect_echo(**outcome, "hello, with " + std::to_string(left));
        } else {
            EXPECT_TRUE(outcome->error() == std::errc::too_many_files_open || outcome->error() == std::errc::timed_out)
                << left << ": " << outcome->error().message();
        }
    }
}

// Others at its place --------------------------------------------------------------------------------------------------------------

std::string place_of(const std::string& address) { return "unix://@mnet-tcp-" + address; }

/// Another user's process that holds names. Forked before there are threads.
class squatter {
public:
    static constexpr uid_t nobody = 65'534;

    squatter() {
        if (::pipe(names_) != 0 || ::pipe(taken_) != 0) std::abort();
        id_ = ::fork();
        if (id_ != 0) return;
        if (::setuid(nobody) != 0) ::_exit(1);
        ::close(names_[1]);
        std::string name;
        std::vector<raw_listener> held;
        for (char letter = 0; ::read(names_[0], &letter, 1) == 1;) {
            if (letter != '\n') {
                name += letter;
                continue;
            }
            held.emplace_back(name);
            name.clear();
            (void)!::write(taken_[1], &letter, 1);
        }
        ::_exit(0);
    }
    squatter(const squatter&) = delete;
    squatter& operator=(const squatter&) = delete;
    ~squatter() {
        for (const int each : {names_[0], names_[1], taken_[0], taken_[1]}) ::close(each);
        (void)::waitpid(id_, nullptr, 0);
    }

    bool take(const std::string& name) const {
        const std::string line = name + "\n";
        char letter = 0;
        return ::write(names_[1], line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::read(taken_[0], &letter, 1) == 1;
    }

private:
    int names_[2]{};
    int taken_[2]{};
    pid_t id_ = -1;
};

TEST_F(SharedMemory, IsNotSharedWithAnotherUserWhoHoldsTheName) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    const squatter other;
    auto network = echo_with({.shared_memory = sharing::off});
    ASSERT_TRUE(other.take(place_of(network.address())));
    auto client = connect_to(network.address());
    expect_fallback(client, "user 65534 holds its name ");
    EXPECT_EQ(error_of_connect(network.address(), {.shared_memory = sharing::required}), std::errc::permission_denied);
}

TEST_F(SharedMemory, IsDoneWithoutByAServerWhoseNameAnotherUserHolds) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
    const squatter other;
    const std::string address = raw_listener().address();  // free again
    ASSERT_TRUE(other.take(place_of(address)));
    auto network = echo_with({.address = address});
    EXPECT_TRUE(network.sharing_reason().starts_with("over the network: no ")) << network.sharing_reason();
    EXPECT_NE(network.sharing_reason().find("@mnet-tcp-" + address + ": Address already in use"), std::string::npos);
    auto client = connect_to(network.address());
    expect_fallback(client, "user 65534");
}

TEST_F(SharedMemory, IsRequiredByAServerThatThenFailsWithoutItsName) {
    const std::string address = raw_listener().address();
    const raw_listener holder(place_of(address));
    EXPECT_EQ(error_of(listen_echo(shape::message, {.address = address, .shared_memory = sharing::required})), std::errc::address_in_use);
}

TEST_F(SharedMemory, IsDoneWithoutWhereItsPlaceAnswersGarbage) {
    auto network = echo_with({.shared_memory = sharing::off});
    raw_listener place(place_of(network.address()));
    std::thread garbage([&] { place.accept().send(pattern(128)); });
    auto client = connect_to(network.address());
    garbage.join();
    expect_fallback(client, "broke the rules");
}

TEST_F(SharedMemory, IsDoneWithoutWhereItsPlaceHangsUp) {
    auto network = echo_with({.shared_memory = sharing::off});
    raw_listener place(place_of(network.address()));
    std::thread hanging_up([&] { place.accept().close(); });
    auto client = connect_to(network.address());
    hanging_up.join();
    expect_fallback(client, "reset");
}

TEST_F(SharedMemory, IsDoneWithoutWhereItsPlaceNeverAnswers) {
    auto network = echo_with({.shared_memory = sharing::off});
    const raw_listener place(place_of(network.address()));
    auto client = connect_to(network.address());
    expect_fallback(client, "does not answer");
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(error_of_connect(network.address(), {.dial_timeout = 1500ms, .shared_memory = sharing::required}), std::errc::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 1400ms) << "nothing else would do: it is waited for as long as there is time";
}

// Messages -------------------------------------------------------------------------------------------------------------------------

class SharedMemoryMessages : public SharedMemory, public testing::WithParamInterface<shape> {
protected:
    mnet::mtcp::network network = echo_with({.message_bytes_max = 64 * mebibyte, .unsent_bytes_max = 128 * mebibyte}, GetParam());
    mnet::client client = connect_to(
        network.address(), {.message_bytes_max = 64 * mebibyte, .unsent_bytes_max = 128 * mebibyte, .shared_memory = sharing::required});

    void expect_answer(const bytes& sent) {
        const auto answer = client.read({.deadline = mnet::within(patience)});
        ASSERT_TRUE(answer.has_value()) << sent.size() << " bytes: " << answer.error().message() << "; " << client.explain();
        ASSERT_EQ(answer->size(), sent.size());
        ASSERT_TRUE(same(answer->bytes(), sent)) << sent.size() << " bytes";
    }
};
FOR_EVERY_SHAPE(SharedMemoryMessages);

TEST_P(SharedMemoryMessages, ArriveWholeAtEverySize) {
    unsigned salt = 0;
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, 100 * kibibyte, 16 * kibibyte - 5, 16 * kibibyte - 4, 16 * kibibyte,
                                   256 * kibibyte - 4, 256 * kibibyte, mebibyte, 20 * mebibyte, 32 * mebibyte - 4, 32 * mebibyte - 3,
                                   33 * mebibyte, 48 * mebibyte, std::size_t{0}, 48 * mebibyte, std::size_t{7}}) {
        const bytes sent = pattern(size, ++salt);
        ASSERT_TRUE(client.send(sent).has_value()) << size;
        expect_answer(sent);
        ASSERT_FALSE(HasFatalFailure());
    }
}

TEST_P(SharedMemoryMessages, ArriveInOrderWhateverTheirSizesTogether) {
    support::random_source random;
    for (int round = 0; round < 60; ++round) {
        std::vector<bytes> sent;
        const std::uint64_t count = random.between(1, 100);
        for (std::uint64_t index = 0; index < count; ++index) {
            const std::size_t most = random.one_in(20) ? 4 * mebibyte : 40 * kibibyte;
            sent.push_back(pattern(random.magnitude_below(most), static_cast<unsigned>(index)));
            ASSERT_TRUE(client.send(sent.back()).has_value());
            if (random.one_in(5)) {
                ASSERT_TRUE(client.flush({.deadline = mnet::within(patience)}).has_value());
            }
        }
        for (const bytes& each : sent) {
            expect_answer(each);
            ASSERT_FALSE(HasFatalFailure()) << "round " << round;
        }
    }
}

TEST_P(SharedMemoryMessages, AreNotSeenBeforeTheirWriterCommitsWhateverIsFlushedMeanwhile) {
    for (const std::size_t size : {std::size_t{100}, 20 * kibibyte, mebibyte}) {
        const bytes before = pattern(50, 1);
        const bytes sent = pattern(size, 2);
        ASSERT_TRUE(client.send(before).has_value());
        auto writer = client.write(size);
        ASSERT_TRUE(writer.has_value());
        writer->append(std::span(sent).first(size / 2));
        ASSERT_TRUE(client.flush().has_value());
        expect_answer(before);
        EXPECT_EQ(client.try_read().error(), mnet::errc::no_data_yet);
        writer->append(std::span(sent).subspan(size / 2));
        ASSERT_TRUE(writer->commit().has_value());
        expect_answer(sent);
        ASSERT_FALSE(HasFatalFailure()) << size;
    }
}

// Costs ----------------------------------------------------------------------------------------------------------------------------

TEST_P(SharedMemoryMessages, CostNothingWhileThereAreNone) {
    expect_echo(client, "hello");
    ASSERT_TRUE(eventually([&] {  // until whatever was left to do is done, however slowly
        const auto before_of_server = network.statistics().system_calls;
        const auto before = client.system_calls();
        (void)client.read({.deadline = mnet::within(50ms)});
        return network.statistics().system_calls == before_of_server && client.system_calls() - before <= 10;
    }));
    const auto calls_of_server = network.statistics().system_calls;
    const auto calls = client.system_calls();
    const auto switches = voluntary_switches();
    EXPECT_EQ(error_of(client.read({.deadline = mnet::within(300ms)})), std::errc::timed_out);
    EXPECT_LE(client.system_calls() - calls, 10U);
    EXPECT_LE(network.statistics().system_calls - calls_of_server, 10U);
    EXPECT_LE(voluntary_switches() - switches, 20U) << "somebody wakes up for nothing";
}

/// Of all memory shared by this process, resident pages, of each mapping.
std::size_t shared_resident_bytes() {
    std::ifstream maps("/proc/self/smaps");
    std::size_t sum = 0;
    bool ours = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.find(" /memfd:mnet") != std::string::npos) {
            ours = true;
        } else if (line.starts_with("Rss:") && ours) {
            sum += std::stoull(line.substr(4)) * kibibyte;
            ours = false;
        }
    }
    return sum;
}

TEST_P(SharedMemoryMessages, GiveTheirPagesBackSomeTimeAfterTheyWereRead) {
    const bytes sent = pattern(8 * mebibyte);
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(client.send(sent).has_value());
        expect_answer(sent);
    }
    EXPECT_GE(shared_resident_bytes(), 8 * mebibyte);
    EXPECT_TRUE(eventually([&] {
        (void)client.read({.deadline = mnet::within(10ms)});
        return shared_resident_bytes() < 2 * mebibyte;
    })) << shared_resident_bytes();
    ASSERT_TRUE(client.send(sent).has_value());
    expect_answer(sent);
}

}  // namespace
}  // namespace mtcp_test
