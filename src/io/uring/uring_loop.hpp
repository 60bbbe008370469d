// The io_uring engine (io_uring(7)): a stream's receive is asked for once and answered again and again, out of buffers that the kernel
// chooses from; small sends leave together, with the call that waits. So a loop with many clients makes one system call for what all of them
// sent and are sent.
//
// What is large goes around that: a stream whose bytes come in bulk is polled and read straight into the window that its owner lends, and
// large sends are made at once.
//
// uring_loop.cpp: the turn, and what completes; receiving.cpp: bytes in; sending.cpp: bytes out, and connecting; listening.cpp: accepting;
// closing.cpp: the end of a stream, and moving to another thread.
#pragma once
#include "base/block_pool.hpp"
#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "io/loop.hpp"
#include "io/uring/provided_buffers.hpp"
#include "io/uring/ring.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mnet::inline v1::io {

struct uring_settings {
    uring::ring::sizes queues;
    uring::provided_buffers::shape buffers;
    std::size_t queued_send_bytes_max;  // sends up to this size leave with the next turn, all of them by one system call
};

/// A loop of many clients: throughput. Of one, that a thread runs by itself: nothing is put off.
inline constexpr uring_settings uring_for_many{
    .queues = {.requests = 1024, .completions = 4096}, .buffers = {.count = 16, .bytes_each = 16 << 10}, .queued_send_bytes_max = 16 << 10};
inline constexpr uring_settings uring_for_one{
    .queues = {.requests = 8, .completions = 64}, .buffers = {.count = 4, .bytes_each = 8 << 10}, .queued_send_bytes_max = 0};

/// What the kernel refused and the loop does without is named in `*without`, where that is given.
/// Errors: uring::refusal.
result<std::unique_ptr<loop>> make_uring_loop(const uring_settings& settings, std::string* without = nullptr);

class uring_loop final : public loop {
public:
    explicit uring_loop(const uring_settings& settings) noexcept;
    ~uring_loop() override;

    /// To be called once. Errors: uring::refusal.
    result<> open();

    /// Whether the kernel chooses where received bytes go, and whether it fills its buffers densely.
    bool receives_into_buffers() const noexcept { return shots_; }
    bool fills_densely() const noexcept { return buffers_.incremental(); }

    std::string_view name() const noexcept override { return "uring"; }
    std::chrono::nanoseconds now() const noexcept override { return clock_.now(); }
    result<endpoint> listen(listener& listener, const endpoint& where, const listen_settings& settings) override;
    void accept(listener& listener) noexcept override;
    void close(listener& listener) noexcept override;
    result<> attach(stream& stream, int handle) noexcept override;
    int release(stream& stream) noexcept override;
    void discard(int handle) noexcept override;
    void connect(stream& stream, const endpoint& where) noexcept override;
    void configure(stream& stream, const stream_settings& settings) noexcept override;
    void receive(stream& stream) noexcept override;
    void cancel_receive(stream& stream) noexcept override { stream.wants_receive = false; }
    bool emptied(const stream& stream) const noexcept override;
    result<std::size_t> try_receive(stream& stream, std::span<std::byte> target) noexcept override;
    std::optional<result<std::size_t>> send(stream& stream, std::span<const std::byte> bytes) noexcept override;
    result<> finish(stream& stream) noexcept override;
    void close(stream& stream) noexcept override;
    std::size_t unacknowledged_bytes(const stream& stream) const noexcept override;
    std::size_t sent_unanswered_bytes_max(const stream& stream) const noexcept override;
    result<endpoint> local_endpoint(const stream& stream) const noexcept override;
    result<endpoint> remote_endpoint(const stream& stream) const noexcept override;
    void wake() noexcept override;
    void call_again() noexcept override { called_again_ = true; }
    void run_once(std::chrono::nanoseconds until) noexcept override;

private:
    /// The low bits of a request's user data; above them is its stream, or the place of its listener.
    static constexpr unsigned tag_bits = 3;
    enum class tag : std::uint8_t { nothing, receive, poll_in, poll_out, send, accept, wake, poll_end };

