// The audit's own way of cutting frames, which it holds the library's against.
#include "simulation/audit.hpp"

#include <mnet/wire/frame.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace mnet {
namespace {

/// Lengths in a stream that comes in two pieces.
std::vector<std::uint32_t> lengths_of(std::span<const std::byte> stream, std::size_t cut) {
    std::vector<std::uint32_t> lengths;
    simulation::frame_cutter cutter;
    const auto note = [&](std::uint32_t length) { lengths.push_back(length); };
    cutter.feed(stream.first(cut), note);
    cutter.feed(stream.subspan(cut), note);
    return lengths;
}

TEST(FrameCutter, FindsTheSameFramesHoweverTheyComeInPieces) {
    std::vector<std::byte> stream;
    const std::vector<std::uint32_t> lengths{0, 1, 300, 0, 0, 7};
    for (const std::uint32_t length : lengths) {
        std::array<std::byte, wire::header_bytes> header{};
        wire::store_length(header.data(), length);
        stream.insert(stream.end(), header.begin(), header.end());
        stream.insert(stream.end(), length, std::byte{0xff});
    }
    for (std::size_t cut = 0; cut <= stream.size(); ++cut) EXPECT_EQ(lengths_of(stream, cut), lengths) << "cut at " << cut;
}

TEST(FrameCutter, CountsNoFrameBeforeItsLastByte) {
    std::vector<std::byte> stream(6);
    wire::store_length(stream.data(), 3);
    EXPECT_TRUE(lengths_of(stream, 0).empty());
    stream.push_back({});
    EXPECT_EQ(lengths_of(stream, 0).size(), 1U);
}

}  // namespace
}  // namespace mnet
