// How far a connection is: its phase, what holds now, why it ended, and what it has counted.
//
//   opening -> open -> draining -> closing -> closed
//
// The input may end before (`input_end_`), and the output may fail (`output_failure_`); an open connection lives on with what is left,
// until its handler or its owner closes it. So whole messages that arrived can be read, and a peer that finished sending gets its answers.
//
// Thread: the connection's.
#pragma once
#include <array>
#include <cstdint>
#include <system_error>

namespace mnet::inline v1::mtcp::detail {

class connection_state {
public:
    /// served: the network's; its handler uses `self()`. owned: a `client` made by `connect` holds it.
    enum class role : std::uint8_t { served, owned };
    enum class shape : std::uint8_t { messages, coroutine, direct };

protected:
    enum class phase : std::uint8_t { opening, open, draining, closing, closed };

    /// What windows and decoder don't count.
    struct counts {
        std::uint64_t wire_bytes_sent = 0;
        std::uint64_t wire_bytes_received = 0;
        std::uint32_t writes_refused = 0;
        std::uint32_t pauses = 0;
    };

    connection_state(role whose, shape how) noexcept : role_(whose), shape_(how) {}

    // Eight bytes: an idle client has all of this.
    const role role_;
    const shape shape_;
    phase phase_ = phase::opening;
    bool sending_ = false;            // the engine holds what was offered
    bool unfinished_ = false;         // has messages for the next turn
    bool asked_for_room_ = false;     // since a handler was last held to its bound
    bool paused_ : 1 = false;         // messages: not read until half of the unsent bytes have left
    bool posts_waiting_ : 1 = false;  // in the mailbox, for want of room
    bool released_ : 1 = false;       // owned: the client is gone
    bool half_closed_ : 1 = false;
    bool unix_ : 1 = false;
    bool was_met_ : 1 = false;
    bool handler_running_ : 1 = false;  // coroutine or blocking; until its end the connection stays
    bool pacing_ : 1 = false;           // a write runs the loop, or must not
    bool left_ : 1 = false;             // its user has closed it, or has read its end
    bool rung_ : 1 = false;             // the mailbox is there, and was used
    bool waits_for_room_ : 1 = false;   // who waits for a flush, waits for that
    std::error_code input_end_{};       // why no more bytes come; end_of_stream for a clean end
    std::error_code output_failure_{};  // why no more bytes leave
    std::error_code close_reason_{};
    counts counted_{};
    std::array<std::uint32_t, 6> told_{};  // what the ledger knows, by `published`: the low half is enough for a difference
};

}  // namespace mnet::inline v1::mtcp::detail
