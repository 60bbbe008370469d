// `mnet send`: messages from the command line or from stdin to a server, and its replies to stdout.
#pragma once
#include "failure.hpp"

#include <mnet/mtcp/options.hpp>
#include <mnet/tls.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mnet::tool {

struct send_options {
    std::string address{};
    std::vector<std::string> texts{};   // without one, and without a size: the lines of stdin
    std::uint64_t count = 1;            // each message so many times
    std::optional<std::size_t> size{};  // messages of this size, filled with the text
    bool no_reply = false;
    std::chrono::nanoseconds timeout{std::chrono::seconds(5)};  // to connect; without a reply; to drain
    std::optional<std::chrono::nanoseconds> dead_after{};
    bool reconnect = false;
    mtcp::engine engine = mtcp::engine::automatic;
    mtcp::sharing shared_memory = mtcp::sharing::automatic;
    tls::client_options tls{};
    bool json = false;
    bool log = false;
};

/// Throws failure_exit.
exit_code run_send(const send_options& options);

}  // namespace mnet::tool
