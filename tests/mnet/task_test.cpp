// Tasks: values, exceptions, laziness, nesting without using up the stack, and being destroyed before their end.
#include <mnet/error.hpp>
#include <mnet/task.hpp>

#include <gtest/gtest.h>

#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using mnet::task;

/// Runs a task that never waits for anything outside.
template <typename T>
T run(task<T> work) {
    bool finished = false;
    work.start({[](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &finished});
    EXPECT_TRUE(finished);
    EXPECT_TRUE(work.done());
    return work.take();
}

/// Something to wait for, and to go on by hand.
struct gate {
    std::coroutine_handle<> waiting{};

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) noexcept { waiting = handle; }
    void await_resume() const noexcept {}
    void open() { std::exchange(waiting, {}).resume(); }
};

struct presence {
    explicit presence(int& count) noexcept : alive(count) { ++alive; }
    presence(const presence&) = delete;
    presence& operator=(const presence&) = delete;
    ~presence() { --alive; }
    int& alive;
};

task<int> give(int value) { co_return value; }

task<int> add(int left, int right) { co_return co_await give(left) + co_await give(right); }

task<> set(bool& flag) {
    flag = true;
    co_return;
}

task<std::unique_ptr<int>> give_owned() { co_return std::make_unique<int>(7); }

task<mnet::result<>> succeed() { co_return {}; }

task<mnet::result<int>> fail() { co_return mnet::failure(mnet::errc::truncated); }

TEST(Task, GivesItsValue) {
    EXPECT_EQ(run(give(5)), 5);
    EXPECT_EQ(run(add(2, 3)), 5);
}

TEST(Task, GivesNothingWhereThereIsNothingToGive) {
    bool ran = false;
    run(set(ran));
    EXPECT_TRUE(ran);
}

TEST(Task, GivesAValueThatCanOnlyBeMoved) { EXPECT_EQ(*run(give_owned()), 7); }

TEST(Task, GivesResultsByTheirShortForms) {
    EXPECT_TRUE(run(succeed()).has_value());
    EXPECT_EQ(run(fail()).error(), mnet::errc::truncated);
}

TEST(Task, DoesNothingBeforeItIsAwaited) {
    bool ran = false;
    {
        const auto lazy = set(ran);
        EXPECT_TRUE(static_cast<bool>(lazy));
        EXPECT_FALSE(lazy.done());
    }
    EXPECT_FALSE(ran);
}

TEST(Task, IsEmptyByDefaultAndOnceItWasMovedFrom) {
    task<int> none;
    EXPECT_FALSE(static_cast<bool>(none));
    EXPECT_FALSE(none.done());
    auto first = give(1);
    auto second = std::move(first);
    EXPECT_FALSE(static_cast<bool>(first));  // NOLINT(bugprone-use-after-move): that is the question
    EXPECT_EQ(run(std::move(second)), 1);
}

TEST(Task, DestroysTheOneItReplaces) {
    int alive = 0;
    gate never;
    const auto wait = [](gate& closed, int& count) -> task<> {
        const presence here(count);
        co_await closed;
    };
    auto work = wait(never, alive);
    work.start({});
    EXPECT_EQ(alive, 1);
    work = task<>();
    EXPECT_EQ(alive, 0);
}

task<int> fail_with(std::string text) {
    throw std::runtime_error(text);
    co_return 0;
}

task<std::string> catch_what_is_thrown() {
    try {
        (void)co_await fail_with("below");
    } catch (const std::runtime_error& error) {
        co_return error.what();
    }
    co_return "nothing was thrown";
}

TEST(TaskThatThrows, PassesItToWhoeverAwaits) { EXPECT_EQ(run(catch_what_is_thrown()), "below"); }

TEST(TaskThatThrows, PassesItToWhoeverTakesItsValue) { EXPECT_THROW((void)run(fail_with("here")), std::runtime_error); }

task<int> pass_on() { co_return co_await fail_with("through"); }

TEST(TaskThatThrows, PassesItThroughThoseBetween) { EXPECT_THROW((void)run(pass_on()), std::runtime_error); }

task<int> wait_at(gate& closed, int& alive) {
    const presence here(alive);
    co_await closed;
    co_return 1;
}

task<int> wait_below(gate& closed, int& alive, int depth) {
    const presence here(alive);
    if (depth == 0) co_return co_await wait_at(closed, alive);
    co_return co_await wait_below(closed, alive, depth - 1);
}

TEST(TaskThatWaits, GoesOnWhereItWaited) {
    gate closed;
    int alive = 0;
    bool finished = false;
    auto work = wait_below(closed, alive, 3);
    work.start({[](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &finished});
    EXPECT_FALSE(finished);
    EXPECT_EQ(alive, 5);
    closed.open();
    EXPECT_TRUE(finished);
    EXPECT_EQ(work.take(), 1);
    EXPECT_EQ(alive, 0);
}

TEST(TaskThatWaits, DestroysAllThatItAwaitsWhenItIsDestroyed) {
    gate closed;
    int alive = 0;
    {
        auto work = wait_below(closed, alive, 100);
        work.start({});
        EXPECT_EQ(alive, 102);
    }
    EXPECT_EQ(alive, 0);
}

task<int> count_by_awaiting(int times) {
    int sum = 0;
    for (int count = 0; count < times; ++count) sum += co_await give(1);
    co_return sum;
}

task<int> nest(int depth) {
    if (depth == 0) co_return 0;
    co_return 1 + co_await nest(depth - 1);
}

// Symmetric transfer: an awaited task is not called but gone to. Compilers make that a jump only when they optimise, and sanitizers keep
// every call; then the depth is what a stack holds.
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
constexpr int deep = 100'000;
#else
constexpr int deep = 2'000;
#endif

TEST(NestedTasks, DontUseUpTheStack) { EXPECT_EQ(run(nest(deep)), deep); }

TEST(NestedTasks, MayBeAwaitedOneAfterTheOtherForEver) { EXPECT_EQ(run(count_by_awaiting(deep)), deep); }

}  // namespace
