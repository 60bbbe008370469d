// The words of our error category, and which of the standard's conditions its codes are instances of. A message says what happened and
// what to do; to whom, the one who reports it knows.
#include <mnet/error.hpp>

#include <string>

namespace mnet::inline v1 {

namespace {

const char* describe(errc code) noexcept {
    switch (code) {
        case errc::no_data_yet:
            return "no whole message has arrived yet; ask again later, or wait with read";
        case errc::would_block:
            return "too many bytes are unsent; nothing was lost: wait with flush, then write again";
        case errc::already_closed:
            return "the client is closed on this side; reconnect it, or connect a new one";
        case errc::end_of_stream:
            return "the peer finished; all of its messages were read";
        case errc::truncated:
            return "the connection ended inside a message; the messages before it were read, ask the peer for this one again";
        case errc::message_too_large:
            return "the message is longer than allowed; raise message_bytes_max (reading) or reserve more (writing). "
                   "If it should be short, the peer does not speak this protocol";
        case errc::peer_speaks_tls:
            return "the peer speaks TLS; this end does not: connect with tls://, or set .tls";
        case errc::peer_speaks_http:
            return "the peer speaks HTTP; this is a message port, check the address and the port";
        case errc::unexpected_proxy_header:
            return "a proxy sent a PROXY v2 header, which this end does not take; switch it off in the proxy";
        case errc::invalid_address:
            return "this is no address; write host:port, [v6]:port, tcp://host:port, tls://host:port, unix:///path, unix://@name or "
                   "shm://name";
        case errc::blocks_the_loop:
            return "waiting here would stop every client of this event loop; use the async_ form in a coroutine";
        case errc::too_many_clients:
            return "the network is full; raise clients_max, or try again when a client has left";
        case errc::handler_threw:
            return "the handler threw an exception and its client was closed; catch it in the handler";
        case errc::protocol_violation:
            return "the peer broke the rules of the shared memory and was cut off; don't trust it, or connect with shared_memory off";
        case errc::peer_silent:
            return "the peer was silent for too long: it, or the way to it, is dead; reconnect, or allow for more with dead_after";
        case errc::message_too_slow:
            return "a message began to arrive and did not end in time; if the line is that slow, raise message_timeout";
        case errc::reconnecting:
            return "the connection was lost and is being made anew; nothing was taken: write again later, or wait with read";
        case errc::reconnected:
            return "the connection was lost, and is there again; ask again what was not answered, and read again";
        case errc::message_dropped:
            return "the client is at its bound and the message was dropped; it is counted in messages_dropped";
        case errc::too_slow:
            return "the peer read too slowly for too long, and was cut off; raise unsent_bytes_max or overload.patience if it should not "
                   "be";
    }
    return "not an error code of mnet";
}

class mnet_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "mnet"; }
    std::string message(int code) const override { return describe(static_cast<errc>(code)); }

    std::error_condition default_error_condition(int code) const noexcept override {
        switch (static_cast<errc>(code)) {
            case errc::no_data_yet:
            case errc::would_block:
                return std::errc::operation_would_block;
            case errc::message_too_large:
                return std::errc::message_size;
            case errc::peer_speaks_tls:
            case errc::peer_speaks_http:
            case errc::unexpected_proxy_header:
                return std::errc::protocol_error;
            case errc::invalid_address:
                return std::errc::invalid_argument;
            case errc::blocks_the_loop:
                return std::errc::resource_deadlock_would_occur;
            default:
                return {code, *this};
        }
    }
};

}  // namespace

const std::error_category& category() noexcept {
    static const mnet_category instance;
    return instance;
}

}  // namespace mnet::inline v1
