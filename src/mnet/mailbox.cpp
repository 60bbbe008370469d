// A queue behind a mutex, with its bytes counted; the bell rings outside of the lock, once until it is answered.
#include "mnet/mailbox.hpp"

#include "mnet/unsent_account.hpp"

#include <algorithm>
#include <utility>

namespace mnet::inline v1::detail {

namespace {

constexpr std::size_t compact_from = 64;  // posts taken before the rest moves to the front

/// An empty message isn't free: what holds it counts too.
std::size_t cost(const posted_message& message) noexcept {
    return message->size() + sizeof(std::vector<std::byte>) + sizeof(mailbox::post_taken);
}

mailbox::lost operator+(const mailbox::lost& one, const mailbox::lost& other) noexcept {
    return {.messages = one.messages + other.messages, .payload_bytes = one.payload_bytes + other.payload_bytes};
}

}  // namespace

posted_message make_posted_message(std::span<const std::byte> bytes, const std::shared_ptr<unsent_account>& budget) {
    if (!budget) return std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end());
    struct charged {
        charged(std::span<const std::byte> copied, const std::shared_ptr<unsent_account>& account)
            : bytes(copied.begin(), copied.end()), to_budget(account, copied.size()) {}
        std::vector<std::byte> bytes;
        charge to_budget;
    };
    auto made = std::make_shared<charged>(bytes, budget);
    return {made, &made->bytes};
}

mailbox::mailbox(std::uint64_t id, const bounds& limits, std::shared_ptr<bell> bell, at_bound policy) noexcept
    : id_(id), bounds_(limits), bell_(std::move(bell)), policy_(policy) {}

bool mailbox::live() const {
    const std::scoped_lock lock(mutex_);
    return !shut_ && !close_requested_;
}

result<> mailbox::post(posted_message message) {
    std::unique_lock lock(mutex_);
    if (shut_ || close_requested_) return failure(errc::already_closed);
    if (message->size() > bounds_.message_bytes_max) return failure(errc::message_too_large);
    const auto finds_no_room = [&] {
        const std::size_t most = bounds_.budget ? std::min(bounds_.posted_bytes_max, bounds_.budget->left()) : bounds_.posted_bytes_max;
        return taken_ < posts_.size() && posted_bytes_ + cost(message) > most;
    };
    while (finds_no_room()) {
        if (auto met = meet_bound(message->size()); !met) return met;
    }
    const std::size_t bytes = cost(message);
    posts_.push_back({.message = std::move(message), .before = behind_});
    behind_ = {};
    posted_bytes_ += bytes;
    ring_once(std::move(lock));
    return {};
}

/// The oldest post is dropped, or the one that finds no room.
result<> mailbox::meet_bound(std::size_t payload_bytes) {
    if (policy_ == at_bound::drop_oldest) {
        const lost before = posts_[taken_].before;
        const lost dropped{.messages = 1, .payload_bytes = first()->size()};
        lost& next = taken_ < posts_.size() ? posts_[taken_].before : behind_;
        next = next + before + dropped;
        return {};
    }
    if (policy_ == at_bound::drop_newest) {
        behind_ = behind_ + lost{.messages = 1, .payload_bytes = payload_bytes};
        return failure(errc::message_dropped);
    }
    ++refused_;
    return failure(errc::would_block);
}

void mailbox::set_policy(at_bound policy) {
    const std::scoped_lock lock(mutex_);
    policy_ = policy;
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

std::uint32_t mailbox::answered() {
    const std::scoped_lock lock(mutex_);
    rung_ = false;
    return std::exchange(refused_, 0);
}

/// Takes the oldest out, of at least one. Its place stays, for `put_back`.
posted_message mailbox::first() {
    if (taken_ >= compact_from && taken_ * 2 >= posts_.size()) {
        posts_.erase(posts_.begin(), posts_.begin() + static_cast<std::ptrdiff_t>(taken_));
        taken_ = 0;
    }
    posted_message oldest = std::move(posts_[taken_++].message);
    posted_bytes_ -= cost(oldest);
    return oldest;
}

mailbox::post_taken mailbox::take() {
    const std::scoped_lock lock(mutex_);
    if (taken_ == posts_.size()) {
        posts_.clear();
        taken_ = 0;
        return {.message = {}, .before = std::exchange(behind_, {})};
    }
    const lost before = posts_[taken_].before;
    return {.message = first(), .before = before};
}

void mailbox::put_back(posted_message message) {
    const std::scoped_lock lock(mutex_);
    if (shut_) return;
    posted_bytes_ += cost(message);
    posts_[--taken_] = {.message = std::move(message)};
}

bool mailbox::close_requested() const {
    const std::scoped_lock lock(mutex_);
    return close_requested_;
}

bool mailbox::is_shut() const {
    const std::scoped_lock lock(mutex_);
    return shut_;
}

void mailbox::shut() {
    const std::scoped_lock lock(mutex_);
    shut_ = true;
    posts_ = {};
    behind_ = {};
    taken_ = 0;
    posted_bytes_ = 0;
}

}  // namespace mnet::inline v1::detail
