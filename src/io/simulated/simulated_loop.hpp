// The simulated engine: an io::loop whose kernel is a simulated world. It turns requests into calls on the network, and the answers'
// events into answers. When anything happens is the world's to say; nothing here waits.
#pragma once
#include "io/loop.hpp"
#include "io/simulated/socket.hpp"
#include "io/simulated/timeline.hpp"

#include <chrono>
#include <optional>
#include <span>
#include <string_view>

namespace mnet::inline v1::io::simulated {

class world;

class simulated_loop final : public io::loop {
public:
    simulated_loop(world& home, int machine);
    /// Its streams and listeners are closed as a process's end closes them: their peers are told, nobody is answered.
    ~simulated_loop() override;

    int machine() const noexcept { return machine_; }
    std::string_view name() const noexcept override { return "simulated"; }
    bool has_descriptors() const noexcept override { return false; }
    std::chrono::nanoseconds now() const noexcept override;

    result<endpoint> listen(io::listener& listener, const endpoint& where, const listen_settings& settings) override;
    void accept(io::listener& listener) noexcept override;
    void close(io::listener& listener) noexcept override;
    result<> attach(io::stream& stream, int handle) noexcept override;
    int release(io::stream& stream) noexcept override;
    std::uint64_t random() noexcept override;
    void discard(int handle) noexcept override;
    void connect(io::stream& stream, const endpoint& where) noexcept override;
    void configure(io::stream& stream, const stream_settings& settings) noexcept override;
    void receive(io::stream& stream) noexcept override;
    void cancel_receive(io::stream& stream) noexcept override;
    result<std::size_t> try_receive(io::stream& stream, std::span<std::byte> target) noexcept override;
    std::optional<result<std::size_t>> send(io::stream& stream, std::span<const std::byte> bytes) noexcept override;
    result<> finish(io::stream& stream) noexcept override;
    void close(io::stream& stream) noexcept override;
    std::size_t unacknowledged_bytes(const io::stream& stream) const noexcept override;
    std::size_t sent_unanswered_bytes_max(const io::stream& stream) const noexcept override;
    result<endpoint> local_endpoint(const io::stream& stream) const noexcept override;
    result<endpoint> remote_endpoint(const io::stream& stream) const noexcept override;
    void wake() noexcept override;
    void run_once(std::chrono::nanoseconds until) noexcept override;

    // For the world.

    std::optional<std::chrono::nanoseconds> next_timer() const noexcept { return timers_.next(); }
    void expire_timers() noexcept;
    void answer(const event& what) noexcept;
    /// How many answers, timers and wakes this loop has had: run_once returns when it has grown.
    std::uint64_t turns() const noexcept { return turns_; }

private:
    void answer_connect(socket& of) noexcept;
    void answer_accept(acceptor& of) noexcept;
    void answer_receive(socket& of) noexcept;
    void answer_send(socket& of) noexcept;
    void answer_close(io::stream& stream) noexcept;
    socket& socket_of(const io::stream& stream) const noexcept;
    void enter_kernel() noexcept;
    void check_fingerprint(const socket& of) const noexcept;

    world& world_;
    const int machine_;
    std::uint64_t turns_ = 0;
    bool wake_due_ = false;
    bool woken_twice_ = false;
};

}  // namespace mnet::inline v1::io::simulated
