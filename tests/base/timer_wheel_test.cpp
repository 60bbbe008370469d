// Timers: never early, never late, in order, whatever their functions do to each other.
#include "base/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "support/random.hpp"

namespace mnet::base {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr nanoseconds start = 1'000'000s + 123'456ns;
constexpr nanoseconds year = 24h * 365;

// A timer that does what it is told when it is called.
struct alarm {
    explicit alarm(std::function<void()> when_called = {}) : action(std::move(when_called)) {}

    std::function<void()> action;
    int called = 0;
    timer clock{this, [](void* owner) noexcept {
                    auto& self = *static_cast<alarm*>(owner);
                    ++self.called;
                    if (const auto now_do = self.action) now_do();  // a copy: the action may destroy the alarm
                }};
};

TEST(TimerWheel, HasNothingToDoWithoutTimers) {
    timer_wheel wheel(start);
    EXPECT_EQ(wheel.next(), std::nullopt);
    EXPECT_EQ(wheel.expire(start + 100 * year), 0U);
}

TEST(TimerWheel, CallsATimerThatIsDueAndUnarmsIt) {
    timer_wheel wheel(start);
    alarm alarm;
    wheel.set(alarm.clock, start + 5ms);
    EXPECT_TRUE(alarm.clock.armed());
    EXPECT_EQ(alarm.clock.due(), start + 5ms);
    EXPECT_EQ(wheel.expire(start + 5ms), 1U);
    EXPECT_EQ(alarm.called, 1);
    EXPECT_FALSE(alarm.clock.armed());
    EXPECT_EQ(wheel.expire(start + 1h), 0U);
    EXPECT_EQ(alarm.called, 1);
}

TEST(TimerWheel, IsNeverEarlyNotByANanosecond) {
    for (const nanoseconds distance : {1ns, 1'000ns, 999'999ns, nanoseconds(1 << 20), nanoseconds(66ms), nanoseconds(70ms), nanoseconds(5s),
                                       nanoseconds(1h), nanoseconds(400h), 3 * year, 100 * year}) {
        timer_wheel wheel(start);
        alarm alarm;
        wheel.set(alarm.clock, start + distance);
        EXPECT_EQ(wheel.expire(start + distance - 1ns), 0U) << distance.count();
        EXPECT_TRUE(alarm.clock.armed());
        EXPECT_EQ(wheel.next(), start + distance) << "within a tick the wheel is exact";
        EXPECT_EQ(wheel.expire(start + distance), 1U) << distance.count();
    }
}

TEST(TimerWheel, CallsATimerWhoseTimeHasPassedAtTheNextExpire) {
    timer_wheel wheel(start);
    alarm long_ago;
    alarm before_all_time;
    wheel.set(long_ago.clock, start - 1h);
    wheel.set(before_all_time.clock, -1ns);
    EXPECT_LE(wheel.next(), start);
    EXPECT_EQ(wheel.expire(start), 2U);
}

TEST(TimerWheel, RearmsAnArmedTimer) {
    timer_wheel wheel(start);
    alarm alarm;
    wheel.set(alarm.clock, start + 10ms);
    wheel.set(alarm.clock, start + 20s);
    EXPECT_EQ(wheel.expire(start + 1s), 0U);
    wheel.set(alarm.clock, start + 2s);
    EXPECT_EQ(wheel.expire(start + 2s), 1U);
    EXPECT_EQ(wheel.next(), std::nullopt);
}

TEST(TimerWheel, DoesNotCallACancelledTimer) {
    timer_wheel wheel(start);
    alarm near;
    alarm far;
    wheel.set(near.clock, start + 10ms);
    wheel.set(far.clock, start + 10h);
    wheel.cancel(near.clock);
    wheel.cancel(far.clock);
    wheel.cancel(far.clock);
    EXPECT_EQ(wheel.next(), std::nullopt);
    EXPECT_EQ(wheel.expire(start + 20h), 0U);
}

TEST(TimerWheel, ForgetsATimerThatDies) {
    timer_wheel wheel(start);
    {
        alarm alarm;
        wheel.set(alarm.clock, start + 10ms);
    }
    EXPECT_EQ(wheel.next(), std::nullopt);
    EXPECT_EQ(wheel.expire(start + 1s), 0U);
}

TEST(TimerWheel, UnarmsItsTimersWhenItDies) {
    alarm alarm;
    {
        timer_wheel wheel(start);
        wheel.set(alarm.clock, start + 10ms);
    }
    EXPECT_FALSE(alarm.clock.armed());
    EXPECT_EQ(alarm.called, 0);
}

TEST(TimerWheel, CallsInTheOrderOfTicksAfterALongSleep) {
    timer_wheel wheel(start);
    std::vector<int> order;
    std::deque<alarm> alarms;
    const std::vector<nanoseconds> distances = {5h, 2ms, 300ms, 40s, 4ms, 70ms, 1s};
    for (std::size_t index = 0; index < distances.size(); ++index) {
        alarm& alarm = alarms.emplace_back([&order, index] { order.push_back(static_cast<int>(index)); });
        wheel.set(alarm.clock, start + distances[index]);
    }
    EXPECT_EQ(wheel.expire(start + 10h), distances.size());
    EXPECT_EQ(order, (std::vector{1, 4, 5, 2, 6, 3, 0}));
}

TEST(TimerWheel, StandsStillWhenTheClockSeemsToTurnBack) {
    timer_wheel wheel(start);
    alarm alarm;
    wheel.expire(start + 1s);
    wheel.set(alarm.clock, start + 2s);
    EXPECT_EQ(wheel.expire(start), 0U);
    EXPECT_EQ(wheel.expire(start + 2s), 1U);
}

TEST(TimerWheel, CarriesTheFarthestTimeThereIs) {
    timer_wheel wheel(start);
    alarm alarm;
    wheel.set(alarm.clock, nanoseconds::max());
    EXPECT_EQ(wheel.expire(nanoseconds::max() - 1ns), 0U);
    EXPECT_EQ(wheel.expire(nanoseconds::max()), 1U);
}

TEST(TimerWheel, NamesANearTimeExactlyAndAFarOneInTime) {
    timer_wheel wheel(start);
    alarm far;
    alarm near;
    alarm nearer;
    wheel.set(far.clock, start + 1h);
    ASSERT_TRUE(wheel.next().has_value());
    EXPECT_GT(*wheel.next(), start);
    EXPECT_LE(*wheel.next(), start + 1h);
    wheel.set(near.clock, start + 59ms);
    EXPECT_EQ(wheel.next(), start + 59ms);
    wheel.set(nearer.clock, start + 59ms - 1ns);
    EXPECT_EQ(wheel.next(), start + 59ms - 1ns);
}

TEST(TimerWheel, NamesANearTimeExactlyAfterALongSleepWithoutTimers) {
    timer_wheel wheel(start);
    wheel.expire(start + 1h);
    alarm alarm;
    wheel.set(alarm.clock, start + 1h + 50ms);
    EXPECT_EQ(wheel.next(), start + 1h + 50ms);
}

TEST(TimerWheel, IsNotLateForATimerFromAboveThatSharesItsTickWithANearOne) {
    constexpr nanoseconds tick{1 << 20};
    timer_wheel wheel(nanoseconds::zero());
    alarm from_above;
    alarm near;
    wheel.set(from_above.clock, 64 * tick);  // waits in level 1
    wheel.expire(10 * tick);
    wheel.set(near.clock, 64 * tick + 100ns);  // waits in level 0
    EXPECT_LE(wheel.next(), 64 * tick);
}

// ---- functions that meddle -------------------------------------------------------------------------------------------------------------

TEST(TimerWheel, LetsAFunctionRearmItsTimerForTheNextExpire) {
    timer_wheel wheel(start);
    alarm alarm;
    alarm.action = [&] { wheel.set(alarm.clock, start); };
    wheel.set(alarm.clock, start);
    EXPECT_EQ(wheel.expire(start + 1s), 1U) << "what is due at once is for the next expire, or this one never ends";
    EXPECT_EQ(wheel.next(), start);
    EXPECT_EQ(wheel.expire(start + 1s), 1U);
    EXPECT_EQ(alarm.called, 2);
}

TEST(TimerWheel, LetsAFunctionCancelATimerThatIsDueInTheSameExpire) {
    timer_wheel wheel(start);
    alarm second;
    alarm first([&] { wheel.cancel(second.clock); });
    wheel.set(first.clock, start + 1ms);
    wheel.set(second.clock, start + 5ms);
    EXPECT_EQ(wheel.expire(start + 1s), 1U);
    EXPECT_EQ(second.called, 0);
    EXPECT_FALSE(second.clock.armed());
}

TEST(TimerWheel, LetsAFunctionPostponeATimerThatIsDueInTheSameExpire) {
    timer_wheel wheel(start);
    alarm second;
    alarm first([&] { wheel.set(second.clock, start + 2s); });
    wheel.set(first.clock, start + 1ms);
    wheel.set(second.clock, start + 5ms);
    EXPECT_EQ(wheel.expire(start + 1s), 1U);
    EXPECT_EQ(wheel.expire(start + 2s), 1U);
    EXPECT_EQ(second.called, 1);
}

TEST(TimerWheel, LetsAFunctionDestroyItsOwnTimer) {
    timer_wheel wheel(start);
    auto doomed = std::make_unique<alarm>();
    doomed->action = [&] { doomed.reset(); };
    wheel.set(doomed->clock, start + 1ms);
    EXPECT_EQ(wheel.expire(start + 1s), 1U);
    EXPECT_EQ(doomed, nullptr);
}

TEST(TimerWheel, LetsAFunctionDestroyTimersDueNowAndLater) {
    timer_wheel wheel(start);
    auto now = std::make_unique<alarm>();
    auto later = std::make_unique<alarm>();
    alarm first([&] {
        now.reset();
        later.reset();
    });
    wheel.set(first.clock, start + 1ms);
    wheel.set(now->clock, start + 1ms);
    wheel.set(later->clock, start + 1h);
    EXPECT_EQ(wheel.expire(start + 1s), 1U);
    EXPECT_EQ(wheel.next(), std::nullopt);
}

// ---- against a model -------------------------------------------------------------------------------------------------------------------

nanoseconds random_distance(support::random_source& random) { return nanoseconds(random.magnitude_below(1ULL << 61)); }

// The model: an ordered map from the time a timer is due to its number.
class compared_wheel {
public:
    compared_wheel(support::random_source& random, std::size_t count) : random_(random) {
        now_ = nanoseconds(random.magnitude_below(1ULL << 60));
        wheel_ = std::make_unique<timer_wheel>(now_);
        for (std::size_t number = 0; number < count; ++number) {
            alarms_.emplace_back([this, number] { fired_.push_back(number); });
        }
    }