    /// Up to so many sockets the kernel finishes all its work in one call (it stops after 20 pieces of it, Linux 6.14), so that its word
    /// that there is none can be taken.
    static constexpr std::size_t few = 8;

    /// What of a stream is with the kernel (registration::in_kernel).
    enum request : std::uint8_t {
        receiving = 1,
        polling_in = 2,
        polling_out = 4,
        sending = 8,
        polling_end = 16,
        withdrawing = 32,
        sent = 64
    };

    /// A listening socket. It outlives its listener until the kernel has let go of it.
    struct door {
        listener* owner = nullptr;
        bool armed = false;
        std::vector<int> arrived{};  // accepted, and not asked for yet
    };

    static constexpr std::uint8_t held = receiving | polling_in | polling_out | sending | polling_end;

    static std::uint64_t data_of(stream& stream, tag what) noexcept;
    static std::uint64_t data_of(std::uint32_t place) noexcept;
    static tag tag_of(std::uint64_t user_data) noexcept { return static_cast<tag>(user_data & ((1U << tag_bits) - 1)); }
    io_uring_sqe& prepare(stream& stream, request bit) noexcept;
    void cancel(std::uint64_t user_data) noexcept;

    // The turn
    result<> open_ring();
    void watch_wake() noexcept;
    void wait(std::chrono::nanoseconds until) noexcept;
    void take_all(bool answering) noexcept;
    void take(const uring::completion& done, bool answering) noexcept;
    void take(stream& stream, tag what, const uring::completion& done, bool answering) noexcept;
    bool sees_all() noexcept;
    void serve(stream& stream) noexcept;
    void make_ready(registration& what) noexcept;
    bool drain_wake() noexcept;

    // Bytes in
    void arm(stream& stream) noexcept;
    void watch_end(stream& stream) noexcept;
    void withdraw(stream& stream) noexcept;
    bool is_surely_empty(const stream& stream) const noexcept;
    void received_shot(stream& stream, const uring::completion& done, bool answering) noexcept;
    void answer_pieces(stream& stream, const uring::completion& first) noexcept;
    void keep(stream& stream, std::span<const std::byte> bytes) noexcept;
    std::size_t take_kept(stream& stream, std::span<std::byte> target) noexcept;
    void drop_kept(stream& stream) noexcept;
    void answer_receive(stream& stream) noexcept;
    void weigh(stream& stream, std::size_t bytes, std::size_t room_bytes) noexcept;

    // Bytes out
    void watch_out(stream& stream) noexcept;
    void queue_send(stream& stream) noexcept;
    result<std::size_t> send_now(stream& stream, std::span<const std::byte> bytes) noexcept;
    void answer_send(stream& stream) noexcept;
    void sent_queued(stream& stream, const uring::completion& done, bool answering) noexcept;
    void answer_connect(stream& stream) noexcept;
    void make_blocking(int handle) noexcept;

    // Listening
    void arm(std::uint32_t place) noexcept;
    void take_accept(std::uint32_t place, const uring::completion& done, bool answering) noexcept;
    void turn_away(int handle) noexcept;
    void serve(listener& listener) noexcept;

    // The end
    static void reset(stream& stream) noexcept;
    result<> enrol(stream& stream, int handle) noexcept;
    void strike(stream& stream) noexcept;
    void close_if_free(stream& stream) noexcept;
    void move_here() noexcept;

    base::steady_clock clock_{};
    const uring_settings settings_;
    base::unique_fd wake_{};
    uring::provided_buffers buffers_{};  // outlive the ring
    uring::ring ring_{counters_};
    bool shots_ = false;
    bool wake_rang_ = false;
    bool called_again_ = false;
    base::block_pool kept_;           // bytes that arrived when nobody had asked for them
    std::vector<stream*> streams_{};  // those with a handle, each at its `place`
    std::vector<door> doors_{};       // by a listener's `place`
    base::intrusive_list<registration> ready_;
    base::intrusive_list<registration> closing_;
    base::intrusive_list<registration> accepting_;
};

}  // namespace mnet::inline v1::io
