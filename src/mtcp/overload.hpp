// What a connection keeps for the times when its peer is too slow: the rules (mnet/overload.hpp), and, from the first time on, what came of it.
//
// Thread: the connection's.
#pragma once
#include "base/timer_wheel.hpp"
#include "mnet/unsent_account.hpp"

#include <mnet/overload.hpp>
#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

/// The option, kept: shared by all clients of a network.
struct overload_rules {
    at_bound policy = at_bound::refuse;
    std::chrono::milliseconds patience{0};
    std::size_t soft_bytes = 0;
    std::shared_ptr<const std::vector<std::byte>> marker{};  // null: none

    overload_rules() = default;
    overload_rules(const mnet::overload& option, std::size_t message_bytes_max, std::size_t unsent_bytes_max);

    bool drops() const noexcept { return policy == at_bound::drop_oldest || policy == at_bound::drop_newest; }
    std::size_t marker_frame_bytes() const noexcept { return marker ? wire::header_bytes + marker->size() : 0; }
};

/// What the kernel has been lent can't be dropped any more; so little is offered as it is, whatever the rule.
inline constexpr std::size_t offered_whole_max = 4096;

struct overloaded {
    overloaded(void* connection, base::timer::function on_time) noexcept : timer(connection, on_time) {}

    std::uint64_t frame_bytes_dropped() const noexcept { return payload_bytes_dropped + messages_dropped * wire::header_bytes; }

    /// What comes next belongs to another stream.
    void forget_gaps() noexcept {
        pass_by();
        end_gap.reset();
    }

    /// Messages went past the queue: no gap in what comes next goes on from one before it.
    void pass_by() noexcept {
        front_gap.reset();
        front_told_until.reset();
        ends_told_until.clear();
    }

    /// Whether a gap at this place goes on from one that the reader is told of already.
    bool goes_on_at(std::uint64_t place) const noexcept {
        return front_told_until == place || std::ranges::find(ends_told_until, place) != ends_told_until.end();
    }

    /// A marker of so many bytes was put in front of this place, or, by less than nothing, messages behind it were dropped: the ends move.
    void move_ends(std::uint64_t place, std::uint64_t bytes) noexcept {
        for (std::uint64_t& end : ends_told_until) {
            if (end > place) end += bytes;
        }
    }

    /// Where messages were dropped out of the queue, and nothing behind it has been offered since. A place in the stream is told by how many bytes
    /// leave before it; what is dropped never does.
    struct gap {
        std::uint64_t at;
        std::size_t marker_bytes;  // that follow
    };

    base::timer timer;                      // of `disconnect`, while above the soft bound
    std::optional<overload_rules> rules{};  // of this client alone
    std::uint64_t messages_dropped = 0;
    std::uint64_t payload_bytes_dropped = 0;
    std::uint64_t gaps = 0;
    std::optional<gap> front_gap{};
    std::optional<std::uint64_t> end_gap{};           // messages were dropped behind the last of so many
    std::optional<std::uint64_t> front_told_until{};  // where the marker of the last gap ends that was in front
    std::vector<std::uint64_t> ends_told_until{};     // the same of those that were at the end, as far as they have not left
    mnet::detail::charge charged{};                   // to a budget
};

}  // namespace mnet::inline v1::mtcp::detail
