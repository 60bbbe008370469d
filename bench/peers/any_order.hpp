// For the peers that carry messages over many connections of one socket: what is sent next is the library's choice of connection, and replies
// come back in any order. Each still says its own number at both ends, none may come twice, and none may be missing.
#pragma once
#include "peer_program.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace mnet::bench::peers {

class any_order {
public:
    explicit any_order(std::size_t size) noexcept : size_(size) {}

    void begin(std::uint64_t until_ns) noexcept {
        *this = any_order(size_);
        until_ns_ = until_ns;
    }

    /// The number of the next message.
    std::uint64_t sent() noexcept {
        sum_ += measured_.messages;
        return measured_.messages++;
    }

    void arrived(std::span<const std::byte> payload) noexcept {
        ++answered_;
        std::uint64_t says = 0;
        if (payload.size() >= stamp_bytes) std::memcpy(&says, payload.data(), stamp_bytes);
        if (!intact(payload, size_, says) || says >= measured_.messages) return;
        sum_ -= says;
        ++measured_.delivered;
        measured_.bytes += payload.size();
    }

    bool asks_again() const noexcept { return now_ns() < until_ns_; }
    bool done() const noexcept { return answered_ == measured_.messages; }

    /// Nothing is delivered when the numbers that came back are not those that went out.
    measurement measured() const noexcept {
        measurement told = measured_;
        if (size_ >= stamp_bytes && sum_ != 0) told.delivered = 0;
        return told;
    }

private:
    std::size_t size_;
    std::uint64_t until_ns_ = 0;
    std::uint64_t answered_ = 0;
    std::uint64_t sum_ = 0;  // of the numbers that are out
    measurement measured_{};
};

}  // namespace mnet::bench::peers
