// Connecting to a server: blocking, with a private loop that the caller's thread runs inside the client's calls; or as a coroutine, on a
// loop that it shares with others.
//
//     auto client = mtcp::connect("localhost:5050", {.dead_after = 10s});
//     auto client = co_await mtcp::async_connect(loop, "localhost:5050");
//
// With a policy a client returns by itself when its connection is lost (mnet/mtcp/options.hpp), and a read says when it has:
//
//     auto client = mtcp::connect("one:5050,two:5050", {.reconnect = {.policy = mtcp::reconnect_policy::fail_fast}});
//     auto answer = client->read();
//     if (!answer && answer.error() == errc::reconnected) ask_again(client->last_delivery());
#pragma once
#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/mtcp/loop.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>
#include <mnet/task.hpp>

#include <string_view>

namespace mnet::inline v1::mtcp {

/// Connects to an address, or to the first of several that answers ("host1:5050,host2:5050"; a path with a comma in it can't be named here). Each
/// address has its share of `dial_timeout`. What a name resolves to, IPv6 and IPv4 in turn, races for the connection: an attempt that has not
/// succeeded after 250 ms goes on beside the next (RFC 8305).
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
