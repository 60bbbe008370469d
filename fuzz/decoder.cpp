// The decoder against hostile bytes: however a stream is cut, it gives the same messages and the same verdict; what was cut, encodes back to
// what arrived; and nothing is read outside the bytes given (each window is a piece of memory of its own size).
//
// The input is a stream, with a trailer that leads the test, at its end so that a captured stream is a seed as it is: the last byte picks the
// bound, the one before it says how many lengths of pieces stand in front of it.
#include <mnet/wire/decoder.hpp>
#include <mnet/wire/encoder.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "wire/first_bytes.hpp"

namespace {

namespace wire = mnet::wire;
using bytes = std::vector<std::byte>;
using kind = wire::decoded::kind;

constexpr std::array<std::size_t, 8> bounds = {0, 1, 16, 255, 4096, 16 * 1024 * 1024, wire::length_max, SIZE_MAX};

void require(bool holds) {
    if (!holds) std::abort();
}

struct input {
    std::span<const std::byte> stream;
    std::span<const std::byte> pieces;
    std::size_t bound;
};

input split(std::span<const std::byte> data) {
    input result{.stream = data, .pieces = {}, .bound = bounds[5]};
    if (data.size() < 2) return result;
    result.bound = bounds[std::to_integer<std::size_t>(data.back()) % bounds.size()];
    const std::size_t pieces = std::min<std::size_t>(std::to_integer<std::size_t>(data[data.size() - 2]) % 16, data.size() - 2);
    result.pieces = data.subspan(data.size() - 2 - pieces, pieces);
    result.stream = data.first(data.size() - 2 - pieces);
    return result;
}

struct outcome {
    std::vector<bytes> messages;
    mnet::errc end{};
    std::size_t left = 0;

    bool operator==(const outcome&) const = default;
};

class feeder {
public:
    explicit feeder(std::size_t bound) : decoder_(bound) {}

    void feed(std::span<const std::byte> arrived) {
        bytes grown(rest_);
        grown.insert(grown.end(), arrived.begin(), arrived.end());
        grown.shrink_to_fit();
        wire::window window{.begin = grown.data(), .end = grown.data() + grown.size()};
        for (bool first = true;; first = false) {
            const bool ready = decoder_.ready(window);
            const std::byte* const before = window.begin;
            const wire::decoded next = decoder_.next(window);
            require(ready == (next.what != kind::needs_more));
            if (first && arrived.size() < missing_) require(!ready);
            if (next.what != kind::message) {
                require(window.begin == before);
                require(next.what != kind::corrupt || decoder_.end_of_stream(window) == next.reason);
                require(next.what != kind::needs_more || next.bytes_missing > 0);
                missing_ = next.bytes_missing;
                break;
            }
            require(next.payload.size() <= decoder_.message_bytes_max());
            require(window.begin == before + wire::frame_bytes(next.payload.size()));
            result_.messages.emplace_back(next.payload.begin(), next.payload.end());
        }
        rest_.assign(window.begin, window.end);
    }

    outcome finish() {
        result_.end = decoder_.end_of_stream({.begin = rest_.data(), .end = rest_.data() + rest_.size()});
        result_.left = rest_.size();
        require(decoder_.messages() == result_.messages.size());
        return result_;
    }

private:
    wire::decoder decoder_;
    bytes rest_;
    std::size_t missing_ = 0;
    outcome result_;
};

outcome decode_whole(const input& given) {
    feeder feeder(given.bound);
    feeder.feed(given.stream);
    return feeder.finish();
}

outcome decode_cut(const input& given) {
    feeder feeder(given.bound);
    std::span<const std::byte> rest = given.stream;
    for (std::size_t index = 0; !rest.empty(); ++index) {
        const std::size_t wanted = given.pieces.empty() ? std::max<std::size_t>(1, rest.size() / 2)
                                                        : std::to_integer<std::size_t>(given.pieces[index % given.pieces.size()]);
        const std::size_t piece = std::min(rest.size(), wanted + 1);
        feeder.feed(rest.first(piece));
        rest = rest.subspan(piece);
    }
    return feeder.finish();
}

void check_round_trip(const input& given, const outcome& whole) {
    bytes again;
    for (const bytes& message : whole.messages) {
        const std::size_t before = again.size();
        again.resize(before + wire::frame_bytes(message.size()));
        require(wire::encode(std::span(again).subspan(before), message) == wire::frame_bytes(message.size()));
    }
    require(again.size() + whole.left == given.stream.size());
    require(std::ranges::equal(again, given.stream.first(again.size())));
}

void check_diagnosis(const input& given, const outcome& whole) {
    if (given.stream.size() < wire::header_bytes) return;
    const auto first = given.stream.first<wire::header_bytes>();
    const mnet::errc diagnosis = wire::diagnose_first_bytes(first);
    const bool refused = wire::load_length(first.data()) > std::min<std::size_t>(given.bound, wire::length_max);
    require(!refused || (whole.messages.empty() && whole.end == diagnosis));
    require(wire::load_length(first.data()) > wire::length_max || diagnosis == mnet::errc::message_too_large);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const input given = split(std::as_bytes(std::span(data, size)));
    const outcome whole = decode_whole(given);
    require(whole == decode_cut(given));
    check_round_trip(given, whole);
    check_diagnosis(given, whole);
    return 0;
}
