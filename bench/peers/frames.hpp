// Frames by hand, for the peers that carry bytes and know no messages: the length in front as on mnet's wire, sent in batches of 64 KiB,
// received up to 256 KiB at a time and cut in place, which is what plain_sockets.hpp does too. With it a byte library is at its best.
#pragma once
#include "peer_program.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <vector>

namespace mnet::bench::peers {

inline constexpr std::size_t batch_bytes = std::size_t{64} << 10;
inline constexpr std::size_t receive_bytes = std::size_t{256} << 10;

/// Memory that is written once before it is read: not cleared.
class raw_buffer {
public:
    explicit raw_buffer(std::size_t bytes) : bytes_(std::make_unique_for_overwrite<std::byte[]>(bytes)), size_(bytes) {}
    std::byte* data() const noexcept { return bytes_.get(); }
    std::size_t size() const noexcept { return size_; }

private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_;
};

/// Puts one numbered frame at `target`; gives its size.
template <stamping Stamping>
inline std::size_t write_frame(std::byte* target, std::span<const std::byte> source, std::uint64_t sequence) noexcept {
    wire::store_length(target, static_cast<std::uint32_t>(source.size()));
    std::byte* const payload = target + wire::header_bytes;
    if (!source.empty()) std::memcpy(payload, source.data(), source.size());
    stamp<Stamping>({payload, source.size()}, sequence);
    return wire::header_bytes + source.size();
}

/// The batch in which frames are sent.
class batch {
public:
    explicit batch(std::size_t message_bytes)
        : buffer_(std::max(batch_bytes, wire::header_bytes + message_bytes)), source_(message_bytes, std::byte{0x5a}) {}

    /// Frames `next` and following, as many as fit and are below `end`, into the batch; gives it.
    std::span<const std::byte> fill(std::uint64_t& next, std::uint64_t end) noexcept {
        const std::size_t frame_bytes = wire::header_bytes + source_.size();
        std::size_t used = 0;
        with_stamping(source_.size(), [&](auto stamping) {
            for (; next < end && buffer_.size() - used >= frame_bytes; ++next)
                used += write_frame<stamping.value>(buffer_.data() + used, source_, next);
        });
        return {buffer_.data(), used};
    }

private:
    raw_buffer buffer_;
    std::vector<std::byte> source_;
};

/// Calls `on_payload` for each whole frame at the front of `bytes`; gives how many bytes they were.
template <typename OnPayload>
inline std::size_t cut_frames(std::span<const std::byte> bytes, OnPayload&& on_payload) {
    std::size_t begin = 0;
    while (bytes.size() - begin >= wire::header_bytes) {
        const std::size_t length = wire::load_length(bytes.data() + begin);
        if (length > wire::length_max) throw std::runtime_error("what arrived is no frame");
        if (bytes.size() - begin - wire::header_bytes < length) break;
        on_payload(bytes.subspan(begin + wire::header_bytes, length));
        begin += wire::header_bytes + length;
    }
    return begin;
}

/// Where one connection receives: what is not whole yet stays in front of what comes next.
class receive_buffer {
public:
    explicit receive_buffer(std::size_t message_bytes) : buffer_(std::max(receive_bytes, wire::header_bytes + message_bytes)) {}

    /// Room for what comes next.
    std::span<std::byte> space() noexcept {
        if (taken_ > 0) {
            std::memmove(buffer_.data(), buffer_.data() + taken_, received_ - taken_);
            received_ -= taken_;
            taken_ = 0;
        }
        return {buffer_.data() + received_, buffer_.size() - received_};
    }

    /// `bytes` have arrived in the space.
    template <typename OnPayload>
    void received(std::size_t bytes, OnPayload&& on_payload) {
        received_ += bytes;
        taken_ += cut_frames({buffer_.data() + taken_, received_ - taken_}, on_payload);
    }

private:
    raw_buffer buffer_;
    std::size_t received_ = 0;
    std::size_t taken_ = 0;
};

/// The counting of one receiver, stream or ping-pong: message after message, the numbers of each request from 0.
class frame_counter {
public:
    explicit frame_counter(std::size_t size) noexcept : size_(size) {}

    void begin(std::uint64_t count) noexcept { *this = frame_counter(size_, count); }
    bool done() const noexcept { return seen_ == count_; }
    const std::uint64_t& seen() const noexcept { return seen_; }
    const receipt& counted() const noexcept { return receipt_; }

