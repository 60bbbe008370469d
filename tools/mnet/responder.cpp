// The three shapes of one handler: see responder.hpp. Where output piles up because a peer does not read, the per-message shape is paused
// by its loop; the other two wait for room themselves and try again.
#include "responder.hpp"

#include <mnet/task.hpp>

namespace mnet::tool {

namespace {

task<result<>> answer_all_async(client& client, const responder& responder) {
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        auto sent = responder.respond(client, *message);
        while (!sent && sent.error() == errc::would_block) {
            if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
            sent = responder.respond(client, *message);
        }
        if (!sent) co_return sent;
    }
}

result<> answer_all(client& client, const responder& responder) {
    for (;;) {
        auto message = client.read();
        if (!message) return failure(message.error());
        auto sent = responder.respond(client, *message);
        while (!sent && sent.error() == errc::would_block) {
            if (auto flushed = client.flush(); !flushed) return flushed;
            sent = responder.respond(client, *message);
        }
        if (!sent) return sent;
    }
}

}  // namespace

result<mtcp::network> listen_with(const mtcp::listen_options& options, handler_shape shape, const responder& responder) {
    switch (shape) {
        case handler_shape::coroutine:
            return mtcp::listen(options, [&responder](client& client) { return answer_all_async(client, responder); });
        case handler_shape::blocking:
            return mtcp::listen(options, [&responder](client& client) { return answer_all(client, responder); });
        default:
            return mtcp::listen(options, [&responder](client& client, message message) noexcept {
                (void)responder.respond(client, message);  // an error ends the client, and the loop sees it by itself
            });
    }
}

}  // namespace mnet::tool
