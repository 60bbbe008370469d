// How often each duration was seen, in memory that is fixed from the start: values of up to 73 minutes, in nanoseconds, with an error below
// 0.1 % (three significant digits). Recording costs a few nanoseconds and allocates nothing.
//
// Log-linear buckets, as in Gil Tene's HdrHistogram (hdrhistogram.org): values below 2048 are counted one by one; above, every power of two
// is cut into 1024 equal buckets. Written out, it is the text that HdrHistogram's own plotter reads (.hgrm files).
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mnet::bench {

class histogram {
public:
    /// Values beyond count as this one; only `max_ns` knows better.
    static constexpr std::uint64_t value_max_ns = (std::uint64_t{1} << 42U) - 1;

    histogram() : counts_(index_of(value_max_ns) + 1) {}

    void record(std::uint64_t value_ns) noexcept {
        ++counts_[index_of(std::min(value_ns, value_max_ns))];
        ++total_;
        max_ns_ = std::max(max_ns_, value_ns);
        sum_ns_ += static_cast<double>(value_ns);
    }

    std::uint64_t total() const noexcept { return total_; }
    std::uint64_t max_ns() const noexcept { return max_ns_; }

    /// The least value that `share` (0 to 1) of all recorded values don't exceed: nearest rank, so that a half of 1, 2, 3, 4 is 2. Given as the
    /// upper end of its bucket, or `max_ns` where that is less. 0 when nothing was recorded.
    std::uint64_t at(double share) const noexcept;

    /// How many recorded values lie in buckets whose upper end is in [from, until).
    std::uint64_t count_between(std::uint64_t from_ns, std::uint64_t until_ns) const noexcept;

    /// The percentile distribution as HdrHistogram prints it (AbstractHistogram.outputPercentileDistribution, 5 ticks for each halving of
    /// the distance to 100 %), values in microseconds.
    std::string to_hgrm() const;

private:
    static constexpr unsigned linear_bits = 11;  // 2^11 values one by one: 2 * 10^3 are what three digits need
    static constexpr std::size_t half = std::size_t{1} << (linear_bits - 1);

    static constexpr std::size_t index_of(std::uint64_t value) noexcept {
        const auto width = static_cast<unsigned>(std::bit_width(value));
        const unsigned shift = width > linear_bits ? width - linear_bits : 0;
        return shift * half + static_cast<std::size_t>(value >> shift);
    }

    /// The largest value that is counted at `index`.
    static constexpr std::uint64_t upper_end_of(std::size_t index) noexcept {
        if (index < 2 * half) return index;
        const std::size_t shift = index / half - 1;
        return ((static_cast<std::uint64_t>(index - shift * half) + 1) << shift) - 1;
    }

    double deviation_ns(double mean_ns) const noexcept;

    std::vector<std::uint64_t> counts_;
    std::uint64_t total_ = 0;
    std::uint64_t max_ns_ = 0;
    double sum_ns_ = 0;
};

}  // namespace mnet::bench
