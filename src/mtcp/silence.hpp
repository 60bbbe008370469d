// What a stream's error says of its peer.
#pragma once
#include <mnet/error.hpp>

namespace mnet::inline v1::mtcp::detail {

/// The kernel calls the death of a peer by the name of the last hint that it had: an open connection ends with one of these only after nothing
/// was acknowledged for as long as may be (tcp(7); tcp_write_err() of Linux).
inline std::error_code told_apart(std::error_code why) noexcept {
    const bool silent = why.category() == std::system_category() &&
                        (why == std::errc::timed_out || why == std::errc::host_unreachable || why == std::errc::network_unreachable);
    return silent ? make_error_code(errc::peer_silent) : why;
}

}  // namespace mnet::inline v1::mtcp::detail
