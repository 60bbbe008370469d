// Lists whose elements carry the links.
#include "base/intrusive_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <vector>

#include "support/random.hpp"

namespace mnet::base {
namespace {

struct colour;

struct item : list_hook<>, list_hook<colour> {
    explicit item(int its_number) : number(its_number) {}
    int number;
};
using plain_list = intrusive_list<item>;
using colour_list = intrusive_list<item, colour>;

static_assert(std::bidirectional_iterator<plain_list::iterator>);
static_assert(std::bidirectional_iterator<plain_list::const_iterator>);

std::vector<int> numbers(const plain_list& list) {
    std::vector<int> result;
    for (const item& element : list) result.push_back(element.number);
    return result;
}

bool in_plain_list(const item& element) { return static_cast<const list_hook<>&>(element).linked(); }

TEST(IntrusiveList, IsEmptyAtFirst) {
    plain_list list;
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.front(), nullptr);
    EXPECT_EQ(list.pop_front(), nullptr);
    EXPECT_EQ(list.begin(), list.end());
}

TEST(IntrusiveList, KeepsTheOrderOfItsElements) {
    item one(1), two(2), three(3);
    plain_list list;
    list.push_back(two);
    list.push_back(three);
    list.push_front(one);
    EXPECT_EQ(numbers(list), (std::vector{1, 2, 3}));
    EXPECT_EQ(list.front(), &one);
}

TEST(IntrusiveList, TakesElementsOutFromTheFront) {
    item one(1), two(2);
    plain_list list;
    list.push_back(one);
    list.push_back(two);
    EXPECT_EQ(list.pop_front(), &one);
    EXPECT_FALSE(in_plain_list(one));
    EXPECT_EQ(list.pop_front(), &two);
    EXPECT_TRUE(list.empty());
}

TEST(IntrusiveList, ErasesFromTheMiddle) {
    item one(1), two(2), three(3);
    plain_list list;
    for (item* element : {&one, &two, &three}) list.push_back(*element);
    list.erase(two);
    EXPECT_EQ(numbers(list), (std::vector{1, 3}));
    EXPECT_FALSE(in_plain_list(two));
}

TEST(IntrusiveList, GoesRoundToAnElement) {
    item one(1), two(2), three(3), four(4);
    plain_list list;
    for (item* element : {&one, &two, &three, &four}) list.push_back(*element);
    list.rotate_to(three);
    EXPECT_EQ(numbers(list), (std::vector{3, 4, 1, 2}));
    list.rotate_to(three);  // the first already
    EXPECT_EQ(numbers(list), (std::vector{3, 4, 1, 2}));
    list.rotate_to(two);
    EXPECT_EQ(numbers(list), (std::vector{2, 3, 4, 1}));
    EXPECT_EQ(list.front(), &two);
    list.erase(two);
    list.push_back(two);
    EXPECT_EQ(numbers(list), (std::vector{3, 4, 1, 2}));
}

TEST(IntrusiveList, OfOneGoesRoundToIt) {
    item one(1);
    plain_list list;
    list.push_back(one);
    list.rotate_to(one);
    EXPECT_EQ(numbers(list), (std::vector{1}));
}

TEST(IntrusiveList, LosesAnElementThatDies) {
    item one(1), three(3);
    plain_list list;
    list.push_back(one);
    {
        item two(2);
        list.push_back(two);
        list.push_back(three);
    }
    EXPECT_EQ(numbers(list), (std::vector{1, 3}));
}

TEST(IntrusiveList, LetsItsElementsGoWhenItDies) {
    item one(1);
    {
        plain_list list;
        list.push_back(one);
    }
    EXPECT_FALSE(in_plain_list(one));
}

TEST(IntrusiveList, KeepsListsOfDifferentTagsApart) {
    item one(1), two(2);
    plain_list plain;
    colour_list colours;
    plain.push_back(one);
    plain.push_back(two);
    colours.push_back(two);
    colours.push_back(one);
    plain.erase(one);
    EXPECT_EQ(numbers(plain), (std::vector{2}));
    EXPECT_EQ(colours.pop_front(), &two);
    EXPECT_EQ(colours.pop_front(), &one);
}

TEST(IntrusiveList, MovesAllItsElements) {
    item one(1), two(2), old(9);
    plain_list source;
    source.push_back(one);
    source.push_back(two);
    plain_list target(std::move(source));
    EXPECT_TRUE(source.empty());  // NOLINT(bugprone-use-after-move): that it is empty is the point
    EXPECT_EQ(numbers(target), (std::vector{1, 2}));
    plain_list assigned;
    assigned.push_back(old);
    assigned = std::move(target);
    EXPECT_FALSE(in_plain_list(old));
    EXPECT_EQ(numbers(assigned), (std::vector{1, 2}));
}

TEST(IntrusiveList, TakesAllSoThatALoopCanAddAgain) {
    item one(1), two(2);
    plain_list list;
    list.push_back(one);
    list.push_back(two);
    int seen = 0;
    plain_list taken = list.take_all();
    while (item* const element = taken.pop_front()) {
        list.push_back(*element);
        ++seen;
    }
    EXPECT_EQ(seen, 2);
    EXPECT_EQ(numbers(list), (std::vector{1, 2}));
}

TEST(IntrusiveList, SplicesAnotherBehindItself) {
    item one(1), two(2), three(3);
    plain_list first;
    plain_list second;
    plain_list none;
    first.push_back(one);
    second.push_back(two);
    second.push_back(three);
    first.splice_back(second);
    first.splice_back(none);
    EXPECT_EQ(numbers(first), (std::vector{1, 2, 3}));
    EXPECT_TRUE(second.empty());
    none.splice_back(first);
    EXPECT_EQ(numbers(none), (std::vector{1, 2, 3}));
}

TEST(IntrusiveList, IsWalkedBothWays) {
    item one(1), two(2), three(3);
    plain_list list;
    for (item* element : {&one, &two, &three}) list.push_back(*element);
    std::vector<int> backwards;
    for (auto at = list.end(); at != list.begin();) backwards.push_back((--at)->number);
    EXPECT_EQ(backwards, (std::vector{3, 2, 1}));
    const auto first = list.begin();
    EXPECT_EQ(std::next(first)->number, 2);
}

TEST(IntrusiveList, MayEraseWhatTheLoopHasSteppedPast) {
    std::deque<item> items;
    plain_list list;
    for (int number = 0; number < 10; ++number) list.push_back(items.emplace_back(number));
    for (auto at = list.begin(); at != list.end();) {
        item& element = *at++;
        if (element.number % 2 == 0) list.erase(element);
    }
    EXPECT_EQ(numbers(list), (std::vector{1, 3, 5, 7, 9}));
}

TEST(IntrusiveList, BehavesAsADequeOfPointersWould) {
    support::random_source random;
    std::deque<item> items;
    for (int number = 0; number < 30; ++number) items.emplace_back(number);
    plain_list list;
    std::deque<int> model;
    for (int step = 0; step < 20'000; ++step) {
        item& element = items[random.below(items.size())];
        if (in_plain_list(element)) {
            list.erase(element);
            std::erase(model, element.number);
        } else if (random.one_in(2)) {
            list.push_back(element);
            model.push_back(element.number);
        } else {
            list.push_front(element);
            model.push_front(element.number);
        }
        if (random.one_in(10) && !model.empty()) {
            ASSERT_EQ(list.pop_front()->number, model.front());
            model.pop_front();
        }
        ASSERT_TRUE(std::ranges::equal(numbers(list), model));
    }
}

}  // namespace
}  // namespace mnet::base
