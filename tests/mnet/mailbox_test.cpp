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
    void ring(std::shared_ptr<mailbox> box) override {
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
    for (const char* const text : {"one", "two", "three"}) EXPECT_EQ(text_of(box->take()), text);
    EXPECT_EQ(box->take(), nullptr);
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
    EXPECT_NE(box->take(), nullptr);
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
    EXPECT_EQ(box->take()->size(), 5000U);
    EXPECT_TRUE(box->post(message("")).has_value());
}

TEST_F(Mailbox, RefusesAMessageAboveTheMessageBound) {
    EXPECT_EQ(box->post(message(std::string(5001, 'x'))).error(), errc::message_too_large);
    EXPECT_EQ(bell_->rings, 0);
}

TEST_F(Mailbox, GivesWhatWasPutBackFirst) {
    for (const char* const text : {"one", "two"}) ASSERT_TRUE(box->post(message(text)).has_value());
    box->put_back(box->take());
    EXPECT_EQ(text_of(box->take()), "one");
    EXPECT_EQ(text_of(box->take()), "two");
    EXPECT_EQ(box->take(), nullptr);
}

TEST_F(Mailbox, TakesWhatIsPutBackAfterItWasEmptied) {
    ASSERT_TRUE(box->post(message("one")).has_value());
    auto one = box->take();
    EXPECT_EQ(box->take(), nullptr);
    box->put_back(std::move(one));
    EXPECT_EQ(text_of(box->take()), "one");
}

TEST_F(Mailbox, KeepsTheOrderThroughManyPostsAndTakes) {
    int taken = 0;
    for (int posted = 0; posted < 1000; ++posted) {
        ASSERT_TRUE(box->post(message(std::to_string(posted))).has_value());
        if (posted % 3 == 0) continue;
        auto next = box->take();
        ASSERT_NE(next, nullptr);
        if (posted % 7 == 0) {
            box->put_back(std::move(next));
            next = box->take();
        }
        ASSERT_EQ(text_of(next), std::to_string(taken++));
        if (taken + 5 < posted) {
            ASSERT_EQ(text_of(box->take()), std::to_string(taken++));
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
    EXPECT_EQ(box->take(), nullptr);
    EXPECT_EQ(box->post(message("late")).error(), errc::already_closed);
    box->request_close();
    EXPECT_FALSE(box->close_requested()) << "there is nothing left to close";
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
        while (box->take() != nullptr) ++taken;
    }
    poster.join();
    EXPECT_EQ(taken, posts);
}

}  // namespace
