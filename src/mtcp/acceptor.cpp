// Accepting one at a time, and the pause when there is no descriptor left.
#include "mtcp/acceptor.hpp"

#include "mtcp/network_core.hpp"
#include "mtcp/worker.hpp"

#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

constexpr std::chrono::milliseconds retry_after{100};
constexpr std::chrono::milliseconds look_after{1};

}  // namespace

acceptor::acceptor(worker& worker, network_core& network, door which) noexcept
    : worker_(worker),
      network_(network),
      which_(which),
      retry_(this, [](void* self) noexcept { static_cast<acceptor*>(self)->resume(); }) {}

result<io::endpoint> acceptor::listen(const io::endpoint& where, const io::listen_settings& settings) {
    auto bound = worker_.loop().listen(*this, where, settings);
    if (!bound) return bound;
    // By the timer: who waited for a handshake doesn't begin it inside another's end.
    if (which_ == door::front) {
        worker_.on_leave([this] {
            if (paused_) worker_.loop().set(retry_, worker_.loop().now());
        });
    }
    worker_.loop().accept(*this);
    return bound;
}

void acceptor::close() noexcept {
    if (which_ == door::front) worker_.on_leave({});
    worker_.loop().cancel(retry_);
    worker_.loop().close(*this);
    paused_ = false;
}

void acceptor::accepted(result<int> client) noexcept {
    if (!client) {
        paused_ = true;
        worker_.accounts().add(entry::accept_pauses, 1);
        worker_.loop().set(retry_, worker_.loop().now() + retry_after);
        network_.make_room(worker_);
        return;
    }
    if (which_ == door::front) {
        network_.admit(worker_, *client);
    } else {
        network_.admit_beside(worker_, *client);
    }
    go_on();
}

/// Accepts the next, or waits until another handshake may begin.
void acceptor::go_on() noexcept {
    if (!open()) return;
    const auto wait = network_.wait_to_accept(worker_);
    if (!open()) return;  // a handler that has begun may have stopped the network
    if (wait.count() == 0) {
        paused_ = false;
        worker_.loop().accept(*this);
        return;
    }
    if (!std::exchange(paused_, true)) worker_.accounts().add(entry::handshake_pauses, 1);
    worker_.loop().set(retry_, worker_.loop().now() + wait);
}

/// The first look is by the timer, too: a handshake doesn't begin inside another's bytes.
void acceptor::hold() noexcept {
    if (!open() || std::exchange(paused_, true)) return;
    worker_.accounts().add(entry::handshake_pauses, 1);
    worker_.loop().set(retry_, worker_.loop().now() + look_after);
}

void acceptor::resume() noexcept {
    if (paused_) go_on();
}

}  // namespace mnet::inline v1::mtcp::detail
