// What of a process is in memory: see measurement.hpp. Apart from the counters there, so that who needs only this does not get the counting
// operator new with it.
#include "measurement.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

namespace mnet::bench {

std::uint64_t resident_bytes(std::optional<pid_t> process) noexcept {
    std::array<char, 64> path{"/proc/self/smaps_rollup"};
    if (process) std::snprintf(path.data(), path.size(), "/proc/%d/smaps_rollup", *process);
    const int file = ::open(path.data(), O_RDONLY | O_CLOEXEC);
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
