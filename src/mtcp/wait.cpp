// A wait's timer and stop token are armed together and disarmed together.
#include "mtcp/wait.hpp"

#include "base/assert.hpp"
#include "mtcp/worker.hpp"

#include <utility>

namespace mnet::inline v1::mtcp::detail {

wait::wait(worker& worker) noexcept
    : worker_(worker),
      timer_(this, [](void* self) noexcept { static_cast<wait*>(self)->finish(std::make_error_code(std::errc::timed_out)); }) {}

void wait::begin(std::coroutine_handle<> waiting, const operation& operation) noexcept {
    MNET_ASSERT(!active(), "a client is awaited by one coroutine at a time for the same thing");
    waiting_ = waiting;
    outcome_ = {};
    if (!operation.deadline.is_never()) worker_.loop().set(timer_, operation.deadline.from(worker_.loop().now()));
    if (operation.stop != nullptr) {
        stop_ = operation.stop;
        worker_.watch_stop(*this);
        on_stop_.emplace(*operation.stop, stop_signal{worker_.mail().get()});
    }
}

void wait::disarm() noexcept {
    worker_.loop().cancel(timer_);
    on_stop_.reset();
    stop_ = nullptr;
    unlink();
}

void wait::finish(std::error_code outcome) noexcept {
    if (!active()) return;
    disarm();
    outcome_ = outcome;
    const turn turn(worker_);
    std::exchange(waiting_, {}).resume();
}

void wait::abandon() noexcept {
    disarm();
    waiting_ = {};
}

}  // namespace mnet::inline v1::mtcp::detail
