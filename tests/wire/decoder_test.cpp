// The wire, line by line (docs/wire.md): what is a message, what is missing, what is refused and why.
#include <mnet/wire/decoder.hpp>
#include <mnet/wire/encoder.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <string_view>
#include <vector>

#include "support/hex.hpp"

namespace mnet::wire {
namespace {

using support::hex;
using support::to_bytes;
using bytes = std::vector<std::byte>;
using kind = decoded::kind;

constexpr std::size_t default_bound = std::size_t{16} * 1024 * 1024;

window over(const bytes& stream) { return {.begin = stream.data(), .end = stream.data() + stream.size()}; }

bytes copy(std::span<const std::byte> payload) { return {payload.begin(), payload.end()}; }

void expect_message(const decoded& result, const bytes& payload) {
    ASSERT_EQ(result.what, kind::message);
    EXPECT_EQ(copy(result.payload), payload);
}

void expect_needs(const decoded& result, std::size_t bytes_missing) {
    ASSERT_EQ(result.what, kind::needs_more);
    EXPECT_EQ(result.bytes_missing, bytes_missing);
}

void expect_corrupt(const decoded& result, errc reason) {
    ASSERT_EQ(result.what, kind::corrupt);
    EXPECT_EQ(make_error_code(result.reason), make_error_code(reason));
}

bytes header(std::uint32_t length) {
    bytes result(header_bytes);
    store_length(result.data(), length);
    return result;
}

// ---- the vectors -----------------------------------------------------------------------------------------------------------------------

TEST(Decoder, DeliversAnEmptyMessage) {
    decoder decoder(default_bound);
    const bytes stream = hex("00000000");
    window window = over(stream);
    expect_message(decoder.next(window), {});
    EXPECT_TRUE(window.empty());
}

TEST(Decoder, DeliversAMessage) {
    decoder decoder(default_bound);
    const bytes stream = hex("00000008 7075622068656c70");
    window window = over(stream);
    expect_message(decoder.next(window), to_bytes("pub help"));
    expect_needs(decoder.next(window), header_bytes);
}

TEST(Decoder, DeliversAMessageWhoseLengthTakesTwoBytes) {
    bytes payload;
    for (int value = 0; value < 256; ++value) payload.push_back(static_cast<std::byte>(value));
    bytes stream = hex("00000100");
    stream.insert(stream.end(), payload.begin(), payload.end());
    decoder decoder(default_bound);
    window window = over(stream);
    expect_message(decoder.next(window), payload);
}

TEST(Decoder, DeliversTwoMessagesOfOneWindowInTheirOrder) {
    decoder decoder(default_bound);
    const bytes stream = hex("00000001 61 00000000");
    window window = over(stream);
    expect_message(decoder.next(window), to_bytes("a"));
    expect_message(decoder.next(window), {});
    expect_needs(decoder.next(window), header_bytes);
}

TEST(Decoder, RefusesTheLengthAboveTheDefaultBound) {
    decoder decoder(default_bound);
    const bytes stream = hex("01000001");
    window window = over(stream);
    expect_corrupt(decoder.next(window), errc::message_too_large);
}

// ---- views and windows -----------------------------------------------------------------------------------------------------------------

TEST(Decoder, LendsThePayloadWhereItLies) {
    decoder decoder(default_bound);
    const bytes stream = hex("00000002 6162");
    window window = over(stream);
    EXPECT_EQ(decoder.next(window).payload.data(), stream.data() + header_bytes);
}

TEST(Decoder, MovesTheWindowBehindTheFrameAndNoFurther) {
    decoder decoder(default_bound);
    const bytes stream = hex("00000002 6162 000000");
    window window = over(stream);
    (void)decoder.next(window);
    EXPECT_EQ(window.begin, stream.data() + 6);
    EXPECT_EQ(window.size(), 3U);
}

TEST(Decoder, LeavesTheWindowAloneWhenThereIsNoMessage) {
    decoder decoder(default_bound);
    const bytes stream = hex("00000002 61");
    window window = over(stream);
    (void)decoder.next(window);
    EXPECT_EQ(window.begin, stream.data());
    const bytes refused = hex("ffffffff 00");
    window = over(refused);
    (void)decoder.next(window);
    EXPECT_EQ(window.begin, refused.data());
}

TEST(Decoder, AsksForAHeaderWhenTheWindowIsEmpty) {
    decoder decoder(default_bound);
    window window;
    expect_needs(decoder.next(window), header_bytes);
}

TEST(Decoder, GoesOnWhereItWasWhenTheWindowMoves) {
    decoder decoder(default_bound);
    const bytes part = hex("00000001 61 0000");
    window window = over(part);
    expect_message(decoder.next(window), to_bytes("a"));
    expect_needs(decoder.next(window), 2);
    const bytes elsewhere = hex("00000001 62");
    window = over(elsewhere);
    expect_message(decoder.next(window), to_bytes("b"));
}

// ---- cuts ------------------------------------------------------------------------------------------------------------------------------

TEST(Decoder, AsksForTheRestOfALengthThatArrivedInPart) {
    const bytes stream = hex("00000005");
    for (std::size_t arrived = 0; arrived < header_bytes; ++arrived) {  // 1+3, 2+2, 3+1
        decoder decoder(default_bound);
        window window{.begin = stream.data(), .end = stream.data() + arrived};
        expect_needs(decoder.next(window), header_bytes - arrived);
    }
}

TEST(Decoder, AsksForTheRestOfAPayloadThatArrivedInPart) {
    const bytes stream = hex("00000005 6162636465");
    for (std::size_t arrived = header_bytes; arrived < stream.size(); ++arrived) {
        decoder decoder(default_bound);
        window window{.begin = stream.data(), .end = stream.data() + arrived};
        expect_needs(decoder.next(window), stream.size() - arrived);
    }
}

TEST(Decoder, TakesAStreamOneByteAtATime) {
    const bytes stream = hex("00000001 61 00000000 00000003 626364");
    decoder decoder(default_bound);
    std::vector<bytes> messages;
    window window = over(stream);
    for (window.end = window.begin; window.end != stream.data() + stream.size();) {
        ++window.end;
        while (true) {
            const decoded result = decoder.next(window);
            if (result.what != kind::message) break;
            messages.push_back(copy(result.payload));
        }
    }
    EXPECT_EQ(messages, (std::vector<bytes>{to_bytes("a"), {}, to_bytes("bcd")}));
    EXPECT_TRUE(window.empty());
}

TEST(Decoder, GivesTheSameMessagesAtEveryPairOfCuts) {
    const bytes stream = hex("00000001 61 00000000 00000003 626364 00000002 6566");
    const std::vector<bytes> expected{to_bytes("a"), {}, to_bytes("bcd"), to_bytes("ef")};
    for (std::size_t first = 0; first <= stream.size(); ++first) {
        for (std::size_t second = first; second <= stream.size(); ++second) {
            decoder decoder(default_bound);
            std::vector<bytes> messages;
            window window = over(stream);
            for (const std::size_t arrived : {first, second, stream.size()}) {
                window.end = stream.data() + arrived;
                for (auto result = decoder.next(window); result.what == kind::message; result = decoder.next(window)) {
                    messages.push_back(copy(result.payload));
                }
            }
            ASSERT_EQ(messages, expected) << "cut at " << first << " and " << second;
        }
    }
}

// ---- bounds ----------------------------------------------------------------------------------------------------------------------------

TEST(Decoder, RefusesALengthAboveTheBoundBeforeReservingAnything) {
    decoder decoder(100);
    const bytes stream = header(101);  // not a byte of the payload is there
    window window = over(stream);
    expect_corrupt(decoder.next(window), errc::message_too_large);
}

TEST(Decoder, AcceptsALengthAtTheBound) {
    decoder decoder(100);
    bytes stream = header(100);
    window window = over(stream);
    expect_needs(decoder.next(window), 100);
    stream.resize(stream.size() + 100);
    window = over(stream);
    expect_message(decoder.next(window), bytes(100));
}

TEST(Decoder, RefusesALengthAboveTheBoundThoughTheWholeFrameIsThere) {
    decoder decoder(2);
    const bytes stream = hex("00000003 616263");
    window window = over(stream);
    expect_corrupt(decoder.next(window), errc::message_too_large);
}

TEST(Decoder, AcceptsNothingButEmptyMessagesWithABoundOfZero) {
    decoder decoder(0);
    const bytes stream = hex("00000000 00000001 61");
    window window = over(stream);
    expect_message(decoder.next(window), {});
    expect_corrupt(decoder.next(window), errc::message_too_large);
}

TEST(Decoder, AsksForTheRestAtTheDefaultBoundAndRefusesOneMore) {
    window window;
    decoder at_bound(default_bound);
    const bytes largest = hex("01000000");
    window = over(largest);
    expect_needs(at_bound.next(window), default_bound);
}

TEST(Decoder, AcceptsUpToTheLargestBoundAndRefusesOneMore) {
    const bytes largest = header(length_max);
    decoder at_bound(length_max);
    window window = over(largest);
    expect_needs(at_bound.next(window), length_max);

    const bytes larger = header(length_max + 1);
    decoder above_bound(length_max);
    window = over(larger);
    expect_corrupt(above_bound.next(window), errc::message_too_large);
}

TEST(Decoder, ClampsItsBoundToTheLargestLength) {
    EXPECT_EQ(decoder(std::numeric_limits<std::size_t>::max()).message_bytes_max(), length_max);
    EXPECT_EQ(decoder(std::size_t{length_max} + 1).message_bytes_max(), length_max);
    EXPECT_EQ(decoder(default_bound).message_bytes_max(), default_bound);
    decoder decoder(std::numeric_limits<std::size_t>::max());
    const bytes stream = header(length_max + 1);
    window window = over(stream);
    expect_corrupt(decoder.next(window), errc::message_too_large);
}

TEST(Decoder, RefusesEveryLengthWithTheReservedTopBit) {
    for (const std::string_view control : {"80000000", "80000001", "ff000000", "ffffffff"}) {
        decoder decoder(length_max);
        const bytes stream = hex(control);
        window window = over(stream);
        expect_corrupt(decoder.next(window), errc::message_too_large);
    }
}

// ---- who is calling --------------------------------------------------------------------------------------------------------------------

TEST(Decoder, NamesThePeerThatSpeaksAnotherProtocol) {
    struct other {
        bytes first;
        errc reason;
    };
    for (const other& caller : {other{hex("16030102"), errc::peer_speaks_tls}, other{to_bytes("GET "), errc::peer_speaks_http},
                                other{hex("0d0a0d0a"), errc::unexpected_proxy_header}, other{to_bytes("SSH-"), errc::message_too_large}}) {
        decoder decoder(length_max);
        window window = over(caller.first);
        expect_corrupt(decoder.next(window), caller.reason);
    }
}

TEST(Decoder, DoesNotGuessBeforeTheFourthByte) {
    const bytes stream = to_bytes("GET");
    decoder decoder(default_bound);
    window window = over(stream);
    expect_needs(decoder.next(window), 1);
}

TEST(Decoder, TakesAForeignWordBehindAMessageForALength) {
    for (const std::string_view word : {"16030102", "47455420", "0d0a0d0a"}) {
        decoder decoder(default_bound);
        bytes stream = hex("00000000");
        const bytes foreign = hex(word);
        stream.insert(stream.end(), foreign.begin(), foreign.end());
        window window = over(stream);
        expect_message(decoder.next(window), {});
        expect_corrupt(decoder.next(window), errc::message_too_large);
    }
}

// ---- corrupt stays corrupt -------------------------------------------------------------------------------------------------------------

TEST(Decoder, StaysCorruptOnceCorrupt) {
    const bytes refused = to_bytes("GET ");
    const bytes fine = hex("00000001 61");
    const bytes nothing_in_it = hex("00000000");
    const bytes part = hex("0000");
    decoder decoder(default_bound);
    window window = over(refused);
    expect_corrupt(decoder.next(window), errc::peer_speaks_http);
    for (const bytes* later : {&refused, &fine, &nothing_in_it, &part}) {
        window = over(*later);
        EXPECT_TRUE(decoder.ready(window));
        expect_corrupt(decoder.next(window), errc::peer_speaks_http);
        EXPECT_EQ(window.begin, later->data());
        EXPECT_EQ(decoder.end_of_stream(window), errc::peer_speaks_http);
    }
    window = {};
    expect_corrupt(decoder.next(window), errc::peer_speaks_http);
    EXPECT_EQ(decoder.messages(), 0U);
}

TEST(Decoder, KeepsItsBoundWhenCorrupt) {
    const bytes refused = header(101);
    decoder decoder(100);
    window window = over(refused);
    (void)decoder.next(window);
    EXPECT_EQ(decoder.message_bytes_max(), 100U);
}

TEST(Decoder, DeliversTheWholeMessagesBeforeTheRefusedLength) {
    const bytes stream = hex("00000001 61 00000001 62 ffffffff");
    decoder decoder(default_bound);
    window window = over(stream);
    expect_message(decoder.next(window), to_bytes("a"));
    expect_message(decoder.next(window), to_bytes("b"));
    expect_corrupt(decoder.next(window), errc::message_too_large);
}

// ---- the end ---------------------------------------------------------------------------------------------------------------------------

TEST(Decoder, CallsAnEndInsideAFrameTruncatedAndBetweenFramesClean) {
    const bytes stream = hex("00000003 616263 00000000");
    for (std::size_t arrived = 0; arrived <= stream.size(); ++arrived) {
        decoder decoder(default_bound);
        window window{.begin = stream.data(), .end = stream.data() + arrived};
        while (decoder.next(window).what == kind::message) {
        }
        const bool between_frames = arrived == 0 || arrived == 7 || arrived == 11;
        EXPECT_EQ(decoder.end_of_stream(window), between_frames ? errc::end_of_stream : errc::truncated) << "after " << arrived;
    }
}

TEST(Decoder, NamesTheRefusalAtAnEndThatNobodyDecodedUpTo) {
    const bytes stream = to_bytes("POST");
    const decoder decoder(default_bound);
    EXPECT_EQ(decoder.end_of_stream(over(stream)), errc::peer_speaks_http);
}

// ---- ready, counters -------------------------------------------------------------------------------------------------------------------

TEST(Decoder, IsReadyWhenNextHasSomethingToSay) {
    const decoder decoder(100);
    EXPECT_FALSE(decoder.ready({}));
    const bytes stream = hex("00000002 6162");
    for (std::size_t arrived = 0; arrived <= stream.size(); ++arrived) {
        EXPECT_EQ(decoder.ready({.begin = stream.data(), .end = stream.data() + arrived}), arrived == stream.size());
    }
    EXPECT_TRUE(decoder.ready(over(header(0))));
    EXPECT_TRUE(decoder.ready(over(header(101))));
    EXPECT_FALSE(decoder.ready(over(header(100))));
}

TEST(Decoder, CountsMessagesAndThePayloadWithoutHeaders) {
    const bytes stream = hex("00000001 61 00000000 00000003 626364 00000009 65");
    decoder decoder(default_bound);
    window window = over(stream);
    while (decoder.next(window).what == kind::message) {
    }
    EXPECT_EQ(decoder.messages(), 3U);
    EXPECT_EQ(decoder.payload_bytes(), 4U);
}

}  // namespace
}  // namespace mnet::wire
