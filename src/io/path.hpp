// What the kernel knows of the way to a TCP peer (tcp_info, tcp(7)): for people who ask why a client is slow.
#pragma once
#include <mnet/error.hpp>

#include <chrono>
#include <cstdint>

namespace mnet::inline v1::io {

struct path {
    std::uint64_t unacknowledged_segments = 0;
    std::uint64_t waiting_bytes = 0;            // with our kernel, and not on their way
    std::uint64_t window_bytes = 0;             // that the peer offers; where the kernel does not tell: as if it were open
    unsigned timeouts = 0;                      // in a row, without an acknowledgement
    unsigned probes = 0;                        // of a window that is closed, in a row
    std::chrono::milliseconds since_sent{0};    // data
    std::chrono::milliseconds since_answer{0};  // an acknowledgement
    std::chrono::microseconds round_trip{0};
};

/// Errors: the kernel's (operation_not_supported for what is not TCP).
result<path> path_of(int descriptor) noexcept;

}  // namespace mnet::inline v1::io
