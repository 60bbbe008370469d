// The program that every row of a benchmark is compared with: the same frames and the same checks on bare sockets, as a careful
// programmer writes them by hand. Frames are batched in a 64 KiB buffer, up to 256 KiB are received at a time and cut in place, nothing is
// allocated on the way, Nagle's delay is off. It shares no code with the library's data path.
//
// - plain_sockets.cpp: `connection`, one blocking socket with its two buffers.
// - plain_work.cpp: stream and ping-pong over a connection, both ends.
// - plain_echo.cpp: many connections at once over epoll, the client's end. plain_latency.cpp: the same at a fixed rate.
// - plain_server.cpp: the server: epoll for many, a blocking connection while a stream or a ping-pong lasts.
#pragma once
#include "base/unique_fd.hpp"
#include "measurement.hpp"
#include "protocol.hpp"

#include <mnet/error.hpp>
#include <mnet/wire/frame.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::bench {
class open_loop;
}  // namespace mnet::bench

namespace mnet::bench::plain {

inline constexpr std::size_t send_buffer_bytes = std::size_t{64} << 10;
inline constexpr std::size_t receive_buffer_bytes = std::size_t{256} << 10;

/// How long a peer may be silent inside a benchmark before it is given up.
inline constexpr std::chrono::seconds patience{30};

/// How a thread waits for input: asleep in the kernel, or polling for up to `spin_time` first.
enum class waiting : std::uint8_t { blocking, spinning };
constexpr waiting waiting_for(bool spin) noexcept { return spin ? waiting::spinning : waiting::blocking; }

/// A blocking socket to or from `address` (mnet/address.hpp). Errors: as mtcp::connect and mtcp::listen.
result<base::unique_fd> connect_socket(const std::string& address);
result<base::unique_fd> listening_socket(const std::string& address);
result<std::string> address_of(int socket);

/// What errno says now.
std::error_code last_error() noexcept;

/// `bytes` with nothing in them yet.
inline std::unique_ptr<std::byte[]> raw_memory(std::size_t bytes) { return std::make_unique_for_overwrite<std::byte[]>(bytes); }

class connection {
public:
    /// Buffers are made to hold at least one message of `message_bytes`.
    connection(base::unique_fd socket, waiting how, std::size_t message_bytes);

    /// Room for the payload of the next frame, in the buffer; sends what is there first when it would not fit. Null: `error()` says why.
    std::byte* room(std::size_t bytes) noexcept {
        if (send_capacity_ - send_used_ < bytes + wire::header_bytes) [[unlikely]]
            if (!flush()) return nullptr;
        return send_buffer_.get() + send_used_ + wire::header_bytes;
    }
    /// Puts the length in front of the payload. `bytes` is what `room` was asked for, or less.
    void commit(std::size_t bytes) noexcept {
        wire::store_length(send_buffer_.get() + send_used_, static_cast<std::uint32_t>(bytes));
        send_used_ += wire::header_bytes + bytes;
    }

    /// Sends all that is committed. Errors: the kernel's.
    result<> flush() noexcept;

    /// The payload of the next frame, in the buffer until the next read; waits for it.
    /// Errors: the kernel's, errc::end_of_stream, errc::message_too_large, std::errc::timed_out.
    result<std::span<const std::byte>> read() noexcept {
        if (const std::size_t ready = whole_frame(); ready != 0) [[likely]]
            return take(ready);
        if (auto filled = fill(); !filled) return std::unexpected(filled.error());
        return take(whole_frame());
    }

    result<> send_text(std::string_view text) noexcept;

    std::error_code error() const noexcept { return error_; }
    std::uint64_t system_calls() const noexcept { return system_calls_; }
    base::unique_fd release() noexcept { return std::move(socket_); }

private:
    /// Bytes of the frame at the front when it is there as a whole, else 0.
    std::size_t whole_frame() const noexcept {
        const std::size_t available = received_ - taken_;
        if (available < wire::header_bytes) return 0;
        const std::size_t bytes = wire::header_bytes + wire::load_length(receive_buffer_.get() + taken_);
        return bytes <= available ? bytes : 0;
    }
    std::span<const std::byte> take(std::size_t frame_bytes) noexcept {
        const std::byte* const payload = receive_buffer_.get() + taken_ + wire::header_bytes;
        taken_ += frame_bytes;
        return {payload, frame_bytes - wire::header_bytes};
    }
    result<> fill() noexcept;
    ssize_t receive(std::span<std::byte> target) noexcept;

    base::unique_fd socket_;
    waiting how_;
    std::size_t send_capacity_;
    std::size_t receive_capacity_;
    std::unique_ptr<std::byte[]> send_buffer_;
    std::unique_ptr<std::byte[]> receive_buffer_;
    std::size_t send_used_ = 0;
    std::size_t received_ = 0;  // invariant: taken_ <= received_ <= receive_capacity_
    std::size_t taken_ = 0;
    std::uint64_t system_calls_ = 0;
    std::error_code error_{};
};

/// Asks and waits for the answer. Errors also: errc::end_of_stream, std::errc::protocol_error when the answer is none of ours.
result<answer> ask(connection& connection, const request& request);

/// `count` messages of `size` bytes, one way; until the receiver's report.
result<measurement> measure_stream(connection& connection, std::uint64_t count, std::size_t size);

/// One message at a time, there and back; `latencies_ns` gets one entry for each (it has room for `count` more).
result<measurement> measure_pingpong(connection& connection, std::uint64_t count, std::size_t size,
                                     std::vector<std::uint64_t>& latencies_ns);

/// The other ends of the two: after the request was read.
result<> receive_stream(connection& connection, const request& request);
result<> answer_pingpong(connection& connection, const request& request);

/// Many connections that echo, driven by one thread over epoll, `depth` messages in flight on each.
class echo_clients {
public:
    static result<echo_clients> open(const std::string& address, std::size_t count, std::size_t depth, std::size_t size, waiting how);

    echo_clients(echo_clients&&) noexcept;
    echo_clients& operator=(echo_clients&&) noexcept;
    ~echo_clients();

    /// Round trips for `duration`, then those in flight are awaited. The receiver's usage is left to the caller. A round trip that did
    /// not end within `patience` is not delivered.
    result<measurement> measure(std::chrono::nanoseconds duration);

    /// One round trip on each.
    result<measurement> measure_one_each();

private:
    struct state;
    explicit echo_clients(std::unique_ptr<state> made) noexcept;
    result<measurement> run(std::chrono::nanoseconds duration, std::size_t depth);

    std::unique_ptr<state> state_;
};

/// Many connections that echo, driven by one thread that polls: an open loop.
class paced_clients {
public:
    static result<paced_clients> open(const std::string& address, std::size_t count, std::size_t size);

    paced_clients(paced_clients&&) noexcept;
    paced_clients& operator=(paced_clients&&) noexcept;
    ~paced_clients();

    /// Writes what `plan` has due, until all is answered. The receiver's usage is left to the caller.
    result<measurement> measure(open_loop& plan);

private:
    struct state;
    explicit paced_clients(std::unique_ptr<state> made) noexcept;

    std::unique_ptr<state> state_;
};

/// Serves on a listening socket until the process is ended. Returns on an error only.
std::error_code serve(base::unique_fd listening, waiting how);

}  // namespace mnet::bench::plain
