// Random numbers that can be had again: the seed is printed, and taken back from the environment variable MNET_SEED.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace support {

class random_source {
public:
    random_source() : random_source(choose_seed()) {}
    explicit random_source(std::uint64_t seed) : engine_(seed) {
        std::printf("again with: MNET_SEED=%llu\n", static_cast<unsigned long long>(seed));
        std::fflush(stdout);
    }

    /// 0 to `bound - 1`, each as likely.
    std::uint64_t below(std::uint64_t bound) { return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(engine_); }

    /// `least` to `most`, each as likely.
    std::uint64_t between(std::uint64_t least, std::uint64_t most) {
        return std::uniform_int_distribution<std::uint64_t>(least, most)(engine_);
    }

    /// 0 to `bound - 1`, each order of magnitude as likely: small numbers and edges come up often.
    std::uint64_t magnitude_below(std::uint64_t bound) {
        std::uint64_t most = bound - 1;
        if (most > 0) most >>= below(static_cast<std::uint64_t>(std::bit_width(most)));
        return between(0, most);
    }

    bool one_in(std::uint64_t chances) { return below(chances) == 0; }

    std::vector<std::byte> bytes(std::size_t count) {
        std::vector<std::byte> result(count);
        for (std::byte& value : result) value = static_cast<std::byte>(engine_());
        return result;
    }

private:
    static std::uint64_t choose_seed() {
        if (const char* const given = std::getenv("MNET_SEED")) return std::strtoull(given, nullptr, 0);
        return std::random_device{}();
    }

    std::mt19937_64 engine_;
};

}  // namespace support
