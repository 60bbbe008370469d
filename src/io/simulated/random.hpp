// The dice of the simulated world: the same seed throws the same numbers with every compiler and library, which the distributions of
// <random> do not promise. xoshiro256** by Blackman and Vigna (public domain), its state filled by splitmix64.
#pragma once
#include "base/assert.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

namespace mnet::inline v1::io::simulated {

class random {
public:
    explicit random(std::uint64_t seed) noexcept {
        for (std::uint64_t& word : state_) {
            seed += 0x9e3779b97f4a7c15;
            word = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
            word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
            word ^= word >> 31;
        }
    }

    /// The next throws are these, a byte each; then the dice go on. They stay the caller's, until the last is thrown.
    void follow(std::span<const std::byte> throws) noexcept { ordered_ = throws; }

    std::uint64_t next() noexcept {
        if (!ordered_.empty()) {
            const auto ordered = std::to_integer<std::uint64_t>(ordered_.front());
            ordered_ = ordered_.subspan(1);
            return ordered * 0x0101010101010101;  // as even in its high bits, where `chance` looks, as in its low ones
        }
        const std::uint64_t thrown = std::rotl(state_[1] * 5, 7) * 9;
        const std::uint64_t shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = std::rotl(state_[3], 45);
        return thrown;
    }

    /// From `low` to `high`, both included. Not exactly uniform, which no fault needs.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
        MNET_ASSERT(low <= high, "a range begins before it ends");
        const std::uint64_t count = high - low + 1;
        return count == 0 ? next() : low + next() % count;
    }

    std::chrono::nanoseconds between(std::chrono::nanoseconds low, std::chrono::nanoseconds high) noexcept {
        MNET_ASSERT(low <= high, "a range begins before it ends");
        if (low == high) return low;
        return low + std::chrono::nanoseconds(between(std::uint64_t{0}, static_cast<std::uint64_t>((high - low).count())));
    }

    /// True with this probability. Never throws the dice for 0, so that switching one fault on leaves a world without it as it was.
    bool chance(double probability) noexcept {
        constexpr double unit = 1.0 / static_cast<double>(1ULL << 53);
        return probability > 0 && static_cast<double>(next() >> 11) * unit < probability;
    }

private:
    std::array<std::uint64_t, 4> state_{};
    std::span<const std::byte> ordered_{};
};

}  // namespace mnet::inline v1::io::simulated