    /// Cuts `bytes` that arrived in `buffer`, with the kind of stamp known to the compiler.
    void take(receive_buffer& buffer, std::size_t bytes) {
        with_stamping(size_, [&](auto stamping) {
            buffer.received(bytes, [&](std::span<const std::byte> payload) {
                receipt_.bytes += payload.size();
                receipt_.delivered += intact<stamping.value>(payload, size_, seen_++) ? 1 : 0;
            });
        });
    }

private:
    frame_counter(std::size_t size, std::uint64_t count) noexcept : size_(size), count_(count) {}

    std::size_t size_;
    std::uint64_t count_ = 0;
    std::uint64_t seen_ = 0;
    receipt receipt_{};
};

/// One of many connections that echo, as its server sees it: whole frames go back as they came, the rest waits for what completes it.
class echoed {
public:
    /// `bytes` have arrived; what goes back now, good until the next call or until `bytes` goes.
    std::span<const std::byte> arrived(std::span<const std::byte> bytes) {
        if (!partial_.empty()) {
            partial_.insert(partial_.end(), bytes.begin(), bytes.end());
            whole_.swap(partial_);
            bytes = whole_;
        }
        const std::size_t taken = cut_frames(bytes, [](std::span<const std::byte>) {});
        partial_.assign(bytes.begin() + static_cast<std::ptrdiff_t>(taken), bytes.end());
        return bytes.first(taken);
    }

private:
    std::vector<std::byte> partial_{};
    std::vector<std::byte> whole_{};
};

/// One of many connections that echo, as its client sees it.
struct echo_session {
    std::vector<std::byte> partial{};  // a frame that is not whole yet
    std::uint64_t sent = 0;
    std::uint64_t answered = 0;
};

/// What the clients of all of them share: the numbers, the checks, the bytes to send next.
class echo_round {
public:
    explicit echo_round(const settings& chosen)
        : size_(chosen.size),
          depth_(chosen.depth),
          source_(chosen.size, std::byte{0x5a}),
          output_(std::max(batch_bytes, chosen.depth * (wire::header_bytes + chosen.size))) {}

    void begin(std::uint64_t until_ns) noexcept {
        until_ns_ = until_ns;
        measured_ = {};
        in_flight_ = 0;
    }

    /// The first bytes to send on a session; good until the next call.
    std::span<const std::byte> first(echo_session& session) {
        session.sent = session.answered = 0;
        return ask(session, until_ns_ == 0 ? 1 : depth_);
    }

    /// What arrived on a session, and what to send for it, maybe nothing; good until the next call.
    std::span<const std::byte> arrived(echo_session& session, std::span<const std::byte> bytes) {
        if (!session.partial.empty()) {
            session.partial.insert(session.partial.end(), bytes.begin(), bytes.end());
            joined_.swap(session.partial);
            session.partial.clear();
            bytes = joined_;
        }
        const std::uint64_t before = session.answered;
        const std::size_t taken = cut_frames(bytes, [&](std::span<const std::byte> payload) {
            if (intact(payload, size_, session.answered)) {
                ++measured_.delivered;
                measured_.bytes += size_;
            }
            ++session.answered;
        });
        session.partial.assign(bytes.begin() + static_cast<std::ptrdiff_t>(taken), bytes.end());
        const std::uint64_t replies = session.answered - before;
        in_flight_ -= replies;
        return now_ns() < until_ns_ ? ask(session, replies) : std::span<const std::byte>();
    }

    bool done() const noexcept { return in_flight_ == 0; }
    const measurement& measured() const noexcept { return measured_; }
    const std::uint64_t& progress() const noexcept { return measured_.delivered; }

private:
    std::span<const std::byte> ask(echo_session& session, std::uint64_t messages) noexcept {
        std::size_t used = 0;
        with_stamping(size_, [&](auto stamping) {
            for (std::uint64_t asked = 0; asked < messages; ++asked)
                used += write_frame<stamping.value>(output_.data() + used, source_, session.sent++);
        });
        measured_.messages += messages;
        in_flight_ += messages;
        return {output_.data(), used};
    }

    std::size_t size_;
    std::size_t depth_;
    std::vector<std::byte> source_;
    raw_buffer output_;
    std::vector<std::byte> joined_{};
    std::uint64_t until_ns_ = 0;
    std::uint64_t in_flight_ = 0;
    measurement measured_{};
};

}  // namespace mnet::bench::peers
