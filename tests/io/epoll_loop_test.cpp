// What only a loop on a real kernel does: it is woken from other threads. All else is in the typed suite, engine_*_test.cpp.
#include "io/epoll/epoll_loop.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

namespace io_test {
namespace {

namespace io = mnet::io;

TEST(EpollLoop, IsWokenFromAnotherThread) {
    const auto loop = std::move(io::make_epoll_loop().value());
    int woken = 0;
    loop->on_wake(&woken, [](void* count) noexcept { ++*static_cast<int*>(count); });
    for (int round = 0; round < 100; ++round) {
        const int before = woken;
        const std::jthread other([&] { loop->wake(); });
        while (woken == before) loop->run_once(io::never);
    }
}

TEST(EpollLoop, LosesNoWakeOfManyThreads) {
    const auto loop = std::move(io::make_epoll_loop().value());
    constexpr int threads = 4;
    constexpr int posts_each = 2000;
    // What is posted before a wake is seen by a wake function that runs after it.
    struct mailbox {
        std::atomic<int> posted{0};
        int seen = 0;
    } mailbox;
    loop->on_wake(&mailbox, [](void* owner) noexcept {
        auto& self = *static_cast<struct mailbox*>(owner);
        self.seen = self.posted.load();
    });
    std::vector<std::jthread> others;
    for (int made = 0; made < threads; ++made) {
        others.emplace_back([&] {
            for (int post = 0; post < posts_each; ++post) {
                mailbox.posted.fetch_add(1);
                loop->wake();
            }
        });
    }
    while (mailbox.seen < threads * posts_each) loop->run_once(io::never);
    EXPECT_EQ(mailbox.seen, threads * posts_each);
}

TEST(EpollLoop, AnswersToItsName) { EXPECT_EQ(io::make_epoll_loop().value()->name(), "epoll"); }

}  // namespace
}  // namespace io_test
