// What is written while a connection is away (reconnect_policy::buffer): whole messages in blocks of the pool, each block with the time of its first, up
// to a bound of bytes, and dropped when they are too old. A block takes messages for a sixteenth of the age that they may reach.
//
// It lends the send window like the queue of a connection that is there (outgoing.hpp); one message at a time, so that each is seen when it comes.
#pragma once
#include "base/block_pool.hpp"
#include "mtcp/outgoing.hpp"

#include <mnet/detail/transport.hpp>
#include <mnet/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>

namespace mnet::inline v1::mtcp::detail {

struct message_count {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;  // lengths included
};

class kept_messages {
public:
    kept_messages(mnet::detail::send_window& window, base::block_pool& pool, std::size_t bytes_max, std::chrono::nanoseconds age_max);
    kept_messages(const kept_messages&) = delete;
    kept_messages& operator=(const kept_messages&) = delete;
    ~kept_messages();

    /// What it holds, with what was committed into its window.
    message_count held() const noexcept;

    /// Makes the window hold a frame. Errors: errc::would_block (the bound), std::errc::not_enough_memory.
    result<> make_room(std::size_t frame_bytes, std::chrono::nanoseconds now) noexcept;

    /// Keeps a copy of a frame. Errors: as `make_room`.
    result<> keep(std::span<const std::byte> frame, std::chrono::nanoseconds now) noexcept;

    /// Whether the window lies here, and an open writer with it.
    bool lends() const noexcept { return lent_; }

    /// Drops what is too old, but for what is in the window's block while a writer is open there; gives how much that was.
    message_count drop_old(std::chrono::nanoseconds now) noexcept;
    /// Drops all; what a writer is open in stays until it is committed, in vain.
    message_count drop_all() noexcept;

    /// Takes the window back, and queues all that it holds. Not while a writer is open.
    void hand_over(outgoing& target) noexcept;

    /// While this is there, the window is not lent: for what is done to the queue of the connection that was.
    class aside {
    public:
        explicit aside(kept_messages* of) noexcept;
        aside(const aside&) = delete;
        aside& operator=(const aside&) = delete;
        ~aside();

    private:
        kept_messages* of_;
        std::byte* next_ = nullptr;
        std::byte* limit_ = nullptr;
        bool writer_open_ = false;
    };

private:
    struct slice {
        base::block* block;
        std::chrono::nanoseconds since;
        std::uint64_t messages;
    };

    void seal() noexcept;
    result<slice*> slice_for(std::size_t frame_bytes, std::chrono::nanoseconds now) noexcept;
    message_count drop_first() noexcept;

    mnet::detail::send_window& window_;
    base::block_pool& pool_;
    const std::size_t bytes_max_;
    const std::chrono::nanoseconds age_max_;
    std::deque<slice> slices_{};
    message_count sealed_{};
    bool lent_ = false;                // the window lies in the last slice
    base::block* outlived_ = nullptr;  // a writer was open in it when all was dropped
    std::uint64_t messages_seen_ = 0;  // of the window's, when it was lent
};

}  // namespace mnet::inline v1::mtcp::detail
