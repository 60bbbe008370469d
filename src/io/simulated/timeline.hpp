// Virtual time: a clock that only events move, and the events to come, in the order of their time and then of their making.
// Knows no socket: what an event means is the world's business.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace mnet::inline v1::io {
class stream;
}  // namespace mnet::inline v1::io

namespace mnet::inline v1::io::simulated {

class simulated_loop;

struct event {
    enum class kind : std::uint8_t {
        connect_arrives,  // handle: the client's
        connect_answer,
        accept_answer,    // handle: the listener's
        segment_arrives,  // handle: the sender's
        reset_arrives,    // handle: the victim's
        receive_answer,
        send_answer,
        loss_check,     // is it time to give a silent peer up?
        closed_answer,  // loop and stream
        wake,           // loop
        call            // handle: which
    } what;
    int handle = -1;
    simulated_loop* loop = nullptr;
    io::stream* stream = nullptr;
};

class timeline {
public:
    std::chrono::nanoseconds now() const noexcept { return now_; }

    /// Moves the clock on; never back.
    void advance_to(std::chrono::nanoseconds time) noexcept;

    /// What work costs, so that nobody can be busy for ever within one instant.
    void charge() noexcept { now_ += std::chrono::nanoseconds(100); }

    /// `delay` from now; one that is negative counts as none.
    void after(std::chrono::nanoseconds delay, const event& what);

    std::optional<std::chrono::nanoseconds> next_due() const noexcept;
    event pop() noexcept;  // there is one

    /// Drops the events that name this loop.
    void forget(const simulated_loop& loop);

private:
    struct entry {
        std::chrono::nanoseconds due;
        std::uint64_t order;
        event what;
    };

    static bool later(const entry& left, const entry& right) noexcept;

    std::chrono::nanoseconds now_ = std::chrono::hours(1);  // not zero, so that nobody comes to rely on it
    std::uint64_t made_ = 0;
    std::vector<entry> heap_;
};

}  // namespace mnet::inline v1::io::simulated
