// Who shares memory with whom: what options and environment want, under which name a listener can be met by processes of its host, and how a
// client meets it there (shm/meeting.hpp has what they say to each other).
#pragma once
#include "io/endpoint.hpp"
#include "mtcp/memory.hpp"
#include "mtcp/worker.hpp"

#include <mnet/error.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

/// What `automatic` means here: the environment variable MNET_SHARED_MEMORY says `off` or `required`, or else it stays.
/// Errors: std::errc::invalid_argument (the variable says something else).
result<sharing> sharing_in_force(sharing asked) noexcept;

/// Where clients of this host meet the listener at `where`; nothing for an address that has no such place.
std::optional<io::endpoint> meeting_place_of(const io::endpoint& where);

/// The place of `shm://name`. Errors: errc::invalid_address (too long).
result<io::endpoint> meeting_place_named(const std::string& name);

/// Whom a client looks for.
struct acquaintance {
    std::vector<io::endpoint> places;  // any of them
    std::string address;               // as the user knows it
    std::optional<unsigned> trusted_user;
    bool or_nobody = false;  // nothing else would do: no answer is waited for until the time is up
};

/// Where a listener at `where`, or at every address of this host, would be met; no places when `where` is another host's.
acquaintance acquaintance_at(const io::endpoint& where, std::optional<unsigned> trusted_user);

/// Meets it, and waits for its answer: a second at the most where TCP would do, too, else until just before `due`. `why` says in words what went wrong.
/// Errors: the kernel's (connection_refused when nobody is there), errc::protocol_violation, std::errc::permission_denied (another user's process
/// is there), timed_out.
task<result<met>> meet(worker& where, acquaintance whom, std::chrono::nanoseconds due, std::string& why);

}  // namespace mnet::inline v1::mtcp::detail
