// What a client stands on, and the one thing that differs between transports: two windows (docs/architecture.md), used inline by
// client and writer as long as they last, and virtual calls for when they are used up. For those who write a transport; users
// have `client`.
//
// Thread: the client's, but for `close`.
#pragma once
#include <mnet/error.hpp>
#include <mnet/operation.hpp>
#include <mnet/overload.hpp>
#include <mnet/statistics.hpp>
#include <mnet/wire/decoder.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::inline v1::base {
struct block;
}  // namespace mnet::inline v1::base

namespace mnet::inline v1::detail {

class mailbox;

/// Contiguous writable bytes: the next frame's length goes to `next`, and its payload ends at `limit` at most. Both null when no
/// memory is lent.
struct send_window {
    std::byte* next = nullptr;
    std::byte* limit = nullptr;
    bool writer_open = false;    // a writer points into it: the memory must stay
    std::uint64_t messages = 0;  // committed; their bytes are counted by who drains the window
};

class MNET_API transport {
public:
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;

    wire::decoder decoder;
    wire::window receive{};
    send_window send{};

    /// A coroutine that has read so many messages lets others have their turn before it reads the next. Counted by the decoder.
    std::uint64_t turn_ends_at = ~std::uint64_t{0};

    /// Makes the send window hold a message of `payload_bytes`. Errors: would_block, already_closed, message_too_large, what ended the
    /// connection, not_enough_memory.
    virtual result<> make_room(std::size_t payload_bytes) noexcept = 0;

    /// Commits a block that holds one whole frame, and takes it over; on an error it stays the caller's. Errors: as make_room.
    virtual result<> append(base::block& frame) noexcept = 0;

    /// A block for a message of `payload_bytes`, warm where there is one; nullptr when the system has no memory.
    virtual base::block* give_block(std::size_t payload_bytes) noexcept = 0;

    /// Makes the decoder `ready` for the receive window (a message, or a refused length), without waiting. Errors: no_data_yet, what ended
    /// the connection.
    virtual result<> try_fill() noexcept = 0;

    /// Waits until the decoder is `ready` for the receive window. Flushes first. Errors: as `client::read`.
    virtual result<> fill(const operation& op) noexcept = 0;

    virtual result<> flush(const operation& op) noexcept = 0;
    virtual result<> set_overload(const overload& option) noexcept = 0;
    virtual result<> wait_for_room(const operation& op) noexcept = 0;
    virtual delivery close(const operation& op) noexcept = 0;
    virtual result<> reconnect(std::string_view address) = 0;
    virtual delivery last_delivery() const noexcept = 0;

    /// The waits of coroutines. `start_` gives false when there is nothing to wait for; otherwise `waiting` is resumed later, once,
    /// and `finish_` says how it went. A wait is withdrawn by `abandon`, when its coroutine is destroyed.
    virtual bool start_fill(std::coroutine_handle<> waiting, const operation& op) noexcept = 0;
    virtual result<> finish_fill() noexcept = 0;
    virtual bool start_flush(std::coroutine_handle<> waiting, const operation& op) noexcept = 0;
    virtual result<> finish_flush() noexcept = 0;
    virtual bool start_room(std::coroutine_handle<> waiting, const operation& op) noexcept = 0;
    virtual result<> finish_room() noexcept = 0;
    virtual bool start_close(std::coroutine_handle<> waiting, const operation& op) noexcept = 0;
    virtual delivery finish_close() noexcept = 0;
    virtual void abandon(std::coroutine_handle<> waiting) noexcept = 0;

    /// The owner of a `client` made by `connect` lets go of it: drains as its options say, then frees itself.
    virtual void release() noexcept = 0;

    virtual bool live() const noexcept = 0;
    virtual std::uint64_t id() const noexcept = 0;
    virtual std::string_view name() const noexcept = 0;
    virtual std::string peer_name() const { return {}; }
    virtual std::string_view engine() const noexcept = 0;
    virtual std::uint64_t system_calls() const noexcept = 0;
    virtual network_statistics loop_statistics() noexcept = 0;
    virtual std::string local_address() const = 0;
    virtual std::string remote_address() const = 0;
    virtual std::uint64_t unsent_bytes() const noexcept = 0;
    virtual client_statistics statistics() const noexcept = 0;
    virtual delivery delivered() const noexcept = 0;
    virtual std::string explain() const = 0;
    virtual std::shared_ptr<mailbox> box() = 0;
    virtual std::vector<std::shared_ptr<mailbox>> other_boxes() = 0;

    /// A client was moved: its next caller may be another thread, and becomes the owner.
    virtual void moved() noexcept = 0;

protected:
    explicit transport(std::size_t message_bytes_max) noexcept : decoder(message_bytes_max) {}
    ~transport() = default;
};

}  // namespace mnet::inline v1::detail
