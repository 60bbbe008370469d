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

result<loop> loop::make(engine wanted) { return loop_access::make(detail::kernel(), wanted); }

void loop::turn(mnet::deadline until) {
    {
        const detail::turn outside(*worker_);
    }  // sends what coroutines committed that ran outside of the loop's own turns
    worker_->run_once(until.is_never() ? io::never : until.from(worker_->loop().now()));
}

network_statistics loop::statistics() const noexcept { return worker_->statistics(); }

result<loop> loop_access::make(const detail::environment& world, engine wanted) {
    auto made = world.make_loop(detail::job::many_clients, wanted);
    if (!made) return failure(made.error());
    return loop(std::make_unique<detail::worker>(std::move(made->loop), detail::worker::kind::shared_loop,
                                                 detail::limits_of(connect_options{}), nullptr));
}

}  // namespace mnet::inline v1::mtcp
