// The last things that happened in a simulated world, for the person who reads about a failure. A ring: the oldest entries go.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace mnet::inline v1::io::simulated {

struct trace_entry {
    std::chrono::nanoseconds at{};
    const char* what = "";  // a literal
    int handle = -1;
    std::int64_t value = 0;  // bytes, an errno, a second handle: as `what` says
};

class trace {
public:
    static constexpr std::size_t entries_max = 512;

    void add(const trace_entry& entry) noexcept { entries_[added_++ % entries_max] = entry; }

    /// How many were ever added. Two runs that are the same have the same count and the same text.
    std::size_t added() const noexcept { return added_; }

    /// One line an entry, oldest first.
    std::string text() const;

private:
    std::array<trace_entry, entries_max> entries_{};
    std::size_t added_ = 0;
};

}  // namespace mnet::inline v1::io::simulated
