// The worker below a public `loop`, and a loop in a world of one's choice.
#pragma once
#include "mtcp/environment.hpp"
#include "mtcp/worker.hpp"

#include <mnet/mtcp/loop.hpp>

namespace mnet::inline v1::mtcp {

class loop_access {
public:
    static detail::worker& worker(loop& loop) noexcept { return *loop.worker_; }
    static result<loop> make(const detail::environment& world, engine wanted = engine::automatic);
};

}  // namespace mnet::inline v1::mtcp
