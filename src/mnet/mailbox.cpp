// A queue behind a mutex, with its bytes counted; the bell rings outside of the lock, once until it is answered.
#include "mnet/mailbox.hpp"

#include <utility>

namespace mnet::inline v1::detail {

namespace {

constexpr std::size_t compact_from = 64;  // posts taken before the rest moves to the front

/// An empty message isn't free: what holds it counts too.
std::size_t cost(const posted_message& message) noexcept {
    return message->size() + sizeof(std::vector<std::byte>) + sizeof(posted_message);
}

}  // namespace

mailbox::mailbox(std::uint64_t id, bounds limits, std::shared_ptr<bell> bell) noexcept : id_(id), bounds_(limits), bell_(std::move(bell)) {}

bool mailbox::live() const {
    const std::scoped_lock lock(mutex_);
    return !shut_ && !close_requested_;
}

result<> mailbox::post(posted_message message) {
    std::unique_lock lock(mutex_);
    if (shut_ || close_requested_) return failure(errc::already_closed);
    if (message->size() > bounds_.message_bytes_max) return failure(errc::message_too_large);
    const bool empty = taken_ == posts_.size();
    if (!empty && posted_bytes_ + cost(message) > bounds_.posted_bytes_max) return failure(errc::would_block);
    posted_bytes_ += cost(message);
    posts_.push_back(std::move(message));
    ring_once(std::move(lock));
    return {};
}

void mailbox::request_close() {
    std::unique_lock lock(mutex_);
    if (shut_) return;
    close_requested_ = true;
    ring_once(std::move(lock));
}

void mailbox::ring_once(std::unique_lock<std::mutex> lock) {
    if (std::exchange(rung_, true)) return;
    lock.unlock();
    bell_->ring(shared_from_this());
}

void mailbox::answered() {
    const std::scoped_lock lock(mutex_);
    rung_ = false;
}

posted_message mailbox::take() {
    const std::scoped_lock lock(mutex_);
    if (taken_ == posts_.size()) {
        posts_.clear();
        taken_ = 0;
        return nullptr;
    }
    posted_message first = std::move(posts_[taken_++]);
    if (taken_ >= compact_from && taken_ * 2 >= posts_.size()) {
        posts_.erase(posts_.begin(), posts_.begin() + static_cast<std::ptrdiff_t>(taken_));
        taken_ = 0;
    }
    posted_bytes_ -= cost(first);
    return first;
}

void mailbox::put_back(posted_message message) {
    const std::scoped_lock lock(mutex_);
    posted_bytes_ += cost(message);
    if (taken_ == 0) {
        posts_.insert(posts_.begin(), std::move(message));
    } else {
        posts_[--taken_] = std::move(message);
    }
}

bool mailbox::close_requested() const {
    const std::scoped_lock lock(mutex_);
    return close_requested_;
}

void mailbox::shut() {
    const std::scoped_lock lock(mutex_);
    shut_ = true;
    posts_ = {};
    taken_ = 0;
    posted_bytes_ = 0;
}

}  // namespace mnet::inline v1::detail