    void set_one() {
        const std::size_t number = random_.below(alarms_.size());
        const bool past = random_.one_in(10);
        const nanoseconds due =
            past ? nanoseconds(random_.below(static_cast<std::uint64_t>(now_.count()) + 1)) : later(random_distance(random_));
        forget(number);
        wheel_->set(alarms_[number].clock, due);
        model_.emplace(due, number);
    }

    void cancel_one() {
        const std::size_t number = random_.below(alarms_.size());
        forget(number);
        wheel_->cancel(alarms_[number].clock);
    }

    void pass_time() {
        const auto next = wheel_->next();
        const bool follow = next && random_.one_in(2);
        now_ = follow ? std::max(now_, *next) : later(random_distance(random_) / 1024);
        fired_.clear();
        const std::size_t called = wheel_->expire(now_);
        ASSERT_EQ(called, fired_.size());
        expect_fired();
    }

    void expect_agreement() {
        ASSERT_EQ(wheel_->next().has_value(), !model_.empty());
        if (!model_.empty()) {
            ASSERT_LE(*wheel_->next(), model_.begin()->first);
        }
        const auto armed = std::ranges::count_if(alarms_, [](const alarm& alarm) { return alarm.clock.armed(); });
        ASSERT_EQ(static_cast<std::size_t>(armed), model_.size());
    }

private:
    nanoseconds later(nanoseconds distance) const { return distance > nanoseconds::max() - now_ ? nanoseconds::max() : now_ + distance; }

