// The register of a network's clients, messages to all of them, and what they have done altogether.
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"

#include <chrono>
#include <memory>

namespace mnet::inline v1::mtcp::detail {

void network_core::enter(connection& client) {
    const std::scoped_lock lock(register_mutex_);
    register_.push_back(client);
}

void network_core::unlist(connection& client) noexcept {
    const std::scoped_lock lock(register_mutex_);
    static_cast<base::list_hook<register_tag>&>(client).unlink();
}

void network_core::forget(connection& client) noexcept {
    unlist(client);
    clients_.fetch_sub(1, std::memory_order_relaxed);
    if (client.was_met()) sharing_clients_.fetch_sub(1, std::memory_order_relaxed);
}

std::shared_ptr<mnet::detail::mailbox> network_core::box_of(connection& client) {
    const std::scoped_lock lock(register_mutex_);
    return client.make_box();
}

std::vector<std::shared_ptr<mnet::detail::mailbox>> network_core::boxes_but(std::uint64_t id) {
    std::vector<std::shared_ptr<mnet::detail::mailbox>> others;
    others.reserve(clients_.load(std::memory_order_relaxed));
    const std::scoped_lock lock(register_mutex_);
    for (connection& other : register_) {
        if (other.id() != id) others.push_back(other.make_box());
    }
    return others;
}

std::size_t network_core::broadcast(std::span<const std::byte> bytes) {
    const auto message = mnet::detail::make_posted_message(bytes, limits_.budget);
    std::size_t posted = 0;
    for (const auto& box : boxes_but(0)) posted += box->post(message) ? 1 : 0;
    return posted;
}

network_statistics network_core::statistics() const {
    network_statistics sum{};
    std::chrono::nanoseconds overloaded_at{0};
    for (const station& each : stations_) each.work->accounts().add_to(sum, overloaded_at);
    const std::scoped_lock lock(mutex_);
    ended_accounts_.add_to(sum, overloaded_at);
    for (worker* const each : blocking_workers_) each->accounts().add_to(sum, overloaded_at);
    sum.clients = clients_.load(std::memory_order_relaxed);
    sum.reloads = reloads_;
    sum.reloads_failed = reloads_failed_;
    if (tls_ && *tls_) {
        const auto left = tls_->expires() - std::chrono::system_clock::now();
        sum.certificate_days_left = std::chrono::floor<std::chrono::days>(left).count();
    }
    return sum;
}

}  // namespace mnet::inline v1::mtcp::detail
