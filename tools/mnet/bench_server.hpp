// The server's side of `mnet bench`: a coroutine for each client that does what bench/protocol.hpp asks for.
#pragma once
#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/task.hpp>

#include <string>

namespace mnet::tool {

/// `plain_address`, where the plain-socket server beside it listens, outlives the coroutine.
task<result<>> serve_bench(client& client, const std::string& plain_address);

}  // namespace mnet::tool
