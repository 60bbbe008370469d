// The mailbox behind a peer handle: order, bounds, one ring for many posts, and the end.
#include "mnet/mailbox.hpp"

#include "support/hex.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using mnet::errc;
using mnet::detail::bell;
using mnet::detail::mailbox;
using mnet::detail::posted_message;

class counting_bell final : public bell {
public:
    void ring(std::shared_ptr<mailbox> box) noexcept override {
        last = std::move(box);
        ++rings;
    }
    std::atomic<int> rings = 0;
    std::weak_ptr<mailbox> last{};  // a mailbox holds its bell
};

posted_message message(std::string_view text) { return std::make_shared<const std::vector<std::byte>>(support::to_bytes(text)); }

std::string text_of(const posted_message& posted) { return {reinterpret_cast<const char*>(posted->data()), posted->size()}; }

class Mailbox : public testing::Test {
protected:
    std::shared_ptr<counting_bell> bell_ = std::make_shared<counting_bell>();
    std::shared_ptr<mailbox> box =
        std::make_shared<mailbox>(7, mailbox::bounds{.posted_bytes_max = 1000, .message_bytes_max = 5000}, bell_);
};

TEST_F(Mailbox, GivesPostsInTheOrderOfTheirComing) {
    for (const char* const text : {"one", "two", "three"}) ASSERT_TRUE(box->post(message(text)).has_value());
    for (const char* const text : {"one", "two", "three"}) EXPECT_EQ(text_of(box->take().message), text);
    EXPECT_EQ(box->take().message, nullptr);
    EXPECT_EQ(box->id(), 7U);
}

TEST_F(Mailbox, RingsOnceForManyPostsUntilItIsAnswered) {
    for (int count = 0; count < 5; ++count) ASSERT_TRUE(box->post(message("x")).has_value());
    EXPECT_EQ(bell_->rings, 1);
    EXPECT_EQ(bell_->last.lock(), box);
    box->answered();
    ASSERT_TRUE(box->post(message("x")).has_value());
    EXPECT_EQ(bell_->rings, 2);
}

TEST_F(Mailbox, SaysWouldBlockAboveItsBoundAndTakesMoreOnceItWasEmptied) {
    int posted = 0;
    while (box->post(message(std::string(100, 'x')))) ++posted;
    EXPECT_GE(posted, 5);
    EXPECT_LE(posted, 10);
    EXPECT_EQ(box->post(message(std::string(100, 'x'))).error(), errc::would_block);
    EXPECT_NE(box->take().message, nullptr);
    EXPECT_TRUE(box->post(message(std::string(100, 'x'))).has_value());
}

TEST_F(Mailbox, BoundsEmptyMessagesTooBecauseWhatHoldsThemIsNotFree) {
    int posted = 0;
    while (posted < 1000 && box->post(message(""))) ++posted;
    EXPECT_LT(posted, 100);
}

TEST_F(Mailbox, TakesOneMessageOfAnySizeWhenItIsEmpty) {
    EXPECT_TRUE(box->post(message(std::string(5000, 'x'))).has_value());
    EXPECT_EQ(box->post(message("")).error(), errc::would_block);
    EXPECT_EQ(box->take().message->size(), 5000U);
    EXPECT_TRUE(box->post(message("")).has_value());
}

TEST_F(Mailbox, RefusesAMessageAboveTheMessageBound) {
    EXPECT_EQ(box->post(message(std::string(5001, 'x'))).error(), errc::message_too_large);
    EXPECT_EQ(bell_->rings, 0);
}

TEST_F(Mailbox, GivesWhatWasPutBackFirst) {
    for (const char* const text : {"one", "two"}) ASSERT_TRUE(box->post(message(text)).has_value());
    box->put_back(box->take().message);
    EXPECT_EQ(text_of(box->take().message), "one");
    EXPECT_EQ(text_of(box->take().message), "two");
    EXPECT_EQ(box->take().message, nullptr);
}

TEST_F(Mailbox, PutsBackInFrontOfWhatCameMeanwhile) {
    ASSERT_TRUE(box->post(message("one")).has_value());
    auto one = box->take().message;
    ASSERT_TRUE(box->post(message("two")).has_value());
    box->put_back(std::move(one));
    EXPECT_EQ(text_of(box->take().message), "one");
    EXPECT_EQ(text_of(box->take().message), "two");
    EXPECT_EQ(box->take().message, nullptr);
}

TEST_F(Mailbox, PutsNothingBackOnceItIsShut) {
    ASSERT_TRUE(box->post(message("one")).has_value());
    auto one = box->take().message;
    box->shut();
    EXPECT_TRUE(box->is_shut());
    box->put_back(std::move(one));
    EXPECT_EQ(box->take().message, nullptr);
}

