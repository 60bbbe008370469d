// From the text of an address to an open connection: resolve, then try every endpoint in turn, all before one deadline.
#pragma once
#include "mtcp/connection.hpp"
#include "mtcp/environment.hpp"

#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace mnet::inline v1::mtcp::detail {

limits limits_of(const connect_options& options) noexcept;

carrying carrying_of(const connect_options& options) noexcept;

/// How long dialing may take.
std::chrono::nanoseconds dial_span(const connect_options& options) noexcept;

/// Opens `target`, whose loop is private, and waits. Errors: as `mtcp::connect`.
result<> dial(connection& target, std::string_view text, std::chrono::nanoseconds span, const carrying& how, const operation& op);

/// `mtcp::connect` in a world of one's choice, which outlives the client.
result<client> dial_blocking(const environment& world, std::string_view text, const connect_options& options, const operation& op);

/// On a shared loop.
task<result<client>> dial_on(worker& where, std::string text, limits limits, std::chrono::nanoseconds span, carrying how);

}  // namespace mnet::inline v1::mtcp::detail
