// Values from one thread to another, in order: how a test learns what a handler saw.
#pragma once
#include <mnet/operation.hpp>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace mtcp_test {

/// After so long a test has failed.
inline constexpr std::chrono::seconds patience{60};
inline constexpr mnet::operation soon_enough{.deadline = mnet::within(patience)};

template <typename Value>
class channel {
public:
    void put(Value value) {
        const std::scoped_lock lock(mutex_);
        values_.push_back(std::move(value));
        changed_.notify_one();
    }

    /// Waits for the next value; nothing when none came.
    std::optional<Value> take() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, patience, [this] { return !values_.empty(); })) return std::nullopt;
        Value first = std::move(values_.front());
        values_.pop_front();
        return first;
    }

    std::size_t size() const {
        const std::scoped_lock lock(mutex_);
        return values_.size();
    }

private:
    mutable std::mutex mutex_{};
    std::condition_variable changed_{};
    std::deque<Value> values_{};
};

/// For what can only be looked at: asks until the answer is yes. False when it never was.
inline bool eventually(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + patience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > give_up) return false;
        std::this_thread::yield();
    }
    return true;
}

}  // namespace mtcp_test
