// Tickets are looked through only when nothing is left, of places or of tokens.
#include "mtcp/handshakes.hpp"

#include "mtcp/worker.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// A client's first bytes follow its connection at once; one in a crowd that were not read yet are no silence.
constexpr std::chrono::milliseconds silent_after{100};

/// How soon it is asked again: a place may be free, or a token given back.
constexpr std::chrono::nanoseconds sooner{std::chrono::milliseconds(1)};
constexpr std::chrono::nanoseconds later{std::chrono::milliseconds(5)};

/// So many may begin at once: those of a tenth of a second.
constexpr std::uint64_t bursts_a_second = 10;

}  // namespace

handshakes::handshakes(std::size_t at_a_time_max, std::uint64_t per_second_max) noexcept
    : max_(at_a_time_max), tokens_(per_second_max, per_second_max / bursts_a_second) {}

std::chrono::nanoseconds handshakes::wait(std::chrono::nanoseconds now) {
    if (has_room(now)) return std::chrono::nanoseconds(0);
    forget_those_that_are_over();
    if (!has_room(now)) cut_a_silent_one(now);
    if (has_room(now)) return std::chrono::nanoseconds(0);
    return going_on_.size() < max_ ? std::clamp(tokens_.wait(now), sooner, later) : later;
}

bool handshakes::has_room(std::chrono::nanoseconds now) const noexcept {
    return going_on_.size() < max_ && tokens_.wait(now) == std::chrono::nanoseconds(0);
}

/// A connection that ended before its first byte has cost next to nothing.
void handshakes::forget_those_that_are_over() {
    std::erase_if(going_on_, [this](const auto& ticket) {
        if (!ticket->over.load(std::memory_order_relaxed)) return false;
        if (!ticket->heard.load(std::memory_order_relaxed)) tokens_.give_back();
        return true;
    });
}

void handshakes::cut_a_silent_one(std::chrono::nanoseconds now) {
    const auto silent = std::ranges::find_if(going_on_, [now](const auto& ticket) {
        return !ticket->heard.load(std::memory_order_relaxed) && now - ticket->begun >= silent_after;
    });
    if (silent == going_on_.end()) return;
    const std::shared_ptr<handshake_ticket> oldest = std::move(*silent);
    going_on_.erase(silent);
    tokens_.give_back();
    (void)oldest->mail->post([&host = *oldest->host, id = oldest->connection] { host.cut_handshake(id); });
}

std::shared_ptr<handshake_ticket> handshakes::begin(worker& host, std::uint64_t connection, std::chrono::nanoseconds now) noexcept {
    try {
        auto fresh = std::make_shared<handshake_ticket>(&host, host.mail(), connection, now);
        going_on_.push_back(fresh);
        tokens_.take(now);
        return fresh;
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

}  // namespace mnet::inline v1::mtcp::detail
