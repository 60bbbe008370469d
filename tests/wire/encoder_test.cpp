// Frames made of payloads: the vectors of docs/wire.md, and what does not fit.
#include <mnet/wire/encoder.hpp>

#include <gtest/gtest.h>

#include <vector>

#include "support/hex.hpp"

namespace mnet::wire {
namespace {

using support::hex;
using support::to_bytes;

std::vector<std::byte> encoded(std::span<const std::byte> payload) {
    std::vector<std::byte> result(frame_bytes(payload.size()));
    EXPECT_EQ(encode(result, payload), result.size());
    return result;
}

TEST(Encoder, WritesAnEmptyMessageAsALengthOfZero) { EXPECT_EQ(encoded({}), hex("00000000")); }

TEST(Encoder, WritesTheLengthInFrontOfThePayload) { EXPECT_EQ(encoded(to_bytes("pub help")), hex("00000008 7075622068656c70")); }

TEST(Encoder, WritesALengthOfMoreThanOneByte) {
    std::vector<std::byte> payload;
    for (int value = 0; value < 256; ++value) payload.push_back(static_cast<std::byte>(value));
    std::vector<std::byte> expected = hex("00000100");
    expected.insert(expected.end(), payload.begin(), payload.end());
    EXPECT_EQ(encoded(payload), expected);
}

TEST(Encoder, WritesMessagesOneBehindTheOther) {
    std::vector<std::byte> stream(9);
    const std::size_t first = encode(stream, to_bytes("a"));
    const std::size_t second = encode(std::span(stream).subspan(first), {});
    EXPECT_EQ(first + second, stream.size());
    EXPECT_EQ(stream, hex("00000001 61 00000000"));
}

TEST(Encoder, WritesNothingIntoATargetThatIsTooSmall) {
    for (std::size_t room = 0; room < frame_bytes(3); ++room) {
        std::vector<std::byte> target(room, std::byte{0x5a});
        EXPECT_EQ(encode(target, to_bytes("abc")), 0U);
        EXPECT_EQ(target, std::vector<std::byte>(room, std::byte{0x5a})) << "with room for " << room << " bytes";
    }
}

TEST(Encoder, LeavesWhatIsBehindTheFrameAlone) {
    std::vector<std::byte> target(8, std::byte{0x5a});
    EXPECT_EQ(encode(target, to_bytes("a")), 5U);
    EXPECT_EQ(target, hex("00000001 61 5a5a5a"));
}

TEST(Encoder, RefusesAPayloadThatNoReceiverMayAccept) {
    std::byte nothing{};
    const std::span<const std::byte> too_long(&nothing, std::size_t{length_max} + 1);  // never read: the length decides
    const std::span<std::byte> room(&nothing, frame_bytes(too_long.size()));           // never written
    EXPECT_EQ(encode(room, too_long), 0U);
}

}  // namespace
}  // namespace mnet::wire
