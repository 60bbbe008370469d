// Those that are silent and those that wait stand in lists; those that have begun are counted.
#include "mtcp/handshakes.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// A client's first bytes follow its connection at once; one in a crowd that were not read yet are no silence.
constexpr std::chrono::milliseconds silent_after{100};

/// How soon it is asked again: there may be a token, or a place free.
constexpr std::chrono::nanoseconds sooner{std::chrono::milliseconds(1)};
constexpr std::chrono::nanoseconds later{std::chrono::milliseconds(5)};

/// So many may begin at once: those of a tenth of a second.
constexpr std::uint64_t bursts_a_second = 10;

/// A silent connection costs a descriptor and a KiB, far less than a handshake: so there may be more of them.
constexpr std::size_t silent_each_handshake = 4;

/// Silent ones leave half of the clients' places to others, but are no fewer than handshakes may be.
std::size_t silent_max_of(const handshakes::bounds& within) noexcept {
    return std::max(within.at_a_time_max, std::min(within.at_a_time_max * silent_each_handshake, within.clients_max / 2));
}

}  // namespace

void newcomer::leave() noexcept {
    if (among_ != nullptr) among_->forget(*this);
}

void newcomer::hand_over_to(newcomer& heir) noexcept {
    MNET_ASSERT(at_ == stage::begun && heir.among_ == nullptr, "a place is handed over by who has one");
    heir.among_ = std::exchange(among_, nullptr);
    heir.at_ = stage::begun;
}

handshakes::handshakes(const bounds& within) noexcept
    : within_(within), silent_max_(silent_max_of(within)), tokens_(within.per_second_max, within.per_second_max / bursts_a_second) {}

std::chrono::nanoseconds handshakes::wait(std::chrono::nanoseconds now) {
    let_begin_who_waits(now);
    if (is_crowded()) cut_a_silent_one(now);
    if (waiting_.empty() && !is_crowded()) return std::chrono::nanoseconds(0);
    return has_place() ? std::clamp(tokens_.wait(now), sooner, later) : later;
}

bool handshakes::has_place() const noexcept { return begun_count_.load(std::memory_order_relaxed) < within_.at_a_time_max; }

bool handshakes::has_room(std::chrono::nanoseconds now) const noexcept {
    return has_place() && tokens_.wait(now) == std::chrono::nanoseconds(0);
}

/// So that silent ones are in the way of the next.
bool handshakes::is_crowded() const noexcept { return silent_count_ >= silent_max_; }

void handshakes::cut_a_silent_one(std::chrono::nanoseconds now) {
    newcomer* const first = silent_.front();
    if (first == nullptr || now - first->came_ < silent_after) return;
    forget(*first);
    first->cut();
}

void handshakes::enter(newcomer& fresh, std::chrono::nanoseconds now) noexcept {
    fresh.among_ = this;
    fresh.came_ = now;
    silent_.push_back(fresh);
    ++silent_count_;
}

bool handshakes::may_begin(newcomer& who, std::chrono::nanoseconds now) noexcept {
    if (who.at_ == newcomer::stage::silent) {
        silent_.erase(who);
        --silent_count_;
        who.at_ = newcomer::stage::waiting;
        waiting_.push_back(who);
        if (waiting_.front() == &who && has_room(now)) let_begin(who, now);
    }
    return who.at_ == newcomer::stage::begun;
}

void handshakes::let_begin(newcomer& who, std::chrono::nanoseconds now) noexcept {
    MNET_ASSERT(who.at_ == newcomer::stage::waiting, "who begins has spoken, and begins once");
    waiting_.erase(who);
    who.at_ = newcomer::stage::begun;
    begun_count_.fetch_add(1, std::memory_order_relaxed);
    tokens_.take(now);
}

void handshakes::let_begin_who_waits(std::chrono::nanoseconds now) noexcept {
    for (newcomer* next = waiting_.front(); next != nullptr && has_room(now); next = waiting_.front()) {
        let_begin(*next, now);
        next->begin();
    }
}

/// Of one that has begun, nothing is touched but the count: it may be on another thread.
void handshakes::forget(newcomer& over) noexcept {
    MNET_ASSERT(over.among_ == this, "who leaves had come");
    over.among_ = nullptr;
    over.unlink();
    if (over.at_ == newcomer::stage::silent) --silent_count_;
    if (over.at_ == newcomer::stage::begun) begun_count_.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace mnet::inline v1::mtcp::detail
