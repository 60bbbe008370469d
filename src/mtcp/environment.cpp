// The kernel's world. The one place that names an engine.
#include "mtcp/environment.hpp"

#include "io/epoll/epoll_loop.hpp"

namespace mnet::inline v1::mtcp::detail {

namespace {

class kernel_environment final : public environment {
public:
    result<std::unique_ptr<io::loop>> make_loop() const override { return io::make_epoll_loop(); }
    bool threads() const noexcept override { return true; }
};

}  // namespace

const environment& kernel() noexcept {
    static const kernel_environment only{};
    return only;
}

}  // namespace mnet::inline v1::mtcp::detail
