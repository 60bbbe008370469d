// What a dialed connection has beside the rest when it returns by itself (reconnect_options): whether it is away, since when and why, the tries to come
// back, what is written meanwhile, and the account of what was lost.
//
//   here -> away (its stream is left, a coroutine tries again and again) -> here, with errc::reconnected for the next read
//                                                                       -> given up
//
// Thread: the connection's.
#pragma once
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "mtcp/kept_messages.hpp"

#include <mnet/mtcp/options.hpp>
#include <mnet/statistics.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <cstdint>
#include <system_error>

namespace mnet::inline v1::mtcp::detail {

struct reconnecting {
    reconnecting(const reconnect_options& options, void* connection, base::timer::function on_end, mnet::detail::send_window& window,
                 base::block_pool& pool);

    bool keeps() const noexcept { return how.policy == reconnect_policy::buffer; }

    /// How long to wait before the next try.
    std::chrono::nanoseconds next_delay(io::loop& loop) noexcept;
    bool gives_up(std::chrono::nanoseconds now) const noexcept {
        return how.give_up_after.count() > 0 && now - lost_at >= how.give_up_after;
    }

    void lost(const delivery& account, message_count moved) noexcept;
    void dropped(message_count gone) noexcept;

    const reconnect_options how;
    bool away = false;
    bool told = true;       // the account was: the next loss begins another one
    bool telling = false;   // resumes who waits
    unsigned tries = 0;     // that failed in a row
    message_count moved{};  // of the queue of the connection that is lost, to `kept`
    std::chrono::nanoseconds opened_at{0};
    std::chrono::nanoseconds lost_at{0};
    std::error_code why{};       // it was lost
    std::error_code last_try{};  // its error; nothing when it succeeded
    delivery last{};
    kept_messages kept;
    task<void> work{};  // comes back
    base::timer end;    // of the work, told from the loop: what it resumes may end the work's frame
};

}  // namespace mnet::inline v1::mtcp::detail
