// Ten thousand clients at once, and a storm of ten thousand that connect and reset, after which everything is back where it was.
//
// The clients of the first live in a process of their own: a process may have too few descriptors for both ends.
#include "raw_peer.hpp"
#include "resources.hpp"
#include "servers.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <tuple>
#include <vector>

namespace mtcp_test {
namespace {

constexpr std::size_t crowd_size = 10'000;
constexpr std::size_t crowd_size_of_threads = 2'000;  // a blocking handler's client has three descriptors and a thread
constexpr int rounds = 3;

/// Two pipes between a test and its child process.
class child_process {
public:
    template <typename Work>
    explicit child_process(Work work) {
        if (::pipe(to_child_) != 0 || ::pipe(to_parent_) != 0) std::abort();
        id_ = ::fork();
        if (id_ != 0) {
            ::close(to_child_[0]);
            ::close(to_parent_[1]);
            return;
        }
        ::close(to_child_[1]);
        ::close(to_parent_[0]);
        ::_exit(work(*this));
    }
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process() {
        if (id_ > 0) (void)wait();
    }

    /// A line to the other side. One side is the child, the other the test.
    void tell(const std::string& text) const {
        const std::string line = text + "\n";
        if (::write(id_ == 0 ? to_parent_[1] : to_child_[1], line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
    }

    /// The line that the other side told; empty when it ended.
    std::string listen() const {
        std::string line;
        char letter = 0;
        while (::read(id_ == 0 ? to_child_[0] : to_parent_[0], &letter, 1) == 1 && letter != '\n') line += letter;
        return line;
    }

    int wait() {
        ::close(to_child_[1]);
        ::close(to_parent_[0]);
        int status = 0;
        (void)::waitpid(std::exchange(id_, -1), &status, 0);
        return status;
    }

private:
    int to_child_[2]{};
    int to_parent_[2]{};
    pid_t id_ = -1;
};

using clients = std::vector<std::optional<mnet::client>>;

mnet::task<> dial(mnet::mtcp::loop& loop, const std::string& address, std::optional<mnet::client>& target) {
    const mnet::mtcp::connect_options options{.dial_timeout = patience};
    auto connected = co_await mnet::mtcp::async_connect(loop, address, options);
    if (connected) target.emplace(*std::move(connected));
}

mnet::task<> echo(mnet::client& client, std::size_t index, std::size_t& answered) {
    for (int round = 0; round < rounds; ++round) {
        const std::string text = std::to_string(index) + " in round " + std::to_string(round);
        if (!client.send(text)) co_return;
        auto answer = co_await client.async_read();
        if (!answer || answer->text() != text) co_return;
    }
    ++answered;
}

/// Runs all of the tasks at the same time.
void run_together(mnet::mtcp::loop& loop, std::vector<mnet::task<>>& tasks) {
    std::size_t ended = 0;
    for (auto& each : tasks) each.start({[](void* count) noexcept { ++*static_cast<std::size_t*>(count); }, &ended});
    while (ended < tasks.size()) loop.turn();
    tasks.clear();
}

/// What the child does: connects them all, tells, waits, lets them all talk, tells how many got all answers.
int be_a_crowd(const child_process& test, std::size_t size) {
    (void)raise_descriptor_limit();
    const std::string address = test.listen();
    auto loop = mnet::mtcp::loop::make();
    if (!loop) return 1;
    clients all(size);
    std::vector<mnet::task<>> tasks;
    for (auto& each : all) tasks.push_back(dial(*loop, address, each));
    run_together(*loop, tasks);
    std::size_t connected = 0;
    for (const auto& each : all) connected += each ? 1 : 0;
    test.tell(std::to_string(connected));
    if (test.listen() != "talk") return 2;

    std::size_t answered = 0;
    for (std::size_t index = 0; index < size; ++index) {
        if (all[index]) tasks.push_back(echo(*all[index], index, answered));
    }
    run_together(*loop, tasks);
    test.tell(std::to_string(answered));
    return test.listen() == "leave" ? 0 : 3;
}

class ManyClients : public EveryShape {
protected:
    std::size_t size = GetParam() == shape::blocking ? crowd_size_of_threads : crowd_size;
};
FOR_EVERY_SHAPE(ManyClients);

TEST_P(ManyClients, AreThereAtOnceAndEachGetsItsOwnAnswers) {
    if (raise_descriptor_limit() < crowd_size + 100) GTEST_SKIP() << "the system allows too few descriptors";
    child_process crowd([this](const child_process& test) { return be_a_crowd(test, size); });
    auto opened = listen_echo(GetParam(), {.address = "127.0.0.1:0", .loops = 2});
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    auto& network = *opened;

    crowd.tell(network.address());
    EXPECT_EQ(crowd.listen(), std::to_string(size));
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == size; }));
    crowd.tell("talk");
    EXPECT_EQ(crowd.listen(), std::to_string(size));
    EXPECT_EQ(network.statistics().clients, size);
    EXPECT_TRUE(eventually([&] { return network.statistics().messages_received == size * rounds; }));
    crowd.tell("leave");
    EXPECT_EQ(crowd.wait(), 0);
    EXPECT_TRUE(eventually([&] { return network.statistics().clients == 0; }));
    EXPECT_EQ(network.statistics().clients_accepted, size);
    EXPECT_EQ(network.statistics().clients_refused, 0U);
}

/// On an engine, with a handler on the loop: what a client costs that has had its answers and is idle.
class IdleClients : public testing::TestWithParam<std::tuple<mnet::mtcp::engine, shape>> {};
INSTANTIATE_TEST_SUITE_P(On, IdleClients,
                         testing::Combine(testing::Values(mnet::mtcp::engine::epoll, mnet::mtcp::engine::uring),
                                          testing::Values(shape::message, shape::coroutine)),
                         [](const auto& what) {
                             const bool epoll = std::get<0>(what.param) == mnet::mtcp::engine::epoll;
                             return (epoll ? "Epoll_" : "Uring_") + name_of(std::get<1>(what.param));
                         });

TEST_P(IdleClients, CostLessThanAKibibyteEach) {
    constexpr std::size_t client_bytes_max = 1024;
    const auto [engine, how] = GetParam();
    if (!memory_is_measurable) GTEST_SKIP() << "the sanitizer has its own way with memory";
    if (raise_descriptor_limit() < crowd_size + 100) GTEST_SKIP() << "the system allows too few descriptors";
    child_process crowd([](const child_process& test) { return be_a_crowd(test, crowd_size); });
    auto opened = listen_echo(how, {.address = "127.0.0.1:0", .engine = engine, .shared_memory = mnet::mtcp::sharing::off});
    if (!opened && engine == mnet::mtcp::engine::uring) GTEST_SKIP() << opened.error().message();
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    {
        auto first = connect_to(opened->address());  // the loop's own memory is there from now on
        expect_echo(first, "hello");
    }
    const std::size_t before = resident_bytes();
    crowd.tell(opened->address());
    ASSERT_EQ(crowd.listen(), std::to_string(crowd_size));
    crowd.tell("talk");
    ASSERT_EQ(crowd.listen(), std::to_string(crowd_size));
    // The last answers are there before the turn that gave them has ended.
    EXPECT_TRUE(eventually([&] { return opened->statistics().memory_in_use_bytes == 0; }));
    const std::size_t each = (resident_bytes() - before) / crowd_size;
    RecordProperty("bytes_per_client", std::to_string(each));
    EXPECT_LT(each, client_bytes_max);
    crowd.tell("leave");
    EXPECT_EQ(crowd.wait(), 0);
}

class Storm : public EveryShape {
protected:
    /// Connects, says nothing, half a frame, a whole frame or nonsense, and resets.
    void blow(std::size_t count) {
        for (std::size_t index = 0; index < count; ++index) {
            raw_peer peer(network.address());
            switch (index % 4) {
                case 0:
                    break;
                case 1:
                    peer.send("00000010 0102");
                    break;
                case 2:
                    peer.send(frame("hello"));
                    break;
                default:
                    peer.send("ffffffff");
                    break;
            }
            peer.reset();
        }
        // They are accepted in the order of their coming: when the next one is served, they all were.
        auto last = connect_to(network.address());
        expect_echo(last, "is it over?");
        (void)last.close();
        EXPECT_TRUE(eventually([this] { return network.statistics().clients == 0; }));
    }

    mnet::mtcp::network network = echo_server(GetParam());
};
FOR_EVERY_SHAPE(Storm);

TEST_P(Storm, LeavesNoDescriptorAndNoMemoryBehind) {
    const std::size_t descriptors = open_descriptors();
    blow(1000);
    const std::size_t resident = resident_bytes();
    blow(10'000);
    EXPECT_TRUE(eventually([&] { return open_descriptors() <= descriptors; })) << open_descriptors() << ", before: " << descriptors;
    EXPECT_TRUE(eventually([&] { return network.statistics().clients_accepted == 11'002; }));
    if (!memory_is_measurable) return;
    constexpr std::size_t noise_of_the_allocator = std::size_t{4} << 20;  // 400 bytes a client
    EXPECT_LE(resident_bytes(), resident + noise_of_the_allocator);
}

}  // namespace
}  // namespace mtcp_test
