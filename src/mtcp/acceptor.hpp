// A worker's listening socket: accepts for the network, and pauses, without spinning, until a client leaves or a moment has passed: while the
// process has no descriptor or memory for another client, or no further TLS handshake may begin (handshakes.hpp).
#pragma once
#include "base/timer_wheel.hpp"
#include "io/loop.hpp"

namespace mnet::inline v1::mtcp::detail {

class network_core;
class worker;

class acceptor final : public io::listener {
public:
    /// side: where processes of this host meet the network to share memory with it.
    enum class door : std::uint8_t { front, side };

    acceptor(worker& worker, network_core& network, door which) noexcept;
    ~acceptor() { close(); }

    result<io::endpoint> listen(const io::endpoint& where, const io::listen_settings& settings);
    void close() noexcept;

    /// Accepts no more until handshakes that wait have begun.
    void hold() noexcept;

private:
    void accepted(result<int> client) noexcept override;
    void go_on() noexcept;
    void resume() noexcept;

    worker& worker_;
    network_core& network_;
    const door which_;
    base::timer retry_;
    bool paused_ = false;
};

}  // namespace mnet::inline v1::mtcp::detail
