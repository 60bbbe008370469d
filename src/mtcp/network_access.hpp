// The core behind a public `network`, and a network in a world of one's choice.
#pragma once
#include "mtcp/environment.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/mtcp/network.hpp>

namespace mnet::inline v1::mtcp {

class network_access {
public:
    static const std::shared_ptr<detail::network_core>& core(const network& of) noexcept { return of.core_; }
    /// As `mtcp::listen`, in a world that outlives the network.
    static result<network> listen(const detail::environment& world, const listen_options& options, detail::any_handler handler);
};

}  // namespace mnet::inline v1::mtcp
