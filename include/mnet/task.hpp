// A coroutine that gives a T to whoever awaits it: the type of a coroutine handler, and of the parts it is made of.
//
// Lazy: it runs when it is awaited (or given to a loop or a network), on the thread of whoever does. A task that is destroyed before its
// end destroys its coroutine, and with it all that the coroutine awaits. Exceptions pass to the awaiter.
//
// Don'ts: g++ 12 destroys some temporaries of a `co_await` expression twice (docs/adr/0003). So name options before the co_await, and
// let lambda coroutines capture nothing: hand values over as parameters. Cost: a frame is one allocation; awaiting a ready `async_read`
// costs none.
#pragma once
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>
#include <variant>

namespace mnet::inline v1 {

template <typename T = void>
class task;

namespace detail {

/// Called at the end of a task that nobody awaits, from inside its last resumption. The frame must outlive the call.
struct task_finish {
    void (*function)(void* owner) noexcept = nullptr;
    void* owner = nullptr;
};

class task_promise_base {
public:
    std::suspend_always initial_suspend() const noexcept { return {}; }

    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        template <typename Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) const noexcept {
            const task_finish then = finished.promise().then_;
            if (then.function != nullptr) {
                then.function(then.owner);
            } else if (then.owner != nullptr) {
                return std::coroutine_handle<>::from_address(then.owner);
            }
            return std::noop_coroutine();
        }
        void await_resume() const noexcept {}
    };
    final_awaiter final_suspend() const noexcept { return {}; }

    void await_by(std::coroutine_handle<> awaiting) noexcept { then_ = {.owner = awaiting.address()}; }
    void finish_with(task_finish finish) noexcept { then_ = finish; }

private:
    task_finish then_{};  // without a function: who awaits
};

template <typename T>
class task_promise final : public task_promise_base {
public:
    task<T> get_return_object() noexcept;

    template <typename U = T>  // so that `co_return {};` works
        requires std::is_constructible_v<T, U&&>
    void return_value(U&& value) {
        outcome_.template emplace<T>(std::forward<U>(value));
    }
    void unhandled_exception() noexcept { outcome_.template emplace<std::exception_ptr>(std::current_exception()); }

    T take() {
        if (const auto* const thrown = std::get_if<std::exception_ptr>(&outcome_)) std::rethrow_exception(*thrown);
        return std::move(*std::get_if<T>(&outcome_));
    }

private:
    std::variant<std::monostate, T, std::exception_ptr> outcome_{};
};

template <>
class task_promise<void> final : public task_promise_base {
public:
    task<void> get_return_object() noexcept;
    void return_void() const noexcept {}
    void unhandled_exception() noexcept { thrown_ = std::current_exception(); }
    void take() const {
        if (thrown_) std::rethrow_exception(thrown_);
    }

private:
    std::exception_ptr thrown_{};
};

}  // namespace detail

template <typename T>
class [[nodiscard]] task {
public:
    using promise_type = detail::task_promise<T>;

    task() noexcept = default;
    task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    task& operator=(task&& other) noexcept {
        if (this != &other) {
            reset();
            handle_ = std::exchange(other.handle_, {});
        }
        return *this;
    }
    ~task() { reset(); }

    explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

    /// Runs the task and gives its value: `co_await part()`.
    auto operator co_await() && noexcept {
        class awaiter {
        public:
            explicit awaiter(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}
            bool await_ready() const noexcept { return false; }
            std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) const noexcept {
                handle_.promise().await_by(awaiting);
                return handle_;
            }
            T await_resume() const { return handle_.promise().take(); }

        private:
            std::coroutine_handle<promise_type> handle_;
        };
        return awaiter(handle_);
    }

    /// For loops that run a task nobody awaits: starts it, and calls `finish` at its end (perhaps before `start` returns).
    void start(detail::task_finish finish) {
        handle_.promise().finish_with(finish);
        handle_.resume();
    }

    bool done() const noexcept { return handle_ && handle_.done(); }

    /// The value of a task that is done; throws what it threw. Once.
    T take() { return handle_.promise().take(); }

    void reset() noexcept {
        if (handle_) std::exchange(handle_, {}).destroy();
    }

private:
    friend promise_type;
    explicit task(std::coroutine_handle<promise_type> handle) noexcept : handle_(handle) {}

    std::coroutine_handle<promise_type> handle_{};
};

namespace detail {

template <typename T>
task<T> task_promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}

inline task<void> task_promise<void>::get_return_object() noexcept {
    return task<void>(std::coroutine_handle<task_promise>::from_promise(*this));
}

}  // namespace detail

}  // namespace mnet::inline v1
