// What a connection has from its close, or its first failure, on; of one that is observed, always.
//
// Thread: the connection's.
#pragma once
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"

#include <mnet/statistics.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace mnet::inline v1::mtcp::detail {

struct ending {
    ending(void* connection, base::timer::function drain) noexcept : timer(connection, drain) {}

    base::timer timer;
    std::chrono::nanoseconds due = io::never;
    std::chrono::nanoseconds step{0};
    std::chrono::nanoseconds heard{0};  // when the last bytes came that nobody reads
    bool renews = false;                // as long as the peer takes something
    bool observed = false;              // and so from the beginning on
    std::uint64_t slow_until = 0;       // so many wire bytes are sent: an observer knows that it lags
    std::string peer{};                 // the same: who it is
    std::size_t maybe_left = 0;         // at the failure of its output (connection_account.cpp)
    delivery account{};                 // what was lost; in the end, all of it
};

}  // namespace mnet::inline v1::mtcp::detail
