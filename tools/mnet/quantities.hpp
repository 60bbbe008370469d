// Durations, sizes and lists of them as people write them on a command line, and as they read them in a table.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::tool {

/// `500ms`, `20us`, `5s`, `1.5m`, `1h`; a number alone is seconds. Nothing for other texts, for less than 0 and for more than a year.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// `1024`, `16K`, `16KiB`, `1M`, `1MiB`: powers of 1024. Nothing for other texts and for more than `length_max` of the wire.
std::optional<std::size_t> parse_size(std::string_view text);

/// Sizes with commas between them; at least one.
std::optional<std::vector<std::size_t>> parse_sizes(std::string_view text);

/// `0 B`, `512 B`, `16 KiB`, `1 MiB`.
std::string size_text(std::uint64_t bytes);

/// `38 ns`, `7.4 us`, `1.2 ms`, `5 s`: three digits.
std::string duration_text(double nanoseconds);

/// `1,234,567`.
std::string count_text(std::uint64_t count);

}  // namespace mnet::tool
