// What holds for every stream: thousands of random ones, cut at random places, whole, ended early, or damaged.
#include <mnet/wire/decoder.hpp>
#include <mnet/wire/encoder.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "support/random.hpp"

namespace mnet::wire {
namespace {

using bytes = std::vector<std::byte>;
using kind = decoded::kind;
using support::random_source;

constexpr int streams = 5'000;
constexpr std::size_t bound = 70'000;

struct stream {
    std::vector<bytes> messages;
    bytes wire;
};

stream random_stream(random_source& random) {
    stream result;
    const std::size_t count = random.magnitude_below(40);
    for (std::size_t index = 0; index < count; ++index) {
        const bytes& payload = result.messages.emplace_back(random.bytes(random.magnitude_below(random.one_in(20) ? bound + 1 : 200)));
        const std::size_t before = result.wire.size();
        result.wire.resize(before + frame_bytes(payload.size()));
        EXPECT_EQ(encode(std::span(result.wire).subspan(before), payload), frame_bytes(payload.size()));
    }
    return result;
}

struct outcome {
    std::vector<bytes> messages;
    errc end{};
    std::size_t left = 0;

    bool operator==(const outcome&) const = default;
};

// Each window is a piece of memory of its own and of exact size, so that AddressSanitizer sees a read behind it.
class feeder {
public:
    explicit feeder(std::size_t message_bytes_max) : decoder_(message_bytes_max) {}

    void feed(std::span<const std::byte> arrived) {
        bytes grown(rest_.size() + arrived.size());
        std::ranges::copy(arrived, std::ranges::copy(rest_, grown.begin()).out);
        const bool enough = arrived.size() >= missing_;
        window window{.begin = grown.data(), .end = grown.data() + grown.size()};
        const std::size_t cut_before = result_.messages.size();
        while (true) {
            const bool ready = decoder_.ready(window);
            const decoded next = decoder_.next(window);
            ASSERT_EQ(ready, next.what != kind::needs_more);
            if (next.what == kind::message) {
                result_.messages.emplace_back(next.payload.begin(), next.payload.end());
                continue;
            }
            if (next.what == kind::corrupt) missing_ = 0;
            if (next.what == kind::needs_more) {
                ASSERT_GT(next.bytes_missing, 0U);
                if (!enough) {
                    ASSERT_EQ(result_.messages.size(), cut_before) << "a message came before the bytes that were called missing";
                    ASSERT_EQ(next.bytes_missing, missing_ - arrived.size());
                }
                missing_ = next.bytes_missing;
            }
            break;
        }
        rest_.assign(window.begin, window.end);
    }

    outcome finish() {
        result_.end = decoder_.end_of_stream({.begin = rest_.data(), .end = rest_.data() + rest_.size()});
        result_.left = rest_.size();
        EXPECT_EQ(decoder_.messages(), result_.messages.size());
        return result_;
    }

private:
    decoder decoder_;
    bytes rest_;
    std::size_t missing_ = 0;
    outcome result_;
};

outcome decode_whole(std::span<const std::byte> wire) {
    feeder feeder(bound);
    feeder.feed(wire);
    return feeder.finish();
}

outcome decode_cut(random_source& random, std::span<const std::byte> wire) {
    feeder feeder(bound);
    const std::size_t longest = 1 + random.magnitude_below(std::max<std::size_t>(wire.size(), 8));
    const std::size_t least_pieces = wire.size() / 256;  // keeps a long stream from being fed byte by byte
    while (!wire.empty()) {
        const std::size_t piece = std::min(wire.size(), std::max(least_pieces, 1 + random.below(longest)));
        feeder.feed(wire.first(piece));
        if (testing::Test::HasFatalFailure()) break;
        wire = wire.subspan(piece);
    }
    return feeder.finish();
}

TEST(DecoderProperty, GivesTheSameMessagesHoweverTheStreamIsCut) {
    random_source random;
    for (int round = 0; round < streams; ++round) {
        const stream sent = random_stream(random);
        const outcome received = decode_cut(random, sent.wire);
        ASSERT_FALSE(HasFatalFailure());
        ASSERT_EQ(received.messages, sent.messages);
        ASSERT_EQ(received.end, errc::end_of_stream);
        ASSERT_EQ(received.left, 0U);
    }
}

TEST(DecoderProperty, GivesAllWholeMessagesOfAStreamThatEndsAnywhere) {
    random_source random;
    for (int round = 0; round < streams; ++round) {
        const stream sent = random_stream(random);
        const std::size_t arrived = random.below(sent.wire.size() + 1);
        const outcome received = decode_cut(random, std::span(sent.wire).first(arrived));
        ASSERT_FALSE(HasFatalFailure());
        std::size_t whole = 0;
        std::size_t used = 0;
        while (whole < sent.messages.size() && used + frame_bytes(sent.messages[whole].size()) <= arrived) {
            used += frame_bytes(sent.messages[whole++].size());
        }
        ASSERT_EQ(received.messages.size(), whole);
        ASSERT_TRUE(std::ranges::equal(received.messages, std::span(sent.messages).first(whole)));
        ASSERT_EQ(received.end, used == arrived ? errc::end_of_stream : errc::truncated);
        ASSERT_EQ(received.left, arrived - used);
    }
}

TEST(DecoderProperty, JudgesADamagedStreamTheSameHoweverItIsCut) {
    random_source random;
    int refused = 0;
    for (int round = 0; round < streams; ++round) {
        bytes wire = random_stream(random).wire;
        if (wire.empty()) continue;
        for (std::size_t damage = 1 + random.below(4); damage > 0; --damage) {
            wire[random.below(wire.size())] ^= static_cast<std::byte>(1U << random.below(8));
        }
        const outcome whole = decode_whole(wire);
        const outcome cut = decode_cut(random, wire);
        ASSERT_FALSE(HasFatalFailure());
        ASSERT_EQ(whole, cut);
        if (whole.end == errc::message_too_large) ++refused;
    }
    EXPECT_GT(refused, 0) << "no stream was damaged enough";
}

TEST(DecoderProperty, JudgesNoiseTheSameHoweverItIsCut) {
    random_source random;
    for (int round = 0; round < streams; ++round) {
        bytes noise = random.bytes(random.magnitude_below(2'000));
        for (std::byte& value : noise) {
            if (random.one_in(2)) value = std::byte{0};  // otherwise nearly every stream ends at its first length
        }
        const outcome whole = decode_whole(noise);
        const outcome cut = decode_cut(random, noise);
        ASSERT_FALSE(HasFatalFailure());
        ASSERT_EQ(whole, cut);
    }
}

}  // namespace
}  // namespace mnet::wire