TEST_F(Mailbox, KeepsTheOrderThroughManyPostsAndTakes) {
    int taken = 0;
    for (int posted = 0; posted < 1000; ++posted) {
        ASSERT_TRUE(box->post(message(std::to_string(posted))).has_value());
        if (posted % 3 == 0) continue;
        auto next = box->take().message;
        ASSERT_NE(next, nullptr);
        if (posted % 7 == 0) {
            box->put_back(std::move(next));
            next = box->take().message;
        }
        ASSERT_EQ(text_of(next), std::to_string(taken++));
        if (taken + 5 < posted) {
            ASSERT_EQ(text_of(box->take().message), std::to_string(taken++));
        }
    }
}

TEST_F(Mailbox, TakesNoMorePostsOnceACloseWasAskedForAndRings) {
    EXPECT_TRUE(box->live());
    EXPECT_FALSE(box->close_requested());
    box->request_close();
    EXPECT_TRUE(box->close_requested());
    EXPECT_FALSE(box->live());
    EXPECT_EQ(bell_->rings, 1);
    EXPECT_EQ(box->post(message("late")).error(), errc::already_closed);
}

TEST_F(Mailbox, DropsItsPostsWhenItIsShutAndTakesNoMore) {
    ASSERT_TRUE(box->post(message("waiting")).has_value());
    box->shut();
    EXPECT_FALSE(box->live());
    EXPECT_EQ(box->take().message, nullptr);
    EXPECT_EQ(box->post(message("late")).error(), errc::already_closed);
    box->request_close();
    EXPECT_FALSE(box->close_requested()) << "there is nothing left to close";
}

class MailboxThatDrops : public Mailbox {
protected:
    /// So many numbered posts of 100 bytes; gives how many were taken in.
    int fill(int count) {
        int posted = 0;
        for (int number = 0; number < count; ++number)
            posted += box->post(message(std::string(100, static_cast<char>('a' + number)))) ? 1 : 0;
        return posted;
    }
};

TEST_F(MailboxThatDrops, TheOldestGivesTheNewestAndTellsOfTheGapInFrontOfThem) {
    box->set_policy(mnet::at_bound::drop_oldest);
    EXPECT_EQ(fill(26), 26) << "each of them is taken in";
    const auto first = box->take();
    const auto number = static_cast<std::uint64_t>((*first.message)[0]) - 'a';
    EXPECT_GT(number, 10U);
    EXPECT_EQ(first.before.messages, number);
    EXPECT_EQ(first.before.payload_bytes, 100 * number);
    std::uint64_t rest = 1;
    for (auto next = box->take(); next.message != nullptr; next = box->take(), ++rest) EXPECT_EQ(next.before.messages, 0U);
    EXPECT_EQ(number + rest, 26U);
}

TEST_F(MailboxThatDrops, TheNewestSaysSoAndTellsOfTheGapBehindTheOthers) {
    box->set_policy(mnet::at_bound::drop_newest);
    const auto posted = static_cast<std::uint64_t>(fill(26));
    EXPECT_LT(posted, 26U);
    EXPECT_EQ(box->post(message(std::string(100, 'z'))).error(), errc::message_dropped);
    EXPECT_EQ((*box->take().message)[0], std::byte{'a'});
    ASSERT_TRUE(box->post(message("behind the gap")).has_value());
    for (std::uint64_t left = posted - 1; left > 0; --left) EXPECT_EQ(box->take().before.messages, 0U);
    const auto last = box->take();
    EXPECT_EQ(text_of(last.message), "behind the gap");
    EXPECT_EQ(last.before.messages, 26 - posted + 1);
}

TEST_F(MailboxThatDrops, TellsOfAGapThatNothingFollows) {
    box->set_policy(mnet::at_bound::drop_newest);
    const auto posted = fill(26);
    for (int left = posted; left > 0; --left) EXPECT_EQ(box->take().before.messages, 0U);
    const auto nothing = box->take();
    EXPECT_EQ(nothing.message, nullptr);
    EXPECT_EQ(nothing.before.messages, static_cast<std::uint64_t>(26 - posted));
    EXPECT_EQ(box->take().before.messages, 0U) << "once";
}

TEST_F(Mailbox, CountsThePostsThatItRefused) {
    while (box->post(message(std::string(100, 'x')))) {
    }
    EXPECT_EQ(box->answered(), 1U);
    EXPECT_EQ(box->answered(), 0U);
}

TEST_F(Mailbox, LosesNoRingWhilePostsAndTakesRace) {
    constexpr int posts = 2'000;
    std::thread poster([this] {
        for (int count = 0; count < posts;) count += box->post(message("x")) ? 1 : 0;
    });
    // What a loop does: whenever the bell rang, answer, then take all.
    int taken = 0;
    for (int heard = 0; taken < posts;) {
        if (bell_->rings == heard) {
            std::this_thread::yield();
            continue;
        }
        heard = bell_->rings;
        box->answered();
        while (box->take().message != nullptr) ++taken;
    }
    poster.join();
    EXPECT_EQ(taken, posts);
}

}  // namespace
