// The payload of one large message, in memory of its own: filled anywhere, on any thread, and sent by pointer.
//
//     auto image = client.make_buffer(4'000'000);      // or mnet::buffer::make, without a client
//     render(image->bytes());
//     client.send(*std::move(image));                  // no copy: `client::send` takes the memory over
//
// Small messages are written in place with `client::write`, which costs less.
//
// Thread: one at a time. Lifetime: its own; it refers to no client and no loop.
#pragma once
#include <mnet/error.hpp>
#include <mnet/export.hpp>

#include <cstddef>
#include <memory>
#include <span>

namespace mnet::inline v1 {

namespace base {
struct block;
}  // namespace base

class [[nodiscard]] MNET_API buffer {
public:
    /// Memory for `bytes` of payload, not initialised. Errors: std::errc::not_enough_memory.
    static result<buffer> make(std::size_t bytes) noexcept;

    /// The payload. Empty once the buffer was sent or moved from.
    std::span<std::byte> bytes() noexcept;
    std::span<const std::byte> bytes() const noexcept;
    std::size_t size() const noexcept { return bytes().size(); }

    /// Makes the payload shorter: `bytes` of the front stay. More than there are changes nothing.
    void shrink(std::size_t bytes) noexcept;

private:
    friend class client;

    struct MNET_API deleter {
        void operator()(base::block* owned) const noexcept;
    };
    buffer(base::block* made, std::size_t bytes) noexcept;
    base::block* frame() noexcept;
    void sent() noexcept { (void)block_.release(); }

    std::unique_ptr<base::block, deleter> block_;
};

}  // namespace mnet::inline v1
