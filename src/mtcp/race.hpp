// Connecting to whichever endpoint of a name answers first (RFC 8305, "Happy Eyeballs"): attempts begin one after the other, families in turn, each
// when the one before has failed or has had a quarter of a second; the first connection that opens wins, and the others are withdrawn.
//
// Thread: the loop's.
#pragma once
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "mtcp/resolver.hpp"
#include "mtcp/wait.hpp"

#include <mnet/error.hpp>
#include <mnet/operation.hpp>

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <system_error>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

class worker;

/// How long an attempt runs alone (RFC 8305, section 5).
inline constexpr std::chrono::milliseconds attempt_delay{250};

/// The same endpoints, the two families of IP in turn, each in its order, the first one's family first (RFC 8305, section 4).
endpoints interleaved(const endpoints& all);

/// Awaits it: `race first(where, all, op); result<int> handle = co_await first;`. The handle is for `attach`, on the same loop.
/// Errors: what the kernel said of the last attempt that failed; std::errc::timed_out, not_enough_memory.
class race {
public:
    race(worker& where, endpoints all, const operation& op) noexcept;
    race(const race&) = delete;
    race& operator=(const race&) = delete;
    ~race();

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept;
    result<int> await_resume() noexcept;

    /// Whether a stream is one of an attempt, for who watches an engine.
    static bool runs(const io::stream& stream) noexcept;

private:
    class runner;

    bool start_next() noexcept;
    void arrived(runner& one, result<> outcome) noexcept;
    void withdraw_all() noexcept;

    worker& where_;
    const endpoints all_;
    operation op_;
    std::size_t next_ = 0;  // of all_
    std::vector<runner*> running_{};
    std::error_code failure_;
    int won_ = -1;
    base::timer timer_;
    wait wait_{};
};

}  // namespace mnet::inline v1::mtcp::detail
