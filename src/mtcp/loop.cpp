// A public loop is a worker without a network.
#include <mnet/mtcp/loop.hpp>

#include "mtcp/dial.hpp"
#include "mtcp/environment.hpp"
#include "mtcp/loop_access.hpp"
#include "mtcp/worker.hpp"

#include <utility>

namespace mnet::inline v1::mtcp {

loop::loop(std::unique_ptr<detail::worker> worker) noexcept : worker_(std::move(worker)) {}
loop::loop(loop&&) noexcept = default;
loop& loop::operator=(loop&&) noexcept = default;
loop::~loop() = default;

result<loop> loop::make() { return loop_access::make(detail::kernel()); }

void loop::turn() {
    {
        const detail::turn outside(*worker_);
    }  // sends what coroutines committed that ran outside of the loop's own turns
    worker_->loop().run_once(io::never);
}

result<loop> loop_access::make(const detail::environment& world) {
    auto engine = world.make_loop();
    if (!engine) return failure(engine.error());
    return loop(std::make_unique<detail::worker>(*std::move(engine), detail::worker::kind::shared_loop,
                                                 detail::limits_of(connect_options{}), nullptr));
}

}  // namespace mnet::inline v1::mtcp
