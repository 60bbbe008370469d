// Shows whether a compiler destroys temporaries of a co_await expression twice (docs/adr/0003): g++ 12 does it to aggregates with members
// that have a destructor, and to lambdas with captures that have one. A program of its own, without the library: prints a line for each
// form, and exits 0 whatever it finds.
#include <coroutine>
#include <cstdio>
#include <utility>

namespace {

/// Knows how many of it are alive: below zero, one was destroyed twice.
struct counted {
    static inline int alive = 0;
    counted() noexcept { ++alive; }
    counted(const counted&) noexcept { ++alive; }
    counted(counted&&) noexcept { ++alive; }
    counted& operator=(const counted&) = default;
    counted& operator=(counted&&) = default;
    ~counted() { --alive; }
};

struct aggregate {
    counted name{};
    int number = 0;
};

/// The same with a constructor: no aggregate.
struct constructed {
    explicit constructed(int value) noexcept : number(value) {}
    counted name{};
    int number;
};

/// What mnet's own options are.
struct trivial {
    int number = 0;
};

struct task {
    struct promise_type {
        std::coroutine_handle<> awaiting{};
        task get_return_object() noexcept { return task(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_always initial_suspend() const noexcept { return {}; }
        auto final_suspend() const noexcept {
            struct awaiter {
                bool await_ready() const noexcept { return false; }
                std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> finished) const noexcept {
                    const auto next = finished.promise().awaiting;
                    return next ? next : std::noop_coroutine();
                }
                void await_resume() const noexcept {}
            };
            return awaiter{};
        }
        void return_void() const noexcept {}
        void unhandled_exception() const noexcept {}
    };

    explicit task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    task& operator=(task&&) = delete;
    ~task() {
        if (handle_) handle_.destroy();
    }

    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
        handle_.promise().awaiting = awaiting;
        return handle_;
    }
    void await_resume() const noexcept {}

    void run() const { handle_.resume(); }

    std::coroutine_handle<promise_type> handle_;
};

/// Not a coroutine itself: only looks at what it is given.
template <typename Options>
task take(const Options&) {
    return []() -> task { co_return; }();
}

task pass_aggregate() { co_await take(aggregate{.number = 1}); }

task pass_constructed() { co_await take(constructed(1)); }

task pass_trivial() { co_await take(trivial{.number = 1}); }

task pass_lambda() {
    const counted captured{};
    co_await take([captured] { (void)captured; });
}

task pass_named() {
    const aggregate named{.number = 1};
    co_await take(named);
}

void report(const char* form, task (*coroutine)()) {
    counted::alive = 0;
    coroutine().run();
    const char* const found = counted::alive < 0 ? "DESTROYED TWICE" : counted::alive > 0 ? "never destroyed" : "destroyed once";
    std::printf("%-44s %s\n", form, found);
}

}  // namespace

int main() {
    report("aggregate with a destructor in it:", pass_aggregate);
    report("class with a constructor:", pass_constructed);
    report("lambda that captures by value:", pass_lambda);
    report("aggregate that is trivially destructible:", pass_trivial);
    report("aggregate that was named before:", pass_named);
}
