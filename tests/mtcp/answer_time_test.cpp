// Who looks for answers learns when they are there, and forgets it when they come sooner.
#include "mtcp/answer_time.hpp"

#include <gtest/gtest.h>

namespace {

using mnet::mtcp::detail::answer_time;

/// Answers that are there after so many pauses, each looked for once a pause from when it was learnt to; gives how many of them were there at the
/// first look.
int found_at_once(answer_time& learnt, unsigned takes, int answers) {
    int found = 0;
    for (int answer = 0; answer < answers; ++answer) {
        const unsigned waited = learnt.pauses();
        const unsigned looks_in_vain = waited < takes ? takes - waited : 0;
        learnt.came_after(looks_in_vain);
        found += looks_in_vain == 0 ? 1 : 0;
    }
    return found;
}

TEST(AnswerTime, LooksAtOnceBeforeItHasLearntAnything) { EXPECT_EQ(answer_time{}.pauses(), 0U); }

TEST(AnswerTime, FindsMostAnswersAtTheFirstLookAndWaitsNoLongerThanTheyTake) {
    answer_time learnt;
    found_at_once(learnt, 6, 100);
    EXPECT_GE(found_at_once(learnt, 6, 1000), 750);
    EXPECT_GE(learnt.pauses(), 5U);
    EXPECT_LE(learnt.pauses(), 6U);
}

TEST(AnswerTime, IsUnlearntWhenAnswersComeSooner) {
    answer_time learnt;
    found_at_once(learnt, 10, 1000);
    found_at_once(learnt, 2, 1000);
    EXPECT_LE(learnt.pauses(), 2U);
    found_at_once(learnt, 0, 1000);
    EXPECT_EQ(learnt.pauses(), 0U);
}

TEST(AnswerTime, WaitsForNoneThatTakesVeryLong) {
    answer_time learnt;
    found_at_once(learnt, 50, 1000);
    EXPECT_EQ(learnt.pauses(), 0U);
}

TEST(AnswerTime, WaitsForSixteenPausesAtMost) {
    answer_time learnt;
    for (int answer = 0; answer < 1000; ++answer) learnt.came_after(16);
    EXPECT_EQ(learnt.pauses(), 16U);
}

}  // namespace
