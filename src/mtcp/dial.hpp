// From the text of addresses to an open connection: resolve, meet in memory or race for the first endpoint that answers, shake hands; all before
// one deadline.
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

carrying carrying_of(const connect_options& options) noexcept;

/// How long dialing may take.
std::chrono::nanoseconds dial_span(const connect_options& options) noexcept;

/// Opens `target`, which outlives it: the addresses of the list `text` in turn, each with its share of the time that is left. Of one that was
/// open before nothing is left then but its counters. Errors: as `mtcp::connect`.
task<result<>> dial(connection& target, std::string text, std::chrono::nanoseconds span, carrying how);

/// `mtcp::connect` in a world of one's choice, which outlives the client.
result<client> dial_blocking(const environment& world, std::string_view text, const connect_options& options, const operation& op);

/// On a shared loop.
task<result<client>> dial_on(worker& where, std::string text, limits limits, std::chrono::nanoseconds span, carrying how);

}  // namespace mnet::inline v1::mtcp::detail
