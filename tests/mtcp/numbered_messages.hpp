// Messages with a number each, and what a reader makes of those that arrive when some are dropped.
#pragma once
#include <mnet/wire/frame.hpp>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mtcp_test {

inline constexpr std::size_t bound = std::size_t{256} << 10;
inline constexpr std::size_t message_bytes = 1000;
inline constexpr std::size_t frame_bytes = message_bytes + mnet::wire::header_bytes;
inline constexpr std::string_view marker = "some are missing here";
inline constexpr std::string_view last_word = "that was all";
inline constexpr std::uint64_t stream_messages = 20'000;  // far more than any pair of sockets holds

/// The number, and bytes to make it as long as any.
inline std::string numbered(std::uint64_t number) {
    std::string text = std::to_string(number) + " ";
    text.resize(message_bytes, '.');
    return text;
}

/// What a reader saw, and whether it makes sense: numbers that rise, and a marker wherever one is missing, and only there.
struct reading {
    std::uint64_t messages = 0;
    std::uint64_t gaps = 0;
    bool sound = true;
    bool ended = false;

    void take(std::string_view text) {
        ++messages;
        if (text == marker) {
            sound = sound && !at_gap_;
            at_gap_ = true;
            ++gaps;
            return;
        }
        ended = text == last_word;
        std::uint64_t number = next_;
        if (!ended) std::from_chars(text.data(), text.data() + text.size(), number);
        const bool is_next = ended || number == next_;
        sound = sound && number >= next_ && (at_gap_ || is_next) && (ended || !at_gap_ || !is_next);
        at_gap_ = false;
        next_ = number + 1;
    }

private:
    std::uint64_t next_ = 0;
    bool at_gap_ = false;
};

}  // namespace mtcp_test
