// A whole message, borrowed: a view of the bytes where they arrived.
//
// Lifetime: until the next read (`try_read`, `read`, `async_read`, `wait`, `close`, `reconnect`) on the client that gave it, or the end of
// the handler call that got it. Builds with MNET_CHECKED assert on stale use. `to_vector` copies.
//
// Thread: the client's.
#pragma once
#include <mnet/export.hpp>
#include <mnet/wire/decoder.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace mnet::inline v1 {

#if MNET_CHECKED
namespace detail {
/// Prints what went wrong and aborts: a message was used after its lifetime.
[[noreturn]] MNET_API void stale_message() noexcept;
}  // namespace detail
#endif

class message {
public:
    std::span<const std::byte> bytes() const noexcept {
        check();
        return bytes_;
    }
    std::string_view text() const noexcept {
        check();
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }
    std::size_t size() const noexcept { return bytes_.size(); }
    bool empty() const noexcept { return bytes_.empty(); }

    /// A copy of the caller's own. Allocates.
    std::vector<std::byte> to_vector() const { return {bytes().begin(), bytes().end()}; }

private:
    friend class client;
    friend class message_access;

#if MNET_CHECKED
    message(std::span<const std::byte> bytes, const wire::decoder& source) noexcept
        : bytes_(bytes), source_(&source), stamp_(source.messages()) {}
    void check() const noexcept {
        if (source_->messages() != stamp_) detail::stale_message();
    }
#else
    message(std::span<const std::byte> bytes, const wire::decoder&) noexcept : bytes_(bytes) {}
    void check() const noexcept {}
#endif

    std::span<const std::byte> bytes_;
#if MNET_CHECKED
    const wire::decoder* source_;
    std::uint64_t stamp_;
#endif
};

}  // namespace mnet::inline v1
