// Clocks and counters of a process: see measurement.hpp.
#include "measurement.hpp"

#include "allocations.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

namespace mnet::bench {

usage usage_now(std::uint64_t system_calls) noexcept {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    const auto cpu_ns = static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(used.tv_nsec);
    return {.cpu_ns = cpu_ns, .allocations = bench::allocations(), .system_calls = system_calls};
}

std::uint64_t resident_bytes() noexcept {
    const int file = ::open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    std::array<char, 4096> content{};
    const ssize_t length = ::read(file, content.data(), content.size());
    ::close(file);
    if (length <= 0) return 0;

    const std::string_view text(content.data(), static_cast<std::size_t>(length));
    constexpr std::string_view label = "\nRss:";
    const std::size_t start = text.find(label);
    if (start == std::string_view::npos) return 0;
    const std::size_t digits = text.find_first_not_of(' ', start + label.size());
    if (digits == std::string_view::npos) return 0;
    std::uint64_t kibibytes = 0;
    std::from_chars(text.data() + digits, text.data() + text.size(), kibibytes);
    return kibibytes * 1024U;
}

}  // namespace mnet::bench
