// Calls behind a mutex; the first one into an empty inbox wakes the loop, the rest find it awake.
#include "mtcp/inbox.hpp"

#include "io/loop.hpp"
#include "mtcp/connection.hpp"

#include <utility>

namespace mnet::inline v1::mtcp::detail {

/// Room ahead, so that a network can be stopped when there is no memory.
inbox::inbox(io::loop& loop) : loop_(&loop) {
    constexpr std::size_t calls_ahead = 4;
    calls_.reserve(calls_ahead);
    running_.reserve(calls_ahead);
}

bool inbox::post(call what) {
    const std::scoped_lock lock(mutex_);
    if (loop_ == nullptr) return false;
    calls_.push_back(std::move(what));
    has_calls_.store(true, std::memory_order_relaxed);
    if (calls_.size() == 1) loop_->wake();
    return true;
}

void inbox::nudge() noexcept {
    const std::scoped_lock lock(mutex_);
    if (loop_ != nullptr) loop_->wake();
}

void inbox::ring(std::shared_ptr<mnet::detail::mailbox> box) {
    (void)post([box = std::move(box)] { connection::deliver(*box); });
}

void inbox::run() {
    {
        const std::scoped_lock lock(mutex_);
        running_.swap(calls_);
        has_calls_.store(false, std::memory_order_relaxed);
    }
    for (call& what : running_) what();
    running_.clear();
}

void inbox::shut() noexcept {
    std::vector<call> dropped;
    const std::scoped_lock lock(mutex_);
    loop_ = nullptr;
    dropped.swap(calls_);
}

}  // namespace mnet::inline v1::mtcp::detail
