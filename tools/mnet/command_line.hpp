// The command line of `mnet`, turned into options that are complete and in range. Help, version and usage errors are printed here.
#pragma once
#include "bench.hpp"
#include "cert.hpp"
#include "send.hpp"
#include "serve.hpp"

#include <expected>
#include <variant>

namespace mnet::tool {

using command = std::variant<serve_options, send_options, bench_options, cert_options>;

/// What to do; or, when there is nothing to do any more, how to exit.
std::expected<command, exit_code> parse_command_line(int argument_count, const char* const* arguments);

}  // namespace mnet::tool
