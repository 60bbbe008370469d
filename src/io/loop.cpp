// Chance, where a loop has no world of its own to take it from.
#include "io/loop.hpp"

#include <sys/random.h>

namespace mnet::inline v1::io {

std::uint64_t loop::random() noexcept {
    std::uint64_t value = 0;
    ++counters_.system_calls;
    const bool drawn = ::getrandom(&value, sizeof value, GRND_NONBLOCK) == static_cast<ssize_t>(sizeof value);
    return drawn ? value : static_cast<std::uint64_t>(now().count()) * 0x9e3779b97f4a7c15;  // so early in the life of a machine
}

}  // namespace mnet::inline v1::io
