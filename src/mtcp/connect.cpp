// The public functions of connecting: they choose world and loop, and leave the work to dial.
#include <mnet/mtcp/connect.hpp>

#include "mtcp/connection.hpp"
#include "mtcp/dial.hpp"
#include "mtcp/environment.hpp"
#include "mtcp/loop_access.hpp"

#include <string>
#include <utility>

namespace mnet::inline v1::mtcp {

namespace {

task<result<client>> dial_on(detail::worker& where, std::string_view address, const connect_options& options) {
    return detail::dial_on(where, std::string(address), detail::limits_of(options), detail::dial_span(options),
                           detail::carrying_of(options));
}

task<result<client>> fail_with(std::error_code why) { co_return failure(why); }

}  // namespace

result<client> connect(std::string_view address, const connect_options& options, const operation& op) {
    return detail::dial_blocking(detail::kernel(), address, options, op);
}

task<result<client>> async_connect(loop& loop, std::string_view address, const connect_options& options) {
    return dial_on(loop_access::worker(loop), address, options);
}

task<result<client>> async_connect(client& beside, std::string_view address, const connect_options& options) {
    auto* const neighbour = dynamic_cast<detail::connection*>(&client_access::transport(beside));
    if (neighbour == nullptr || neighbour->host().is_private()) return fail_with(std::make_error_code(std::errc::operation_not_supported));
    return dial_on(neighbour->host(), address, options);
}

}  // namespace mnet::inline v1::mtcp