    void forget(std::size_t number) {
        std::erase_if(model_, [number](const auto& entry) { return entry.second == number; });
    }

    void expect_fired() {
        std::vector<std::size_t> expected;
        while (!model_.empty() && model_.begin()->first <= now_) {
            expected.push_back(model_.begin()->second);
            model_.erase(model_.begin());
        }
        std::ranges::sort(fired_);  // the order has a test of its own below
        std::ranges::sort(expected);
        ASSERT_EQ(fired_, expected);
    }

    support::random_source& random_;
    nanoseconds now_{};
    std::deque<alarm> alarms_;
    std::unique_ptr<timer_wheel> wheel_;
    std::multimap<nanoseconds, std::size_t> model_;
    std::vector<std::size_t> fired_;
};

TEST(TimerWheelProperty, AgreesWithAnOrderedMap) {
    support::random_source random;
    for (int round = 0; round < 1'000; ++round) {
        compared_wheel compared(random, 1 + random.below(60));
        for (int step = 0; step < 500; ++step) {
            switch (random.below(5)) {
                case 0:
                    compared.cancel_one();
                    break;
                case 1:
                    compared.pass_time();
                    break;
                default:
                    compared.set_one();
                    break;
            }
            compared.expect_agreement();
            ASSERT_FALSE(HasFatalFailure());
        }
    }
}

TEST(TimerWheelProperty, CallsEachTimerAtItsTimeWhenExpireFollowsNext) {
    support::random_source random;
    for (int round = 0; round < 300; ++round) {
        const nanoseconds begin{random.magnitude_below(1ULL << 61)};
        nanoseconds now = begin;
        timer_wheel wheel(now);
        std::deque<alarm> alarms;
        const std::size_t count = 1 + random.below(50);
        for (std::size_t number = 0; number < count; ++number) {
            alarm& alarm = alarms.emplace_back();
            alarm.action = [&alarm, &now] { EXPECT_EQ(alarm.clock.due(), now); };
            wheel.set(alarm.clock, begin + nanoseconds(random.magnitude_below(1ULL << 55)));
        }
        std::size_t called = 0;
        std::size_t calls = 0;
        while (const auto next = wheel.next()) {
            ASSERT_GE(*next, now);
            now = *next;
            called += wheel.expire(now);
            ASSERT_LE(++calls, 6 * count) << "next comes closer with every expire";
        }
        ASSERT_EQ(called, count);
    }
}

TEST(TimerWheelProperty, CallsInTheOrderOfTicks) {
    support::random_source random;
    for (int round = 0; round < 200; ++round) {
        const nanoseconds begin{random.magnitude_below(1ULL << 60)};
        timer_wheel wheel(begin);
        std::deque<alarm> alarms;
        std::vector<std::int64_t> ticks;
        for (std::size_t number = 0; number < 100; ++number) {
            alarm& alarm = alarms.emplace_back();
            alarm.action = [&alarm, &ticks] { ticks.push_back(alarm.clock.due().count() >> 20); };
            wheel.set(alarm.clock, begin + random_distance(random));
        }
        for (nanoseconds now = begin; wheel.next().has_value();) {
            now = std::max(now, *wheel.next()) + random_distance(random) / 4;
            wheel.expire(now);
        }
        ASSERT_EQ(ticks.size(), alarms.size());
        ASSERT_TRUE(std::ranges::is_sorted(ticks));
    }
}

}  // namespace
}  // namespace mnet::base
