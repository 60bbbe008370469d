// What a connection has beside its stream when its bytes go through shared memory: both halves of its side, and the state of the bell. The
// stream carries no frame then: a byte on it wakes who sleeps, and its end is the peer's end.
//
// Thread: the connection's.
#pragma once
#include "base/intrusive_list.hpp"
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "mtcp/answer_time.hpp"
#include "shm/meeting.hpp"
#include "shm/receiver.hpp"
#include "shm/segment.hpp"
#include "shm/sender.hpp"

#include <mnet/mtcp/options.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

class connection;

/// Whether a dialed connection may, or must, share memory in place of the TCP connection.
struct beside_tcp {
    sharing wanted = sharing::off;
    std::optional<unsigned> trusted_user{};
};

/// Two processes that have met.
struct met {
    base::unique_fd bell;
    shm::segment shared;
    shm::peer with;
    std::string address;  // the server's, as the user knows it
};

struct memory : base::list_hook<> {
    memory(connection& owner, shm::segment with, const shm::peer& who, std::string where) noexcept;

    /// A private loop's client has found nothing: what the kernel has to tell gets its turn now and then.
    bool is_time_for_events() noexcept;

    /// Looks again and again for an answer that is expected within a moment. False when it hasn't come.
    bool answer_comes() noexcept;

    connection& of;
    const shm::segment segment;
    shm::sender out{segment};
    shm::receiver in{segment};
    const shm::peer peer;
    const std::string address;
    std::uint64_t placed_bytes = 0;  // committed in place
    std::error_code gone{};          // the bell's end: the peer's
    std::error_code bell_failure{};  // why we ended it
    bool greeted = false;            // the peer has mapped the memory
    bool bell_pending = false;       // the engine has a byte of ours
    bool bell_again = false;         // one more is due then
    bool reader_rests = false;       // the peer took nothing for as long as a writer may wait
    bool pages_in_use = false;       // `giving_back` is set
    bool has_asked = false;          // something was shown since who reads has last waited
    unsigned idle_polls = 0;
    unsigned short_waits = 0;
    answer_time answers{};
    base::timer giving_back;  // of pages that large messages left
    std::array<std::byte, 64> bells{};
};

}  // namespace mnet::inline v1::mtcp::detail
