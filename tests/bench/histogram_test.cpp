// The histogram of `mnet bench latency`: its percentiles against sorted values, and the text that HdrHistogram's plotter reads.
#include "histogram.hpp"

#include "support/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

namespace {

using mnet::bench::histogram;

std::uint64_t nearest_rank(const std::vector<std::uint64_t>& sorted, double share) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
    return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

TEST(Histogram, GivesPercentilesOfSortedValuesWithinOneInAThousand) {
    support::random_source random;
    for (int round = 0; round < 20; ++round) {
        histogram counted;
        std::vector<std::uint64_t> values(random.between(1, 20'000));
        for (std::uint64_t& value : values) {
            value = random.magnitude_below(histogram::value_max_ns);
            counted.record(value);
        }
        std::ranges::sort(values);
        for (const double share : {0.0, 0.001, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
            const std::uint64_t exact = nearest_rank(values, share);
            EXPECT_GE(counted.at(share), exact) << share;
            EXPECT_LE(counted.at(share), exact + exact / 1000) << share;
        }
        EXPECT_EQ(counted.total(), values.size());
        EXPECT_EQ(counted.max_ns(), values.back());
    }
}

TEST(Histogram, IsExactBelow2048) {
    for (std::uint64_t value = 0; value < 2048; ++value) {
        histogram counted;
        counted.record(value);
        counted.record(1'000'000);
        EXPECT_EQ(counted.at(0.5), value);
    }
}

TEST(Histogram, KeepsToNearestRank) {
    histogram counted;
    for (const std::uint64_t value : {1U, 2U, 3U, 4U}) counted.record(value);
    EXPECT_EQ(counted.at(0.5), 2U);
    EXPECT_EQ(counted.at(0.51), 3U);
    EXPECT_EQ(counted.at(0), 1U);
    EXPECT_EQ(counted.at(1), 4U);
}

TEST(Histogram, CountsWhatIsBeyondItsRangeAsItsLastValueAndRemembersTheMost) {
    histogram counted;
    counted.record(UINT64_MAX);
    EXPECT_EQ(counted.at(1), histogram::value_max_ns);
    EXPECT_EQ(counted.max_ns(), UINT64_MAX);
    EXPECT_EQ(counted.total(), 1U);
}

TEST(Histogram, OfNothingIsZero) {
    const histogram counted;
    EXPECT_EQ(counted.at(0.5), 0U);
    EXPECT_EQ(counted.max_ns(), 0U);
    EXPECT_EQ(counted.count_between(0, UINT64_MAX), 0U);
}

TEST(Histogram, CountsEachValueBetweenTwoOfAllEdges) {
    support::random_source random;
    histogram counted;
    std::vector<std::uint64_t> edges{0};
    while (edges.back() < histogram::value_max_ns) edges.push_back(edges.back() * 2 + random.between(1, 1000));
    for (int count = 0; count < 10'000; ++count) counted.record(random.magnitude_below(histogram::value_max_ns));
    std::uint64_t sum = 0;
    for (std::size_t index = 1; index < edges.size(); ++index) sum += counted.count_between(edges[index - 1], edges[index]);
    EXPECT_EQ(sum, counted.total());
}

// By the algorithm of its AbstractHistogram.outputPercentileDistribution, worked out by hand.
TEST(Histogram, IsWrittenAsHdrHistogramWritesIt) {
    histogram counted;
    for (const std::uint64_t value : {1000U, 1500U, 1800U, 2000U}) counted.record(value);
    EXPECT_EQ(counted.to_hgrm(),
              "       Value     Percentile TotalCount 1/(1-Percentile)\n"
              "\n"
              "       1.000 0.000000000000          1           1.00\n"
              "       1.000 0.100000000000          1           1.11\n"
              "       1.000 0.200000000000          1           1.25\n"
              "       1.500 0.300000000000          2           1.43\n"
              "       1.500 0.400000000000          2           1.67\n"
              "       1.500 0.500000000000          2           2.00\n"
              "       1.800 0.550000000000          3           2.22\n"
              "       1.800 0.600000000000          3           2.50\n"
              "       1.800 0.650000000000          3           2.86\n"
              "       1.800 0.700000000000          3           3.33\n"
              "       1.800 0.750000000000          3           4.00\n"
              "       2.000 0.775000000000          4           4.44\n"
              "       2.000 1.000000000000          4\n"
              "#[Mean    =        1.575, StdDeviation   =        0.377]\n"
              "#[Max     =        2.000, Total count    =            4]\n"
              "#[Buckets =           32, SubBuckets     =         2048]\n");
}

TEST(Histogram, IsWrittenWithRisingValuesUpToTheMost) {
    support::random_source random;
    histogram counted;
    for (int count = 0; count < 5'000; ++count) counted.record(random.between(5'000, 9'000'000));
    std::istringstream text(counted.to_hgrm());
    std::string line;
    double last_value = 0;
    double last_share = -1;
    std::uint64_t last_count = 0;
    std::getline(text, line);
    while (std::getline(text, line) && !line.starts_with("#")) {
        if (line.empty()) continue;
        std::istringstream fields(line);
        double value = 0;
        double share = 0;
        fields >> value >> share >> last_count;
        EXPECT_GE(value, last_value) << line;
        EXPECT_GT(share, last_share) << line;
        last_value = value;
        last_share = share;
    }
    EXPECT_EQ(last_count, 5'000U);
    EXPECT_EQ(last_share, 1.0);
    EXPECT_NEAR(last_value, static_cast<double>(counted.max_ns()) / 1e3, 0.0006);
}

}  // namespace
