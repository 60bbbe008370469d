// Who is measured when: the library and the plain program take turns, so that what else the machine does meets both alike, and the median
// round of each counts.
#pragma once
#include "measurement.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

namespace mnet::tool {

/// One of those who compete. `open` and `close` stand around its rounds.
struct contender {
    std::function<void()> open = [] {};
    std::function<bench::measurement()> round{};
    std::function<void()> close = [] {};
};

struct outcome {
    bench::measurement mnet{};
    std::optional<bench::measurement> plain{};
    std::optional<bench::measurement> bare{};  // the same bytes without the messages: by OpenSSL alone, through memory alone

    /// ns a message of mnet by those of the other.
    std::optional<double> ratio() const noexcept;
    std::optional<double> ratio_to_bare() const noexcept;
};

/// Called before each round: its number from 1, and who runs.
using on_round = std::function<void(int, std::string_view)>;

enum class order : std::uint8_t {
    taking_turns,
    one_after_the_other,  // where both together would be too much for the process: thousands of connections
};

/// `bare`: a third, that takes turns with mnet whatever the order is.
outcome compete(const contender& mnet, const std::optional<contender>& plain, order order, int rounds, const on_round& tell,
                const std::optional<contender>& bare = std::nullopt);

/// The round with the median time a message; but the first in which something was lost, when there is one.
bench::measurement median(std::vector<bench::measurement> measured);

/// How many messages take about `wanted`, found with `round` (whose argument is a number of messages): warms up too.
std::uint64_t calibrate(std::chrono::nanoseconds wanted, const std::function<bench::measurement(std::uint64_t)>& round);

}  // namespace mnet::tool
