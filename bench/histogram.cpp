// Percentiles and the printed distribution: see histogram.hpp.
#include "histogram.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace mnet::bench {

namespace {

template <typename... Values>
void add_line(std::string& text, const char* form, Values... values) {
    std::array<char, 128> line{};
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): the forms are HdrHistogram's own, written for printf
    const int length = std::snprintf(line.data(), line.size(), form, values...);
    text.append(line.data(), static_cast<std::size_t>(std::max(length, 0)));
}

double microseconds(std::uint64_t nanoseconds) noexcept { return static_cast<double>(nanoseconds) / 1e3; }

}  // namespace

std::uint64_t histogram::at(double share) const noexcept {
    if (total_ == 0) return 0;
    const auto rank = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
    std::uint64_t wanted = std::clamp<std::uint64_t>(rank, 1, total_);
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        if (counts_[index] >= wanted) return std::min(upper_end_of(index), max_ns_);
        wanted -= counts_[index];
    }
    return max_ns_;
}

std::uint64_t histogram::count_between(std::uint64_t from_ns, std::uint64_t until_ns) const noexcept {
    std::uint64_t count = 0;
    for (std::size_t index = index_of(std::min(from_ns, value_max_ns)); index < counts_.size(); ++index) {
        const std::uint64_t end = upper_end_of(index);
        if (end >= until_ns) break;
        if (end >= from_ns) count += counts_[index];
    }
    return count;
}

double histogram::deviation_ns(double mean_ns) const noexcept {
    double squares = 0;
    for (std::size_t index = 0; index < counts_.size(); ++index) {
        const double distance = static_cast<double>(upper_end_of(index)) - mean_ns;
        squares += static_cast<double>(counts_[index]) * distance * distance;
    }
    return total_ == 0 ? 0.0 : std::sqrt(squares / static_cast<double>(total_));
}

std::string histogram::to_hgrm() const {
    constexpr double ticks_for_each_halving = 5;
    std::string text;
    add_line(text, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    const auto all = static_cast<double>(total_);
    double level = 0;  // in percent, the next to be printed
    std::uint64_t up_to_here = 0;
    for (std::size_t index = 0; index < counts_.size() && up_to_here < total_; ++index) {
        if (counts_[index] == 0) continue;
        up_to_here += counts_[index];
        const double value = microseconds(std::min(upper_end_of(index), max_ns_));
        while (100 * static_cast<double>(up_to_here) / all >= level) {
            const double share = level / 100;
            add_line(text, "%12.3f %2.12f %10llu %14.2f\n", value, share, static_cast<unsigned long long>(up_to_here), 1 / (1 - share));
            level += 100 / (ticks_for_each_halving * std::exp2(std::floor(std::log2(100 / (100 - level))) + 1));
            if (up_to_here == total_) break;  // the line of 100 % is the last
        }
    }
    const auto total = static_cast<unsigned long long>(total_);
    if (total_ > 0) add_line(text, "%12.3f %2.12f %10llu\n", microseconds(max_ns_), 1.0, total);
    const double mean_ns = total_ == 0 ? 0.0 : sum_ns_ / all;
    add_line(text, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean_ns / 1e3, deviation_ns(mean_ns) / 1e3);
    add_line(text, "#[Max     = %12.3f, Total count    = %12llu]\n", microseconds(max_ns_), total);
    add_line(text, "#[Buckets = %12zu, SubBuckets     = %12zu]\n", counts_.size() / half - 1, 2 * half);
    return text;
}

}  // namespace mnet::bench
