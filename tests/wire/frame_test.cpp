// The length word: what the four bytes in front of a payload say.
#include <mnet/wire/frame.hpp>

#include <gtest/gtest.h>

#include <array>

#include "support/hex.hpp"

namespace mnet::wire {
namespace {

using support::hex;

TEST(Frame, ReadsALengthMostSignificantByteFirst) {
    EXPECT_EQ(load_length(hex("01020304").data()), 0x01020304U);
    EXPECT_EQ(load_length(hex("00000000").data()), 0U);
    EXPECT_EQ(load_length(hex("ffffffff").data()), 0xffffffffU);
}

TEST(Frame, WritesALengthMostSignificantByteFirst) {
    std::vector<std::byte> bytes(header_bytes);
    store_length(bytes.data(), 0x01020304);
    EXPECT_EQ(bytes, hex("01020304"));
}

TEST(Frame, ReadsAndWritesAtAnyAlignment) {
    std::array<std::byte, header_bytes + 8> bytes{};
    for (std::size_t offset = 0; offset < 8; ++offset) {
        store_length(&bytes[offset], 0xa1b2c3d4U);
        EXPECT_EQ(load_length(&bytes[offset]), 0xa1b2c3d4U) << "at offset " << offset;
    }
}

TEST(Frame, HasALengthBoundOfOneLessThan208Mebibytes) { EXPECT_EQ(length_max, 218'103'807U); }

}  // namespace
}  // namespace mnet::wire
