// Tickets are looked through only when there are as many as may be.
#include "mtcp/handshakes.hpp"

#include "mtcp/worker.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// A client's first bytes follow its connection at once; one in a crowd that were not read yet are no silence.
constexpr std::chrono::milliseconds silent_after{100};

}  // namespace

bool handshakes::has_room(std::chrono::nanoseconds now) {
    if (going_on_.size() < max_) return true;
    going_on_.remove_if([](const auto& ticket) { return ticket->over.load(std::memory_order_relaxed); });
    if (going_on_.size() < max_) return true;
    const auto silent = std::ranges::find_if(going_on_, [now](const auto& ticket) {
        return !ticket->heard.load(std::memory_order_relaxed) && now - ticket->begun >= silent_after;
    });
    if (silent == going_on_.end()) return false;
    const std::shared_ptr<handshake_ticket> oldest = std::move(*silent);
    going_on_.erase(silent);
    (void)oldest->mail->post([&host = *oldest->host, id = oldest->connection] { host.cut_handshake(id); });
    return true;
}

std::shared_ptr<handshake_ticket> handshakes::begin(worker& host, std::uint64_t connection, std::chrono::nanoseconds now) noexcept {
    try {
        auto fresh = std::make_shared<handshake_ticket>(&host, host.mail(), connection, now);
        going_on_.push_back(fresh);
        return fresh;
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

}  // namespace mnet::inline v1::mtcp::detail
