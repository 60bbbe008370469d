// Delays with full jitter, and the account of losses.
#include "mtcp/reconnecting.hpp"

#include <algorithm>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

reconnect_options in_range(reconnect_options options) noexcept {
    using namespace std::chrono_literals;
    options.delay_first = std::max(options.delay_first, 1ms);
    options.delay_max = std::max(options.delay_max, options.delay_first);
    options.buffer_age_max = std::max(options.buffer_age_max, 0ms);
    return options;
}

}  // namespace

reconnecting::reconnecting(const reconnect_options& options, void* connection, base::timer::function on_end,
                           mnet::detail::send_window& window, base::block_pool& blocks)
    : how(in_range(options)), pool(blocks), kept(window, blocks, how.buffer_bytes_max, how.buffer_age_max), end(connection, on_end) {}

std::chrono::nanoseconds reconnecting::next_delay(io::loop& loop) noexcept {
    constexpr unsigned doublings_max = 20;
    const std::chrono::nanoseconds longest = how.delay_max;
    const auto bound = std::min(longest, std::chrono::nanoseconds(how.delay_first) * (std::int64_t{1} << std::min(tries, doublings_max)));
    ++tries;
    return std::chrono::nanoseconds(static_cast<std::int64_t>(loop.random() % static_cast<std::uint64_t>(bound.count())));
}

void reconnecting::lost(const delivery& account, message_count kept_of_it) noexcept {
    if (told) last = {};
    told = false;
    last.messages_acknowledged += account.messages_acknowledged;
    last.messages_unacknowledged += account.messages_unacknowledged;
    last.bytes_unread += account.bytes_unread;
    last.bytes_acknowledged += account.bytes_acknowledged;
    last.bytes_unacknowledged += account.bytes_unacknowledged;
    // Without memory for an account, nothing is told of what was unsent.
    last.bytes_unsent += account.bytes_unsent - std::min(account.bytes_unsent, kept_of_it.bytes);
    last.messages_unsent += account.messages_unsent - std::min(account.messages_unsent, kept_of_it.messages);
}

void reconnecting::let_go_of_message() noexcept {
    in_use.number = 0;
    pool.release(std::exchange(in_use.block, nullptr));
    in_use.shared.reset();
}

void reconnecting::dropped(message_count gone) noexcept {
    last.bytes_unsent += gone.bytes;
    last.messages_unsent += gone.messages;
}

}  // namespace mnet::inline v1::mtcp::detail
