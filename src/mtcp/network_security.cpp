// A network's TLS: which clients begin a handshake, what is said of those that failed, and new certificates while it runs.
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"
#include "tls/server_context.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// How often it is looked whether there are new certificates.
constexpr std::chrono::seconds look_each{1};

}  // namespace

result<> network_core::check_security(const mnet::address& where) const noexcept {
    if (!tls_) return failure(tls_.error());
    if (where.tls && !*tls_) return failure(std::errc::invalid_argument);
    const bool shares = where.what == mnet::address::kind::shared_memory || wanted_sharing_ == sharing::required;
    if (*tls_ && shares) return failure(std::errc::invalid_argument);
    return {};
}

network_core::station& network_core::station_of(const worker& where) noexcept {
    return *std::ranges::find(stations_, &where, [](const station& each) { return each.work.get(); });
}

std::chrono::nanoseconds network_core::wait_to_accept(worker& where) {
    return *tls_ ? station_of(where).shaking.wait(where.loop().now()) : std::chrono::nanoseconds(0);
}

bool network_core::may_begin_handshake(worker& where, newcomer& who) noexcept {
    station& at = station_of(where);
    const bool may = at.shaking.may_begin(who, where.loop().now());
    if (!may) at.door->hold();
    return may;
}

void network_core::make_room(worker& where) {
    if (*tls_) station_of(where).shaking.cut_a_silent_one(where.loop().now());
}

/// Gives a fresh connection what it stands on. `door`: who accepted it; `before`: what it was until it had a thread.
result<> network_core::begin(connection& fresh, worker& door, int handle, met* beside, parked_client* before) noexcept {
    if (beside != nullptr) {
        beside->bell.reset(handle);
        return fresh.share(std::move(*beside));
    }
    if (*tls_) {
        auto settings = tls_->context()->snapshot();
        auto guarded =
            before != nullptr ? fresh.guard(std::move(settings), *before) : fresh.guard(std::move(settings), station_of(door).shaking);
        if (!guarded) {
            door.loop().discard(handle);
            return guarded;
        }
    }
    return fresh.attach(handle);
}

void network_core::tell_handshake_failed(const std::string& peer, std::error_code why, const std::string& words) noexcept {
    try {
        std::string text = peer + ": " + why.message() + (words.empty() ? "" : " (" + words + ")");
        const std::scoped_lock lock(mutex_);
        handshake_error_ = std::move(text);
    } catch (...) {  // no memory: it is counted all the same
        return;
    }
}

std::string network_core::handshake_error() const {
    const std::scoped_lock lock(mutex_);
    return handshake_error_;
}

std::string network_core::reload_error() const {
    const std::scoped_lock lock(mutex_);
    return reload_error_;
}

result<> network_core::reloaded(result<bool> outcome, const std::string& words) {
    const std::scoped_lock lock(mutex_);
    if (outcome) {
        if (!*outcome) return {};
        ++reloads_;
        reload_error_.clear();
        return {};
    }
    ++reloads_failed_;
    reload_error_ = words.empty() ? outcome.error().message() : words;
    return failure(outcome.error());
}

result<> network_core::reload_certificates(std::string* words) {
    if (!*tls_) return failure(std::errc::operation_not_supported);
    std::string why;
    const auto outcome = tls_->reload(&why);
    if (words != nullptr) *words = why;
    return reloaded(outcome ? result<bool>(true) : failure(outcome.error()), why);
}

/// Looks in a moment, on the first loop.
void network_core::watch_certificates() noexcept {
    worker& first = *stations_.front().work;
    first.loop().set(certificates_timer_, first.loop().now() + look_each);
}

void network_core::look_for_new_certificates() noexcept {
    try {
        std::string why;
        (void)reloaded(tls_->reload_if_changed(&why), why);
    } catch (const std::bad_alloc&) {  // the next look may have memory
        watch_certificates();
        return;
    }
    watch_certificates();
}

}  // namespace mnet::inline v1::mtcp::detail
