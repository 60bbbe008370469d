// The library on a simulated world: networks, loops and blocking clients that share one seed, one clock and one thread.
#pragma once
#include "io/simulated/world.hpp"
#include "mtcp/dial.hpp"
#include "mtcp/environment.hpp"
#include "mtcp/loop_access.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/mnet.hpp>

#include <memory>
#include <string_view>
#include <utility>

namespace mnet::test {

class simulated_environment final : public mtcp::detail::environment {
public:
    explicit simulated_environment(io::simulated::world& world) noexcept : world_(world) {}

    result<mtcp::detail::made_loop> make_loop(mtcp::detail::job, mtcp::engine) const override {
        return mtcp::detail::made_loop{world_.make_loop(), "simulated"};
    }
    bool threads() const noexcept override { return false; }

    std::shared_ptr<mtcp::detail::network_core> listen(const mtcp::listen_options& options, mtcp::detail::any_handler handler) const {
        auto core = mtcp::detail::open_network(*this, options, std::move(handler));
        return core ? *core : nullptr;
    }

    result<client> connect(std::string_view address, const mtcp::connect_options& options = {}) const {
        return mtcp::detail::dial_blocking(*this, address, options, {});
    }

    mtcp::loop make_mtcp_loop() const { return *mtcp::loop_access::make(*this); }

private:
    io::simulated::world& world_;
};

}  // namespace mnet::test
