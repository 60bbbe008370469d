// What the simulated kernel keeps of a connection's end, of a bound address and of a listener. Plain data: the rules are network.hpp's.
#pragma once
#include "io/loop.hpp"
#include "io/simulated/timeline.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace mnet::inline v1::io::simulated {

/// Bytes in order: put at the back, taken from the front.
class byte_queue {
public:
    std::size_t size() const noexcept { return bytes_.size() - taken_; }
    bool empty() const noexcept { return size() == 0; }

    void put(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }

    /// Copies out as many as `target` and the queue both have.
    std::size_t take(std::span<std::byte> target) noexcept {
        const std::size_t count = std::min(target.size(), size());
        std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(taken_), count, target.begin());
        taken_ += count;
        if (taken_ < bytes_.size() && taken_ < bytes_.size() / 2) return count;
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(taken_));
        taken_ = 0;
        return count;
    }

private:
    std::vector<std::byte> bytes_;
    std::size_t taken_ = 0;
};

/// What travels: some bytes, or the end of the stream.
struct segment {
    std::vector<std::byte> bytes;
    std::size_t delivered = 0;  // of `bytes`
    bool end = false;
    std::chrono::nanoseconds arrives{};
};

/// One end of a connection.
struct socket {
    int handle = -1;
    int peer = -1;
    endpoint local;
    endpoint remote;
    int machine = 0;
    int peer_machine = 0;
    bool dialed = false;
    bool held = false;  // by the process: it has a place in the table of handles

    simulated_loop* loop = nullptr;  // while attached or connecting
    io::stream* stream = nullptr;
    int connects_tried = 0;
    bool orphan = false;  // closed by its process; what it sent is still on its way

    byte_queue received;
    bool peer_finished = false;
    std::deque<segment> in_flight;  // to the peer
    std::size_t unacknowledged_bytes = 0;
    std::chrono::nanoseconds line_free_at{};  // when all that was sent is on the line
    unsigned tries = 0;                       // of the first segment, while the machines are cut off from each other
    std::chrono::nanoseconds progressed{};    // when bytes last left `in_flight`, or it was last empty
    bool zero_window = false;                 // the first segment waits for the peer to receive
    bool finished = false;
    std::optional<std::size_t> cut_after;

    bool broken = false;  // reset or lost
    int error = 0;        // that the next receive or send says, once
    bool slow = false;    // its process reads slowly
    bool vanished = false;
    std::chrono::nanoseconds vanished_at{};
    std::chrono::nanoseconds loss_check_at = never;

    bool receive_answer_due = false;
    bool send_answer_due = false;
    std::uint64_t sending_fingerprint = 0;
    bool with_kernel = false;         // the pending send does not wait for room, and is answered late
    std::size_t sent_unanswered = 0;  // of it, on their way before it is answered
    stream_settings settings;

    bool receivable() const noexcept { return !received.empty() || peer_finished || broken || error != 0; }
};

/// A bound address and its queue; two listeners share one where one listens `along` the other.
struct bound_address {
    endpoint where;
    int machine = 0;
    bool reuse_port = false;
    std::size_t backlog_max = 0;
    std::deque<int> backlog;
};

struct acceptor {
    int handle = -1;
    simulated_loop* loop = nullptr;
    io::listener* listener = nullptr;
    std::shared_ptr<bound_address> place;
    bool answer_due = false;
};

}  // namespace mnet::inline v1::io::simulated
