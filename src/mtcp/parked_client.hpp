// A TLS client of a blocking handler, before it has a thread: its stream waits on the loop that accepted it until its first bytes have come, and until
// its handshake may begin, as the others do there (handshakes.hpp). Then it leaves the loop, and gets a thread, a loop and a connection of its own.
//
// Nothing is lost by that: a TLS server never speaks first. What is won is that who is silent costs a stream, and no thread.
//
// Thread: the accepting loop's.
#pragma once
#include "base/block_pool.hpp"
#include "base/intrusive_list.hpp"
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "mtcp/handshakes.hpp"

#include <mnet/error.hpp>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>

namespace mnet::inline v1::mtcp::detail {

class worker;

struct parked_tag;

class parked_client final : public newcomer, public base::list_hook<parked_tag>, private io::stream {
public:
    /// Lives until its stream is closed, or until it has begun.
    explicit parked_client(worker& host) noexcept;

    /// Takes over an accepted handle. After an error the handle is closed, and `let_go` ends the client.
    result<> attach(int accepted) noexcept;
    void let_go() noexcept;

    /// The network stops.
    void stop() noexcept;

    // For the connection that takes over:
    /// What has come, in a block that is no pool's any more.
    base::block& give_first_bytes() noexcept;
    /// Until its handshake has to be done.
    std::chrono::nanoseconds time_left() const noexcept;

private:
    ~parked_client();

    // newcomer
    void begin() noexcept override;
    void cut() noexcept override;

    // io::stream
    void connected(result<> outcome) noexcept override;
    std::span<std::byte> lend() noexcept override;
    void received(result<std::size_t> bytes) noexcept override;
    void sent(result<std::size_t> bytes) noexcept override;
    void closed() noexcept override;

    void fail(std::error_code why) noexcept;
    void end(std::error_code why, const std::string& peer) noexcept;
    std::string text_of_peer() const noexcept;

    worker& host_;
    base::block* first_bytes_ = nullptr;
    base::timer timer_;  // of the handshake
};

}  // namespace mnet::inline v1::mtcp::detail
