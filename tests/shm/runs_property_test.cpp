// Both halves used at random, against a model: a queue of what ought to arrive.
#include <gtest/gtest.h>

#include <deque>

#include "shm/two_sides.hpp"
#include "support/random.hpp"

namespace mnet::inline v1::shm::tests {
namespace {

using kind = receiver::arrival::kind;

/// Random use of both halves, and a queue of what ought to arrive.
class random_use {
public:
    random_use(support::random_source& random, const geometry& sizes) : random_(random), way_(sizes), sizes_(sizes) {}

    void step() {
        switch (random_.below(11)) {
            case 0:
            case 1:
                open();
                break;
            case 2:
            case 3:
                keep();
                break;
            case 4:
                if (way_.out.is_open()) shut();
                copy();
                break;
            case 5:
            case 6:
                go_on();
                break;
            case 7:
                way_.out.publish();
                shown_ = true;
                break;
            default:
                read();
        }
        if (!expected_.empty()) shown_ = false;
    }

    void end() {
        if (way_.out.is_open()) shut();
        way_.out.finish();
        way_.out.publish();
        while (!ended_ && !testing::Test::HasFatalFailure()) {
            ASSERT_TRUE(way_.in.has_next()) << "what was published arrives";
            read();
        }
        ASSERT_TRUE(expected_.empty());
        read();
        ASSERT_EQ(way_.out.untaken_bytes(), 0U);
        ASSERT_FALSE(way_.out.lied());
        ASSERT_TRUE(way_.out.large_part_rests() || way_.out.large_part_rests());
    }

    std::size_t bytes_read() const { return bytes_read_; }
    std::size_t went_on() const { return went_on_; }
    std::size_t shown_at_once() const { return shown_at_once_; }

private:
    struct stretch {
        kind what;
        std::vector<std::byte> bytes;
    };

    void open() {
        if (way_.out.is_open()) return;
        const std::size_t wanted = 1 + random_.magnitude_below(random_.one_in(8) ? sizes_.side_bytes() : 20'000);
        window_ = way_.out.open(wanted);
        if (!window_.empty()) {
            ASSERT_GE(window_.size(), wanted);
        }
        used_ = 0;
    }

    void keep() {
        if (!way_.out.is_open() || used_ == window_.size()) return;
        const std::size_t count = 1 + random_.magnitude_below(window_.size() - used_);
        auto bytes = filled(count, static_cast<unsigned>(salt_++));
        std::memcpy(window_.data() + used_, bytes.data(), count);
        if (random_.one_in(2) && way_.out.show(window_.data() + used_ + count)) {
            ASSERT_LE(count, beside_max);
            expected_.push_back({.what = kind::whole, .bytes = std::move(bytes)});
            ++shown_at_once_;
            ASSERT_TRUE(way_.in.has_next());
            return;  // the next goes where it was
        }
        if (!way_.out.keep(window_.data() + used_ + count)) return;
        used_ += count;
        expected_.push_back({.what = kind::whole, .bytes = std::move(bytes)});
        if (random_.one_in(2)) used_ = static_cast<std::size_t>(way_.out.go_on() - window_.data());
    }

    /// From window to window, without a step between.
    void go_on() {
        if (!way_.out.is_open()) return;
        const std::size_t count = random_.magnitude_below(window_.size() - used_ + 1);
        auto bytes = filled(count, static_cast<unsigned>(salt_++));
        if (count > 0) std::memcpy(window_.data() + used_, bytes.data(), count);
        const std::byte* const end = window_.data() + used_ + count;
        const std::size_t wanted = 1 + random_.magnitude_below(random_.one_in(2) ? large_from : sizes_.side_bytes());
        const auto found = way_.out.next(end, wanted);
        if (found.empty()) {
            ASSERT_EQ(way_.out.unkept_bytes(end), count) << "nothing has changed";
            return;
        }
        ++went_on_;
        ASSERT_GE(found.size(), wanted);
        window_ = found;
        used_ = 0;
        if (count > 0) expected_.push_back({.what = kind::whole, .bytes = std::move(bytes)});
    }

    void shut() { way_.out.shut(); }

    void copy() {
        auto bytes = filled(1 + random_.magnitude_below(random_.one_in(4) ? 200'000 : 5000), static_cast<unsigned>(salt_++));
        bytes.resize(way_.out.copy(bytes));
        if (!bytes.empty()) expected_.push_back({.what = kind::piece, .bytes = std::move(bytes)});
    }

    void read() {
        ASSERT_TRUE(same(reading_, as_read_)) << "what is being read does not change";
        const bool had = way_.in.has_next();
        const auto next = way_.in.next();
        reading_ = next.bytes;
        as_read_.assign(reading_.begin(), reading_.end());
        bytes_read_ += reading_.size();
        ASSERT_EQ(had, next.what != kind::nothing);
        ASSERT_NE(next.what, kind::lie);
        ASSERT_FALSE(shown_ && next.what == kind::nothing && !expected_.empty());
        if (next.what == kind::nothing) return;
        if (next.what == kind::finish) {
            ended_ = true;
            return;
        }
        ASSERT_FALSE(expected_.empty());
        stretch& front = expected_.front();
        ASSERT_EQ(front.what, next.what);
        ASSERT_LE(reading_.size(), front.bytes.size());
        if (front.what == kind::whole) {
            ASSERT_EQ(reading_.size(), front.bytes.size());
        }
        ASSERT_TRUE(same(reading_, std::span(front.bytes).first(reading_.size())));
        front.bytes.erase(front.bytes.begin(), front.bytes.begin() + static_cast<std::ptrdiff_t>(reading_.size()));
        if (front.bytes.empty()) expected_.pop_front();
    }

    support::random_source& random_;
    one_way way_;
    geometry sizes_;
    std::span<std::byte> window_{};
    std::size_t used_ = 0;
    std::size_t salt_ = 0;
    std::deque<stretch> expected_{};
    std::span<const std::byte> reading_{};
    std::vector<std::byte> as_read_{};
    std::size_t bytes_read_ = 0;
    std::size_t went_on_ = 0;
    std::size_t shown_at_once_ = 0;
    bool shown_ = false;
    bool ended_ = false;
};

TEST(Runs, AgreeWithAQueueOfThemWhateverIsDoneInWhichOrder) {
    support::random_source random;
    std::size_t bytes_read = 0;
    std::size_t went_on = 0;
    std::size_t shown_at_once = 0;
    for (int round = 0; round < 2000; ++round) {
        const geometry sizes{.small_bytes = static_cast<std::uint32_t>(small_bytes_min + page_bytes * random.below(4)),
                             .large_bytes = static_cast<std::uint32_t>(page_bytes * random.magnitude_below(64))};
        random_use use(random, sizes);
        const std::uint64_t steps = random.magnitude_below(2000);
        for (std::uint64_t step = 0; step < steps; ++step) {
            use.step();
            ASSERT_FALSE(HasFatalFailure()) << "round " << round << ", step " << step;
        }
        use.end();
        ASSERT_FALSE(HasFatalFailure()) << "the end of round " << round;
        bytes_read += use.bytes_read();
        went_on += use.went_on();
        shown_at_once += use.shown_at_once();
    }
    EXPECT_GT(bytes_read, 2000U * 1000U) << "rounds in which nothing happens show nothing";
    EXPECT_GT(went_on, 2000U * 5U);
    EXPECT_GT(shown_at_once, 2000U);
}

}  // namespace
}  // namespace mnet::inline v1::shm::tests
