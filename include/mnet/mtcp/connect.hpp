// Connecting to a server: blocking, with a private loop that the caller's thread runs inside the client's calls; or as a coroutine, on a
// loop that it shares with others.
//
//     auto client = mtcp::connect("localhost:5050", {.dead_after = 10s});
//     auto client = co_await mtcp::async_connect(loop, "localhost:5050");
#pragma once
#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/mtcp/loop.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>
#include <mnet/task.hpp>

#include <string_view>

namespace mnet::inline v1::mtcp {

/// Resolves the address and tries all that it resolves to, one after the other.
///
/// Errors: errc::invalid_address; std::errc::host_unreachable (the name has no address); std::errc::timed_out (`dial_timeout` or the
/// deadline); std::errc::operation_canceled; else what the kernel said of the last attempt (connection_refused, network_unreachable,
/// no_such_file_or_directory for a Unix socket, ...).
/// Thread: any. The client belongs to one thread at a time.
MNET_API result<client> connect(std::string_view address, const connect_options& options = {}, const operation& op = {});

/// As `connect`, without blocking the loop: names are resolved by another thread. The client lives on the loop and must end before it.
MNET_API task<result<client>> async_connect(loop& loop, std::string_view address, const connect_options& options = {});

/// From inside a coroutine handler: on the loop of `beside`, which must outlive the call. A client of a blocking thread has a loop of its
/// own: there it fails with std::errc::operation_not_supported.
MNET_API task<result<client>> async_connect(client& beside, std::string_view address, const connect_options& options = {});

}  // namespace mnet::inline v1::mtcp
