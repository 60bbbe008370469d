// What the kernel says of this process's memory.
#include <mnet/diagnostics.hpp>

#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <string_view>

namespace mnet::inline v1::diagnostics {

std::uint64_t resident_bytes() noexcept {
    const base::unique_fd file(::open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC));
    if (!file) return 0;
    std::array<char, 4096> content{};
    const ssize_t length = ::read(file.get(), content.data(), content.size());
    if (length <= 0) return 0;

    const std::string_view text(content.data(), static_cast<std::size_t>(length));
    constexpr std::string_view label = "\nRss:";
    const std::size_t label_at = text.find(label);
    if (label_at == std::string_view::npos) return 0;
    const std::size_t digits = text.find_first_not_of(' ', label_at + label.size());
    if (digits == std::string_view::npos) return 0;
    std::uint64_t kibibytes = 0;
    std::from_chars(text.data() + digits, text.data() + text.size(), kibibytes);
    return kibibytes * 1024U;
}

}  // namespace mnet::inline v1::diagnostics
