// Durations and sizes as text: see quantities.hpp.
#include "quantities.hpp"

#include <mnet/wire/frame.hpp>

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace mnet::tool {

namespace {

struct unit {
    std::string_view name;
    double nanoseconds;
};

constexpr std::array<unit, 7> units{{{"ns", 1.0}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}, {"m", 60e9}, {"h", 3600e9}}};
constexpr double longest_ns = 366.0 * 24 * 3600e9;

constexpr std::array<std::pair<std::string_view, std::size_t>, 6> multiples{
    {{"", 1}, {"B", 1}, {"K", 1024}, {"KiB", 1024}, {"M", std::size_t{1} << 20}, {"MiB", std::size_t{1} << 20}}};

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc{} || !std::isfinite(value) || value < 0) return std::nullopt;
    const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const unit& unit : units) {
        if (unit.name != name) continue;
        const double nanoseconds = value * unit.nanoseconds;
        if (nanoseconds > longest_ns) return std::nullopt;
        return std::chrono::nanoseconds(static_cast<std::int64_t>(nanoseconds));
    }
    return std::nullopt;
}

std::optional<std::size_t> parse_size(std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
    for (const auto& [multiple, bytes] : multiples) {
        if (multiple != name) continue;
        if (value > wire::length_max / bytes) return std::nullopt;
        return value * bytes;
    }
    return std::nullopt;
}

std::optional<std::vector<std::size_t>> parse_sizes(std::string_view text) {
    std::vector<std::size_t> sizes;
    for (;;) {
        const std::size_t comma = text.find(',');
        const auto size = parse_size(text.substr(0, comma));
        if (!size) return std::nullopt;
        sizes.push_back(*size);
        if (comma == std::string_view::npos) return sizes;
        text.remove_prefix(comma + 1);
    }
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::uint64_t kibibyte = 1024;
    constexpr std::uint64_t mebibyte = kibibyte * 1024;
    if (bytes >= mebibyte && bytes % mebibyte == 0) return fmt::format("{} MiB", bytes / mebibyte);
    if (bytes >= kibibyte && bytes % kibibyte == 0) return fmt::format("{} KiB", bytes / kibibyte);
    return fmt::format("{} B", bytes);
}

std::string duration_text(double nanoseconds) {
    const auto three_digits = [](double value, std::string_view name) {
        const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
        return fmt::format("{:.{}f} {}", value, decimals, name);
    };
    if (nanoseconds < 999.5) return three_digits(nanoseconds, "ns");
    if (nanoseconds < 999.5e3) return three_digits(nanoseconds / 1e3, "us");
    if (nanoseconds < 999.5e6) return three_digits(nanoseconds / 1e6, "ms");
    return three_digits(nanoseconds / 1e9, "s");
}

std::string count_text(std::uint64_t count) {
    std::string text = fmt::format("{}", count);
    for (std::size_t place = text.size(); place > 3; place -= 3) text.insert(place - 3, ",");
    return text;
}

}  // namespace mnet::tool
