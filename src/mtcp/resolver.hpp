// From an address to the endpoints that it means: all of them, in the order in which they should be tried (RFC 6724, getaddrinfo(3)).
#pragma once
#include "io/endpoint.hpp"
#include "mtcp/inbox.hpp"

#include <mnet/address.hpp>
#include <mnet/error.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

using endpoints = std::vector<io::endpoint>;

/// Unix sockets, numeric hosts and localhost need no resolving; nothing for another name. An empty host is every local address to a
/// listener, and this host to a client.
std::optional<result<endpoints>> resolve_at_once(const address& what, bool to_listen);

/// Asks the system's resolver, and may take long: seconds, where name servers don't answer.
/// Errors: std::errc::host_unreachable (no such name, or no address for it), not_enough_memory, what the system says.
result<endpoints> resolve_slowly(const address& what, bool to_listen);

/// `resolve_slowly` on a thread of its own; `done` is then called on the inbox's loop, or never when that is gone.
result<> resolve_elsewhere(const address& what, std::shared_ptr<inbox> inbox, std::move_only_function<void(result<endpoints>)> done);

}  // namespace mnet::inline v1::mtcp::detail
