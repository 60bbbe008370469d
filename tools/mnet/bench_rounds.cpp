// Turns, medians, calibration: see bench_rounds.hpp.
#include "bench_rounds.hpp"

#include <algorithm>
#include <utility>

namespace mnet::tool {

std::optional<double> outcome::ratio() const noexcept {
    if (!plain || plain->elapsed_ns == 0) return std::nullopt;
    return mnet.ns_per_message() / plain->ns_per_message();
}

std::optional<double> outcome::ratio_to_bare() const noexcept {
    if (!bare || bare->elapsed_ns == 0) return std::nullopt;
    return mnet.ns_per_message() / bare->ns_per_message();
}

bench::measurement median(std::vector<bench::measurement> measured) {
    const auto lossy = std::ranges::find_if(measured, [](const auto& round) { return round.delivered != round.messages; });
    if (lossy != measured.end()) return *lossy;
    const auto middle = measured.begin() + static_cast<std::ptrdiff_t>(measured.size() / 2);
    std::ranges::nth_element(measured, middle, {}, &bench::measurement::ns_per_message);
    return *middle;
}

outcome compete(const contender& mnet, const std::optional<contender>& plain, order order, int rounds, const on_round& tell,
                const std::optional<contender>& bare) {
    std::vector<bench::measurement> ours;
    std::vector<bench::measurement> theirs;
    std::vector<bench::measurement> alone;
    const bool turns = order == order::taking_turns && plain;
    mnet.open();
    if (turns) plain->open();
    for (int round = 1; round <= rounds; ++round) {
        tell(round, "mnet");
        ours.push_back(mnet.round());
        if (bare) {
            tell(round, "bare");
            alone.push_back(bare->round());
        }
        if (!turns) continue;
        tell(round, "plain");
        theirs.push_back(plain->round());
    }
    mnet.close();
    if (plain && !turns) {
        plain->open();
        for (int round = 1; round <= rounds; ++round) {
            tell(round, "plain");
            theirs.push_back(plain->round());
        }
    }
    if (plain) plain->close();

    outcome measured{.mnet = median(std::move(ours))};
    if (plain) measured.plain = median(std::move(theirs));
    if (bare) measured.bare = median(std::move(alone));
    return measured;
}

std::uint64_t calibrate(std::chrono::nanoseconds wanted, const std::function<bench::measurement(std::uint64_t)>& round) {
    const double wanted_ns = std::max(1.0, static_cast<double>(wanted.count()));
    const auto messages_in = [](double nanoseconds, const bench::measurement& measured) {
        return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(nanoseconds / std::max(0.1, measured.ns_per_message())));
    };
    std::uint64_t count = 16;
    for (;;) {
        const bench::measurement measured = round(count);
        const double elapsed = static_cast<double>(std::max<std::uint64_t>(1, measured.elapsed_ns));
        if (elapsed >= wanted_ns / 4) return messages_in(wanted_ns, measured);
        // Small counts are all start-up: grow by steps that a first reading can't mislead.
        count = std::clamp(messages_in(wanted_ns / 3, measured), count * 2, count * 32);
    }
}

}  // namespace mnet::tool
