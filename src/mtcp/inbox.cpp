// Calls and bells behind a mutex; the first one into an empty inbox wakes the loop, the rest find it awake. A bell takes no memory: who rang stands in
// a list of its own.
#include "mtcp/inbox.hpp"

#include "io/loop.hpp"
#include "mtcp/connection.hpp"

#include <new>
#include <thread>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

/// Room ahead, so that a network can be stopped when there is no memory.
inbox::inbox(io::loop& loop) : loop_(&loop) {
    constexpr std::size_t calls_ahead = 4;
    calls_.reserve(calls_ahead);
    spare_.reserve(calls_ahead);
}

void inbox::wake_from(bool empty) noexcept {
    has_calls_.store(true, std::memory_order_relaxed);
    if (empty) loop_->wake();
}

bool inbox::take(call& what) {
    const std::scoped_lock lock(mutex_);
    if (loop_ == nullptr) return false;
    const bool was_empty = is_empty();
    if (calls_.size() == calls_.capacity()) calls_.reserve(2 * calls_.size() + 1);
    calls_.push_back(std::move(what));
    wake_from(was_empty);
    return true;
}

bool inbox::post(call what) { return take(what); }

void inbox::post_patiently(call what) noexcept {
    for (;;) {
        try {
            (void)take(what);
            return;
        } catch (const std::bad_alloc&) {
            std::this_thread::yield();
        }
    }
}

void inbox::nudge() noexcept {
    const std::scoped_lock lock(mutex_);
    if (loop_ != nullptr) loop_->wake();
}

void inbox::ring(std::shared_ptr<mnet::detail::mailbox> box) noexcept {
    const std::scoped_lock lock(mutex_);
    if (loop_ == nullptr || std::exchange(box->at_bell.waits, true)) return;
    const bool was_empty = is_empty();
    mnet::detail::mailbox* const last = box.get();
    (rung_last_ != nullptr ? rung_last_->at_bell.next : rung_first_) = std::move(box);
    rung_last_ = last;
    wake_from(was_empty);
}

/// What is called may run the loop, and so come here again: for what has come since.
void inbox::run() {
    std::vector<call> running = std::move(spare_);
    std::shared_ptr<mnet::detail::mailbox> rung;
    {
        const std::scoped_lock lock(mutex_);
        running.swap(calls_);
        rung = std::exchange(rung_first_, nullptr);
        rung_last_ = nullptr;
        has_calls_.store(false, std::memory_order_relaxed);
    }
    while (const auto box = next_of(rung)) connection::deliver(*box);
    for (call& what : running) what();
    running.clear();
    if (running.capacity() > spare_.capacity()) spare_ = std::move(running);
}

/// Takes the first out of a list, which may ring again from then on.
std::shared_ptr<mnet::detail::mailbox> inbox::next_of(std::shared_ptr<mnet::detail::mailbox>& list) noexcept {
    auto first = std::move(list);
    if (!first) return first;
    const std::scoped_lock lock(mutex_);
    list = std::exchange(first->at_bell.next, nullptr);
    first->at_bell.waits = false;
    return first;
}

void inbox::shut() noexcept {
    std::vector<call> dropped;
    std::shared_ptr<mnet::detail::mailbox> rung;
    {
        const std::scoped_lock lock(mutex_);
        loop_ = nullptr;
        dropped.swap(calls_);
        rung = std::exchange(rung_first_, nullptr);
        rung_last_ = nullptr;
    }
    while (next_of(rung)) {
    }
}

}  // namespace mnet::inline v1::mtcp::detail
