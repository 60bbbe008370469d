// The public face of a network: a shared core, stopped when its owner lets go.
#include <mnet/mtcp/network.hpp>

#include "mtcp/network_access.hpp"

#include <utility>

namespace mnet::inline v1::mtcp {

network::network(std::shared_ptr<detail::network_core> core) noexcept : core_(std::move(core)) {}
network::network(network&&) noexcept = default;

network& network::operator=(network&& other) noexcept {
    if (this != &other) {
        if (core_) (void)core_->stop({});
        core_ = std::move(other.core_);
    }
    return *this;
}

network::~network() {
    if (core_) (void)core_->stop({});
}

std::string network::address() const { return core_->address(); }

std::string_view network::engine() const noexcept { return core_->engine(); }

std::string_view network::sharing_reason() const noexcept { return core_->sharing_reason(); }
std::string_view network::engine_reason() const noexcept { return core_->engine_reason(); }

network_statistics network::statistics() const { return core_->statistics(); }

result<> network::reload_certificates(std::string* words) { return core_->reload_certificates(words); }

std::string network::reload_error() const { return core_->reload_error(); }

std::string network::handshake_error() const { return core_->handshake_error(); }

std::size_t network::broadcast(std::span<const std::byte> bytes) { return core_->broadcast(bytes); }

farewell network::stop(mnet::deadline deadline) { return core_->stop({.deadline = deadline}); }

farewell network::stop(const stop_options& how) { return core_->stop(how); }

result<> network::wait(const operation& op) { return core_->wait(op); }

result<network> network_access::listen(const detail::environment& world, const listen_options& options, detail::any_handler handler) {
    auto core = detail::open_network(world, options, std::move(handler));
    if (!core) return failure(core.error());
    return network(*std::move(core));
}

result<network> listen(const listen_options& options, detail::any_handler handler) {
    return network_access::listen(detail::kernel(), options, std::move(handler));
}

}  // namespace mnet::inline v1::mtcp
