// The count behind a `budget`, and what it is charged with.
//
// Thread: an account, any; a charge, its owner's.
#pragma once
#include <mnet/budget.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace mnet::inline v1 {

namespace detail {

class unsent_account {
public:
    explicit unsent_account(std::size_t bytes_max) noexcept : bytes_max_(bytes_max) {}

    /// A level falls by adding what wraps around.
    void add(std::uint64_t bytes) noexcept { bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    std::uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }
    std::size_t bytes_max() const noexcept { return bytes_max_; }
    std::size_t left() const noexcept { return bytes_max_ - static_cast<std::size_t>(std::min<std::uint64_t>(bytes(), bytes_max_)); }

private:
    const std::size_t bytes_max_;
    std::atomic<std::uint64_t> bytes_{0};
};

/// Bytes in an account, as long as it lives.
class charge {
public:
    charge() = default;
    charge(std::shared_ptr<unsent_account> account, std::uint64_t bytes) noexcept : account_(std::move(account)) { set(bytes); }
    charge(const charge&) = delete;
    charge& operator=(const charge&) = delete;
    ~charge() { set(0); }

    void open(const std::shared_ptr<unsent_account>& account) noexcept {
        if (!account_) account_ = account;
    }
    void set(std::uint64_t bytes) noexcept {
        if (account_ && bytes != bytes_) account_->add(bytes - std::exchange(bytes_, bytes));
    }

private:
    std::shared_ptr<unsent_account> account_{};
    std::uint64_t bytes_ = 0;
};

}  // namespace detail

class budget_access {
public:
    /// Of a budget that may be none.
    static std::shared_ptr<detail::unsent_account> account(const budget* of) { return of != nullptr ? of->account_ : nullptr; }
};

}  // namespace mnet::inline v1
