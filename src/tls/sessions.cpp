// See sessions.hpp.
#include "tls/sessions.hpp"

#include <algorithm>
#include <utility>

namespace mnet::inline v1::tls {

void session_cache::keep(const std::string& peer, session_owner session) {
    const std::scoped_lock lock(mutex_);
    sessions_.insert_or_assign(peer, entry{.session = std::move(session), .number = next_number_++});
    if (sessions_.size() <= peers_max_) return;
    sessions_.erase(std::ranges::min_element(sessions_, {}, [](const auto& kept) { return kept.second.number; }));
}

session_owner session_cache::find(const std::string& peer) {
    const std::scoped_lock lock(mutex_);
    const auto found = sessions_.find(peer);
    if (found == sessions_.end() || SSL_SESSION_is_resumable(found->second.session.get()) != 1) return nullptr;
    SSL_SESSION_up_ref(found->second.session.get());
    return session_owner(found->second.session.get());
}

void session_cache::forget(const std::string& peer) {
    const std::scoped_lock lock(mutex_);
    sessions_.erase(peer);
}

}  // namespace mnet::inline v1::tls
