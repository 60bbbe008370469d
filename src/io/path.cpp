// Apart from the other socket calls: the kernel's own header has the newer fields, and does not go together with the C library's.
#include "io/path.hpp"

#include <cerrno>
#include <cstddef>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace mnet::inline v1::io {

result<path> path_of(int descriptor) noexcept {
    tcp_info about{};
    socklen_t length = sizeof about;
    if (::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &about, &length) != 0) {
        return failure(std::error_code(errno, std::system_category()));
    }
    const bool tells_window = length >= offsetof(tcp_info, tcpi_snd_wnd) + sizeof about.tcpi_snd_wnd;
    return path{.unacknowledged_segments = about.tcpi_unacked,
                .waiting_bytes = about.tcpi_notsent_bytes,
                .window_bytes = tells_window ? about.tcpi_snd_wnd : ~std::uint32_t{0},
                .timeouts = about.tcpi_retransmits,
                .probes = about.tcpi_probes,
                .since_sent = std::chrono::milliseconds(about.tcpi_last_data_sent),
                .since_answer = std::chrono::milliseconds(about.tcpi_last_ack_recv),
                .round_trip = std::chrono::microseconds(about.tcpi_rtt)};
}

}  // namespace mnet::inline v1::io
