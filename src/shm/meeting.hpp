// How two processes of a host come to share memory: over a Unix socket, that stays afterwards as the bell (a byte wakes the other side) and as
// the sign of life (its end is the peer's end, however that came).
//
// The listener's name is in the abstract namespace (unix(7)), which network namespaces have each of their own, as they have ports. Who accepts
// makes the memory and sends an offer, that carries the descriptor (SCM_RIGHTS); who connected maps it and answers with a first bell. Either
// side looks first who the other is (SO_PEERCRED): it is the kernel that says so.
//
// Nothing in here waits. Thread: any.
#pragma once
#include "base/unique_fd.hpp"
#include "shm/layout.hpp"
#include "shm/segment.hpp"

#include <mnet/error.hpp>

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mnet::inline v1::shm {

/// What the kernel knows of the process at the other end of a connected Unix socket, from the moment when it connected or listened.
struct peer {
    uid_t user;
    pid_t process;
};
result<peer> peer_of(int socket) noexcept;

/// This user, or one of `others`.
bool is_trusted(uid_t user, std::span<const uid_t> others) noexcept;

/// Makes memory and offers it. Errors: as segment::make; the kernel's of the send.
result<segment> offer(int socket, const geometry& sizes) noexcept;

/// Says why there is none. Whether that arrives is the kernel's business.
void refuse(int socket, std::string_view why) noexcept;

/// The memory that was offered; nothing, when no answer has come yet.
/// Errors: errc::protocol_violation (no offer), std::errc::connection_refused (`why` then says the peer's reason), as segment::open; the kernel's.
result<std::optional<segment>> take_offer(int socket, std::string& why) noexcept;

}  // namespace mnet::inline v1::shm
