// The epoll engine (epoll(7)): readiness made into completions. A socket is registered once, edge-triggered, for both directions; a request
// tries at once or waits for the edge. So a turn of a client costs one receive and one send, and nothing is ever re-armed.
#pragma once
#include "base/clock.hpp"
#include "base/unique_fd.hpp"
#include "io/loop.hpp"

#include <array>
#include <memory>
#include <sys/epoll.h>

namespace mnet::inline v1::io {

/// Errors: the kernel's (too_many_files_open, not_enough_memory).
result<std::unique_ptr<loop>> make_epoll_loop();

class epoll_loop final : public loop {
public:
    epoll_loop(base::unique_fd epoll, base::unique_fd wake) noexcept;

    std::string_view name() const noexcept override { return "epoll"; }
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
    bool emptied(const stream& stream) const noexcept override { return !stream.readable; }
    result<std::size_t> try_receive(stream& stream, std::span<std::byte> target) noexcept override;
    std::optional<result<std::size_t>> send(stream& stream, std::span<const std::byte> bytes) noexcept override;
    result<> finish(stream& stream) noexcept override;
    void close(stream& stream) noexcept override;
    std::size_t unacknowledged_bytes(const stream& stream) const noexcept override;
    result<endpoint> local_endpoint(const stream& stream) const noexcept override;
    result<endpoint> remote_endpoint(const stream& stream) const noexcept override;
    void wake() noexcept override;
    void call_again() noexcept override { called_again_ = true; }
    void run_once(std::chrono::nanoseconds until) noexcept override;

private:
    result<> watch(int descriptor, std::uint32_t events, void* what) noexcept;
    void forget(int descriptor, const void* what) noexcept;
    void wait(std::chrono::nanoseconds until) noexcept;
    int ask(int milliseconds) noexcept;
    void take(const epoll_event& event) noexcept;
    void make_ready(registration& what) noexcept;
    void serve(stream& stream) noexcept;
    void serve(listener& listener) noexcept;
    void answer_connect(stream& stream) noexcept;
    void answer_send(stream& stream) noexcept;
    bool answer_receive(stream& stream) noexcept;
    bool poll(std::chrono::nanoseconds until) noexcept;
    bool drain_wake() noexcept;

    base::steady_clock clock_{};
    base::unique_fd epoll_;
    base::unique_fd wake_;
    bool wake_rang_ = false;
    bool called_again_ = false;
    stream* recent_ = nullptr;                    // received last
    unsigned answers_unasked_ = 0;                // of it, since all were asked
    bool had_events_ = false;                     // since it last polled in vain
    base::intrusive_list<registration> ready_;    // streams with something to answer
    base::intrusive_list<registration> closing_;  // streams whose `closed` is due
    base::intrusive_list<registration> accepting_;
    const listener* serving_ = nullptr;  // whose accepts are being answered, until it closes
    std::array<epoll_event, 256> events_{};
    int events_taken_ = 0;
    int events_count_ = 0;
};

}  // namespace mnet::inline v1::io
