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
#include "mtcp/memory.hpp"

#include <mnet/mtcp/options.hpp>
#include <mnet/statistics.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <system_error>

namespace mnet::inline v1::mtcp::detail {

struct reconnecting {
    reconnecting(const reconnect_options& options, void* connection, base::timer::function on_end, mnet::detail::send_window& window,
                 base::block_pool& blocks);
    reconnecting(const reconnecting&) = delete;
    reconnecting& operator=(const reconnecting&) = delete;
    ~reconnecting() { let_go_of_message(); }

    bool keeps() const noexcept { return how.policy == reconnect_policy::buffer; }

    /// How long to wait before the next try.
    std::chrono::nanoseconds next_delay(io::loop& loop) noexcept;
    bool gives_up(std::chrono::nanoseconds now) const noexcept {
        return how.give_up_after.count() > 0 && now - lost_at >= how.give_up_after;
    }

    void lost(const delivery& account, message_count kept_of_it) noexcept;
    void dropped(message_count gone) noexcept;

    /// The message that was read last is its user's until the next read, and outlives the stream that brought it: where it lies.
    struct message_in_use {
        std::uint64_t number = 0;  // of those read; 0: none was
        base::block* block = nullptr;
        std::unique_ptr<memory> shared{};
    };
    bool holds(std::uint64_t number) const noexcept { return number > 0 && in_use.number == number; }
    void let_go_of_message() noexcept;

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
    base::block_pool& pool;
    message_in_use in_use{};
    kept_messages kept;
    task<void> work{};  // comes back
    base::timer end;    // of the work, told from the loop: what it resumes may end the work's frame
};

}  // namespace mnet::inline v1::mtcp::detail
