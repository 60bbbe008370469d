// A block whose first bytes are kept for the length, so that length and payload leave as one piece.
#include <mnet/buffer.hpp>

#include "base/block_pool.hpp"

#include <mnet/client.hpp>
#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <cstdint>

namespace mnet::inline v1 {

buffer::buffer(base::block* made, std::size_t bytes) noexcept : block_(made) {
    block_->begin = 0;
    block_->end = wire::header_bytes + bytes;
}

void buffer::deleter::operator()(base::block* owned) const noexcept { base::delete_block(owned); }

result<buffer> buffer::make(std::size_t bytes) noexcept {
    base::block* const made = bytes > wire::length_max ? nullptr : base::new_block(wire::header_bytes + bytes);
    if (made == nullptr) return failure(std::errc::not_enough_memory);
    return buffer(made, bytes);
}

std::span<std::byte> buffer::bytes() noexcept {
    if (!block_) return {};
    return {block_->data() + wire::header_bytes, block_->end - wire::header_bytes};
}

std::span<const std::byte> buffer::bytes() const noexcept {
    if (!block_) return {};
    return {block_->data() + wire::header_bytes, block_->end - wire::header_bytes};
}

void buffer::shrink(std::size_t bytes) noexcept {
    if (block_) block_->end = std::min(block_->end, wire::header_bytes + bytes);
}

base::block* buffer::frame() noexcept {
    if (block_) wire::store_length(block_->data(), static_cast<std::uint32_t>(size()));
    return block_.get();
}

result<> client::send(buffer&& payload) noexcept {
    base::block* const frame = payload.frame();
    if (frame == nullptr) return failure(std::errc::invalid_argument);
    auto appended = transport_->append(*frame);
    if (appended) payload.sent();
    return appended;
}

result<buffer> client::make_buffer(std::size_t bytes) noexcept {
    base::block* const made = bytes > wire::length_max ? nullptr : transport_->give_block(bytes);
    if (made == nullptr) return failure(std::errc::not_enough_memory);
    return buffer(made, bytes);
}

}  // namespace mnet::inline v1
