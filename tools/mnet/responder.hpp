// What `mnet serve` answers to a message, in each of the three shapes of a handler.
#pragma once
#include "serve.hpp"

#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/mtcp/network.hpp>
#include <mnet/mtcp/options.hpp>

#include <string>

namespace mnet::tool {

struct responder {
    tool::service service = service::echo;  // echo, discard or reply
    std::string reply_text{};

    /// Commits the answer. Errors: as client::send.
    result<> respond(client& client, const message& message) const noexcept {
        switch (service) {
            case service::echo:
                return client.send(message.bytes());
            case service::reply:
                return client.send(reply_text);
            default:
                return {};
        }
    }
};

/// Starts a network whose handler, of the shape asked for, answers as `responder` does. It outlives the network.
result<mtcp::network> listen_with(const mtcp::listen_options& options, handler_shape shape, const responder& responder);

}  // namespace mnet::tool
