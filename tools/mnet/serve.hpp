// `mnet serve`: a server with a simple answer, or the server's side of `mnet bench`.
#pragma once
#include "failure.hpp"

#include <mnet/mtcp/options.hpp>
#include <mnet/tls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace mnet::tool {

enum class service : std::uint8_t { echo, discard, reply, bench, plain_bench };

/// Which of the library's three handler shapes serves.
enum class handler_shape : std::uint8_t { message, coroutine, blocking };

struct serve_options {
    std::string address{"localhost:5050"};
    tool::service service = service::echo;
    std::string reply_text{};
    handler_shape handler = handler_shape::message;
    unsigned loops = 1;
    std::size_t message_bytes_max = mtcp::default_message_bytes_max;
    std::size_t clients_max = 100'000;
    std::optional<std::chrono::nanoseconds> dead_after{};
    bool spin = false;
    bool sleep = false;
    mtcp::engine engine = mtcp::engine::automatic;
    mtcp::sharing shared_memory = mtcp::sharing::automatic;
    tls::server_options tls{};  // TLS where it names a certificate
    bool json = false;
    bool log = false;
};

/// Serves until SIGINT or SIGTERM. Throws failure_exit.
exit_code run_serve(const serve_options& options);

}  // namespace mnet::tool
