// Waiting for time alone: a wait whose deadline is what it waits for.
#include "mtcp/connection.hpp"
#include "mtcp/loop_access.hpp"
#include "mtcp/wait.hpp"

#include <mnet/simulation.hpp>

namespace mnet::inline v1::simulation {
namespace {

class sleeping {
public:
    sleeping(mtcp::detail::worker& host, std::chrono::nanoseconds span) noexcept : host_(host), span_(span) {}
    sleeping(const sleeping&) = delete;
    sleeping& operator=(const sleeping&) = delete;
    ~sleeping() { wait_.abandon(); }

    bool await_ready() const noexcept { return span_.count() <= 0; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept { return wait_.begin(host_, handle, {.deadline = within(span_)}); }
    void await_resume() const noexcept {}

private:
    mtcp::detail::worker& host_;
    std::chrono::nanoseconds span_;
    mtcp::detail::wait wait_{};
};

task<void> sleep_on(mtcp::detail::worker& host, std::chrono::nanoseconds span) {
    sleeping until_then(host, span);
    co_await until_then;
}

task<void> nothing() { co_return; }

}  // namespace

task<void> pause(mtcp::loop& loop, std::chrono::nanoseconds span) { return sleep_on(mtcp::loop_access::worker(loop), span); }

task<void> pause(client& beside, std::chrono::nanoseconds span) {
    auto* const neighbour = dynamic_cast<mtcp::detail::connection*>(&client_access::transport(beside));
    if (neighbour == nullptr || neighbour->host().is_private()) return nothing();
    return sleep_on(neighbour->host(), span);
}

}  // namespace mnet::inline v1::simulation
