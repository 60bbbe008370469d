// What a run of a seed chooses by itself, apart from the dice of its world.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace seeds {

class choices {
public:
    explicit choices(std::uint64_t seed) noexcept : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {
        for (int warm_up = 0; warm_up < 4; ++warm_up) (void)below(2);
    }
    std::uint64_t below(std::uint64_t bound) noexcept {
        state_ ^= state_ << 13U;
        state_ ^= state_ >> 7U;
        state_ ^= state_ << 17U;
        return state_ % bound;
    }
    bool one_in(std::uint64_t count) noexcept { return below(count) == 0; }

private:
    std::uint64_t state_;
};

/// The bounds that a run gives to both of its sides.
struct bounds {
    std::size_t message_bytes_max;
    std::size_t unsent_bytes_max;
};

/// A message that says whose it is and which, as long as asked for where that is long enough; nothing for 0.
inline std::string text_of(const std::string& whose, std::uint64_t number, std::size_t bytes) {
    if (bytes == 0) return {};
    std::string text = whose + ":" + std::to_string(number) + ":";
    if (text.size() < bytes) text.resize(bytes, static_cast<char>('a' + number % 26));
    return text;
}

}  // namespace seeds
