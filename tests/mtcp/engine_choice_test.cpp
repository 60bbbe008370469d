// Which engine a program gets, what happens where the kernel refuses io_uring, and that it is told. The refusals are real: of a seccomp
// filter, in a process of their own.
#include "servers.hpp"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <thread>

namespace mtcp_test {
namespace {

using mnet::mtcp::engine;

/// From now on the system call `number` fails with `error`; where `second` is not negative, only when that is its second argument.
void refuse(unsigned number, int error, int second = -1) {
    const unsigned fail = SECCOMP_RET_ERRNO | static_cast<unsigned>(error);
    const unsigned argument = offsetof(seccomp_data, args) + sizeof(std::uint64_t);
    sock_filter any[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
                         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(second), 0, 1),
                         BPF_STMT(BPF_RET | BPF_K, fail),
                         BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    if (second < 0) any[3] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 0);
    const sock_fprog program{.len = std::size(any), .filter = any};
    const bool done = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    if (!done) std::abort();
}

mnet::result<mnet::mtcp::network> listen_with(engine wanted) {
    return listen_echo(shape::message, {.address = "127.0.0.1:0", .engine = wanted});
}

/// Whether this kernel gives io_uring to this process at all.
bool uring_is_allowed() { return listen_with(engine::uring).has_value(); }

bool echoes(const mnet::mtcp::network& network, engine of_client = engine::epoll) {
    auto client = mnet::mtcp::connect(network.address(), {.engine = of_client});
    return client && client->send("hello") && next_text(*client) == "hello";
}

void expect(bool true_here, const std::string& what) {
    if (true_here) return;
    std::fprintf(stderr, "not so: %s\n", what.c_str());
    std::exit(1);
}

class EngineChoice : public testing::Test {
protected:
    void SetUp() override {
        GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own, with no thread of ours in it
        if (const char* const set = std::getenv("MNET_ENGINE")) asked_ = set;
        ::unsetenv("MNET_ENGINE");
    }
    void TearDown() override {  // the tests that follow in this process are to run as they were asked to
        if (asked_) ::setenv("MNET_ENGINE", asked_->c_str(), 1);
    }

private:
    std::optional<std::string> asked_{};
};

TEST_F(EngineChoice, IsNamedWithItsReason) {
    const auto network = listen_with(engine::epoll);
    ASSERT_TRUE(network.has_value());
    EXPECT_EQ(network->engine(), "epoll");
    EXPECT_EQ(network->engine_reason(), "asked for");
}

TEST_F(EngineChoice, IsIoUringForAServerWhereTheKernelAllowsIt) {
    if (!uring_is_allowed()) GTEST_SKIP() << "no io_uring here";
    const auto network = listen_with(engine::automatic);
    ASSERT_TRUE(network.has_value());
    EXPECT_EQ(network->engine(), "uring");
    EXPECT_TRUE(network->engine_reason().starts_with("the faster one for many clients")) << network->engine_reason();
    EXPECT_TRUE(echoes(*network));
}

TEST_F(EngineChoice, IsEpollForAClientOfItsOwnThread) {
    const auto network = listen_with(engine::automatic);
    const auto client = connect_to(network->address());
    EXPECT_EQ(client.engine(), "epoll");
}

TEST_F(EngineChoice, MixesOnOneConnection) {
    if (!uring_is_allowed()) GTEST_SKIP() << "no io_uring here";
    for (const engine server : {engine::epoll, engine::uring}) {
        for (const engine client : {engine::epoll, engine::uring}) EXPECT_TRUE(echoes(*listen_with(server), client));
    }
    const auto blocking = listen_echo(shape::blocking, {.address = "127.0.0.1:0", .engine = engine::uring});
    EXPECT_TRUE(echoes(*blocking, engine::uring));
}

TEST_F(EngineChoice, LetsAClientOnIoUringChangeHands) {
    if (!uring_is_allowed()) GTEST_SKIP() << "no io_uring here";
    const auto network = listen_with(engine::automatic);
    auto client = connect_to(network->address(), {.engine = engine::uring});
    expect_echo(client, "here");
    std::thread([client = std::move(client)]() mutable { expect_echo(client, "there"); }).join();
}

TEST_F(EngineChoice, IsOverruledByTheEnvironment) {
    EXPECT_EXIT(
        {
            ::setenv("MNET_ENGINE", "epoll", 1);
            const auto network = listen_with(engine::automatic);
            expect(network && network->engine() == "epoll", "MNET_ENGINE=epoll is obeyed");
            expect(network->engine_reason() == "MNET_ENGINE asks for it", "it is told");
            ::setenv("MNET_ENGINE", "kqueue", 1);
            expect(error_of(listen_with(engine::automatic)) == std::errc::invalid_argument, "a name that is none is an error");
            std::exit(0);
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(EngineChoice, FallsBackToEpollAndSaysWhy) {
    for (const int error : {EPERM, ENOSYS, ENOMEM}) {
        EXPECT_EXIT(
            {
                refuse(__NR_io_uring_setup, error);
                const auto network = listen_with(engine::automatic);
                expect(network.has_value(), "epoll serves");
                expect(network->engine() == "epoll", "it is epoll");
                const std::string why = "no io_uring: io_uring_setup: " + std::system_category().message(error);
                expect(network->engine_reason().starts_with(why), "the reason: " + std::string(network->engine_reason()));
                expect(echoes(*network), "an echo");
                std::exit(0);
            },
            testing::ExitedWithCode(0), "");
    }
}

TEST_F(EngineChoice, FailsWhereIoUringWasAskedForAndIsRefused) {
    EXPECT_EXIT(
        {
            refuse(__NR_io_uring_setup, EPERM);
            const std::error_code why = error_of(listen_with(engine::uring));
            expect(why == std::errc::operation_not_permitted, "it is the kernel's error");
            expect(why.message().find("io_uring_setup: Operation not permitted") == 0, "it says what: " + why.message());
            expect(why.message().find("seccomp") != std::string::npos, "and what may be the cause: " + why.message());
            std::exit(0);
        },
        testing::ExitedWithCode(0), "");
}

TEST_F(EngineChoice, DoesWithoutAFeatureThatIsRefused) {
    if (!uring_is_allowed()) GTEST_SKIP() << "no io_uring here";
    EXPECT_EXIT(
        {
            refuse(__NR_io_uring_register, EINVAL, IORING_REGISTER_PBUF_RING);
            const auto network = listen_with(engine::automatic);
            expect(network && network->engine() == "uring", "io_uring all the same");
            const std::string why = "the faster one for many clients; without provided buffers, which this kernel refuses";
            expect(network->engine_reason() == why, "the reason: " + std::string(network->engine_reason()));
            expect(echoes(*network, engine::uring), "an echo");
            auto client = connect_to(network->address());
            const std::string large(200'000, 'x');
            expect(client.send(large) && next_text(client) == large, "a large one");
            std::exit(0);
        },
        testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace mtcp_test
