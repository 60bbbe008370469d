// A frame that has begun to arrive and has to end in time (`message_timeout`). Most reads of a busy stream end inside a frame, so nothing is
// done for each: a frame that stays open at the end of a turn gets one of these from its worker, which looks a few times within the span
// whether it is still the same one, and goes back as soon as it is not.
//
// Time counts in ticks that found the connection waiting for the rest: neither a program that takes its time nor a loop that was busy
// is the peer's fault.
//
// Thread: the loop's.
#pragma once
#include "base/intrusive_list.hpp"
#include "base/timer_wheel.hpp"

#include <chrono>
#include <cstdint>

namespace mnet::inline v1::mtcp::detail {

class connection;
class worker;

struct begun_frame : base::list_hook<> {
    explicit begun_frame(worker& lender) noexcept;

    /// How often it looks within the span.
    static constexpr unsigned ticks_max = 16;

    worker& host;
    connection* of = nullptr;
    base::timer timer;
    std::chrono::nanoseconds tick{0};
    std::uint64_t messages = 0;  // those before it
    unsigned ticks = 0;
    bool awaited = false;  // a private loop's: its thread waits for input now
};

}  // namespace mnet::inline v1::mtcp::detail
