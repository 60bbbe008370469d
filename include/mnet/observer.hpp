// What happens to clients, told as it happens: for logs, meters and alarms. An observer is given to `listen` or `connect` by its options.
//
//     struct log final : mnet::observer {
//         void closed(const mnet::observed& who, std::error_code why, const mnet::delivery& told) noexcept override { ... }
//     };
//     log events;
//     auto network = mtcp::listen({.address = "localhost:5050", .observer = &events}, handler);
//
// Of each client, first `accepted` or `connected` is told, then what happens to it, and `closed` last, once; of one that returns by itself, the same
// with each return. A peer that never became a client is `refused`. Where the system has no memory to remember a client with, nothing is told of it.
//
// Thread: the loop's of that client, or the one that uses it; so the functions of a network's observer run on several threads at the same
// time where it has several loops or a blocking handler. They hold up that loop: they must not wait, and must not use a client or the network.
// Lifetime: borrowed. A network's is told nothing any more once `stop` has returned; that of `connect` outlives the client.
// Cost: none on the way of messages. An observed client takes some 250 bytes more, allocated when it comes; telling allocates nothing.
#pragma once
#include <mnet/statistics.hpp>

#include <cstdint>
#include <string_view>
#include <system_error>

namespace mnet::inline v1 {

/// Whose event it is. The texts are lent for the call.
struct observed {
    std::uint64_t client = 0;      // client::id(); 0: it never was one
    std::string_view address{};    // the peer's; empty where it has none, or is gone already
    std::string_view transport{};  // as client::transport()
};

class observer {
public:
    observer() = default;
    observer(const observer&) = delete;
    observer& operator=(const observer&) = delete;

    /// A network has a new client: its handler begins. With TLS, after the handshake.
    virtual void accepted(const observed&) noexcept {}

    /// A connect, or a reconnect, has ended well.
    virtual void connected(const observed&) noexcept {}

    /// A peer was turned away by a network: errc::too_many_clients, what was wrong with its handshake, or what the kernel said.
    virtual void refused(const observed&, std::error_code /*why*/) noexcept {}

    /// A client takes less than is written to it: its unsent bytes have reached a bound, and what its options say happens now. Told again when
    /// half of them had left in between.
    virtual void slow(const observed&, std::uint64_t /*unsent_bytes*/) noexcept {}

    /// Messages to a client were dropped at its bound, by its policy (mnet/overload.hpp): so many now.
    virtual void dropped(const observed&, std::uint64_t /*messages*/, std::uint64_t /*payload_bytes*/) noexcept {}

    /// A client has ended. `why`: errc::end_of_stream (the peer finished), errc::already_closed (we did), std::errc::operation_canceled (the
    /// network stops), or what ended it. `told`: what became of what was committed.
    virtual void closed(const observed&, std::error_code /*why*/, const delivery& /*told*/) noexcept {}

protected:
    ~observer() = default;  // nobody owns one through this
};

}  // namespace mnet::inline v1
