// Runners live until their stream's last answer, which may come after the race: the worker counts them.
#include "mtcp/race.hpp"

#include "base/assert.hpp"
#include "mtcp/worker.hpp"

#include <algorithm>
#include <new>
#include <span>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

class race::runner final : public io::stream {
public:
    runner(race& of, worker& where) noexcept : of_(of), where_(where) { where_.runner_came(); }
    runner(const runner&) = delete;
    runner& operator=(const runner&) = delete;
    ~runner() { where_.runner_went(); }

    /// `closed` follows, and ends it.
    void withdraw() noexcept { where_.loop().close(*this); }

private:
    void connected(result<> outcome) noexcept override { of_.arrived(*this, outcome); }  // never after `withdraw`
    std::span<std::byte> lend() noexcept override { return {}; }
    void received(result<std::size_t>) noexcept override { MNET_ASSERT(false, "a runner asks for no bytes"); }
    void sent(result<std::size_t>) noexcept override { MNET_ASSERT(false, "a runner sends no bytes"); }
    void closed() noexcept override { delete this; }

    race& of_;
    worker& where_;
};

endpoints interleaved(const endpoints& all) {
    if (all.empty()) return {};
    endpoints preferred;
    endpoints other;
    for (const io::endpoint& each : all) (each.family() == all.front().family() ? preferred : other).push_back(each);
    endpoints merged;
    for (std::size_t index = 0; index < std::max(preferred.size(), other.size()); ++index) {
        if (index < preferred.size()) merged.push_back(preferred[index]);
        if (index < other.size()) merged.push_back(other[index]);
    }
    return merged;
}

race::race(worker& where, endpoints all, const operation& op) noexcept
    : where_(where),
      all_(std::move(all)),
      op_(op),
      failure_(std::make_error_code(std::errc::host_unreachable)),
      timer_(this, [](void* self) noexcept { (void)static_cast<race*>(self)->start_next(); }) {}

race::~race() {
    wait_.abandon();
    withdraw_all();
    if (won_ >= 0) where_.loop().discard(won_);
}

bool race::await_suspend(std::coroutine_handle<> handle) noexcept {
    if (!wait_.begin(where_, handle, op_)) {
        failure_ = wait_.outcome();
        return false;
    }
    if (start_next()) return true;
    wait_.abandon();
    return false;
}

result<int> race::await_resume() noexcept {
    withdraw_all();
    if (won_ >= 0) return std::exchange(won_, -1);
    return failure(wait_.outcome() ? wait_.outcome() : failure_);
}

/// False when there is none, or no memory for it.
bool race::start_next() noexcept {
    if (next_ == all_.size()) return false;
    try {
        running_.reserve(all_.size());
    } catch (const std::bad_alloc&) {
        failure_ = std::make_error_code(std::errc::not_enough_memory);
        return false;
    }
    auto* const fresh = new (std::nothrow) runner(*this, where_);
    if (fresh == nullptr) {
        failure_ = std::make_error_code(std::errc::not_enough_memory);
        return false;
    }
    running_.push_back(fresh);
    if (next_ + 1 < all_.size()) where_.loop().set(timer_, where_.loop().now() + attempt_delay);
    where_.loop().connect(*fresh, all_[next_++]);
    return true;
}

void race::arrived(runner& one, result<> outcome) noexcept {
    std::erase(running_, &one);
    if (outcome) won_ = where_.loop().release(one);
    delete &one;
    if (!outcome) {
        failure_ = outcome.error();
        if (start_next() || !running_.empty()) return;
    }
    wait_.finish(where_, {});
}

void race::withdraw_all() noexcept {
    where_.loop().cancel(timer_);
    while (!running_.empty()) {
        running_.back()->withdraw();
        running_.pop_back();
    }
}

bool race::runs(const io::stream& stream) noexcept { return dynamic_cast<const runner*>(&stream) != nullptr; }

}  // namespace mnet::inline v1::mtcp::detail
