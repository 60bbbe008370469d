// Blocks: big enough, counted, kept up to a bound, and grown with what they hold.
#include "base/block_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "support/random.hpp"

namespace mnet::base {
namespace {

constexpr std::size_t window = 256 * 1024;
constexpr std::size_t plenty = std::size_t{64} * 1024 * 1024;

void fill(block& target, std::size_t count, unsigned seed) {
    for (std::size_t index = 0; index < count; ++index) target.data()[index] = static_cast<std::byte>(seed + index * 7);
    target.end = count;
}

bool holds(const block& source, std::size_t count, unsigned seed) {
    for (std::size_t index = 0; index < count; ++index) {
        if (source.data()[index] != static_cast<std::byte>(seed + index * 7)) return false;
    }
    return true;
}

TEST(BlockPool, GivesBlocksOfAtLeastTheSizeAskedFor) {
    block_pool pool(window, plenty);
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{480}, std::size_t{481}, std::size_t{4096}, std::size_t{65536}, std::size_t{100'000},
          window - 1, window, window + 1, 2 * window, 3 * window, 16 * window}) {
        block* const given = pool.acquire(size);
        ASSERT_NE(given, nullptr);
        EXPECT_GE(given->capacity, size);
        EXPECT_TRUE(given->empty());
        EXPECT_EQ(given->next, nullptr);
        EXPECT_EQ(given->room(), given->capacity);
        std::memset(given->data(), 0xa5, given->capacity);
        pool.release(given);
    }
}

TEST(BlockPool, GivesSmallBlocksForSmallSizes) {
    block_pool pool(window, plenty);
    const block_owner small(pool.acquire(100), {&pool});
    EXPECT_EQ(pool.bytes_in_use(), 512U);
    const block_owner larger(pool.acquire(1000), {&pool});
    EXPECT_EQ(pool.bytes_in_use(), 512U + 2048U) << "the header is part of the class";
}

TEST(BlockPool, MovesAFewBytesOnceAndNotFromOneSmallestBlockToAnother) {
    block_pool pool(window, plenty);
    const block_owner whole(pool.acquire_window(), {&pool});
    EXPECT_TRUE(pool.is_worth_a_move(*whole, 3));
    EXPECT_FALSE(pool.is_worth_a_move(*whole, window / 2));
    const block_owner smallest(pool.acquire(3), {&pool});
    EXPECT_FALSE(pool.is_worth_a_move(*smallest, 3)) << "the other block would be of the same size";
}

TEST(BlockPool, GivesAWindowOfTheWholeSize) {
    block_pool pool(window, plenty);
    const block_owner given(pool.acquire_window(), {&pool});
    EXPECT_GE(given->capacity, window);
    EXPECT_LT(given->capacity, window + 65536) << "rounded to a page, not to a power of two";
}

TEST(BlockPool, GivesTheLastReleasedFirst) {
    block_pool pool(window, plenty);
    for (const std::size_t size : {std::size_t{100}, std::size_t{5000}, window, 3 * window}) {
        block* const first = pool.acquire(size);
        block* const second = pool.acquire(size);
        pool.release(first);
        pool.release(second);
        EXPECT_EQ(pool.acquire(size), second);
        EXPECT_EQ(pool.acquire(size), first);
        pool.release(first);
        pool.release(second);
    }
}

TEST(BlockPool, GivesAnEmptyBlockThoughItWasReleasedFull) {
    block_pool pool(window, plenty);
    block* const full = pool.acquire(100);
    full->begin = 10;
    full->end = 90;
    full->next = full;
    pool.release(full);
    const block_owner again(pool.acquire(100), {&pool});
    ASSERT_EQ(again.get(), full);
    EXPECT_EQ(again->begin, 0U);
    EXPECT_EQ(again->end, 0U);
    EXPECT_EQ(again->next, nullptr);
}

TEST(BlockPool, CountsWhatIsInUseAndWhatIsKept) {
    block_pool pool(window, plenty);
    block* const small = pool.acquire(100);
    block* const large = pool.acquire(window);
    const std::size_t both = pool.bytes_in_use();
    EXPECT_EQ(pool.bytes_retained(), 0U);
    pool.release(small);
    EXPECT_EQ(pool.bytes_retained(), 512U);
    EXPECT_EQ(pool.bytes_in_use(), both - 512U);
    pool.release(large);
    EXPECT_EQ(pool.bytes_in_use(), 0U);
    EXPECT_EQ(pool.bytes_retained(), both);
}

TEST(BlockPool, KeepsNothingWithABoundOfZero) {
    block_pool pool(window, 0);
    for (const std::size_t size : {std::size_t{100}, window, 10 * window}) pool.release(pool.acquire(size));
    EXPECT_EQ(pool.bytes_retained(), 0U);
}

TEST(BlockPool, GivesTheBiggestBackToTheSystemFirst) {
    block_pool pool(window, 2 * window);
    block* const small = pool.acquire(100);
    block* const one_window = pool.acquire_window();
    block* const huge = pool.acquire(8 * window);
    const std::size_t of_window = sizeof(block) + one_window->capacity;
    pool.release(small);
    pool.release(huge);
    EXPECT_EQ(pool.bytes_retained(), 512U) << "the huge one is above the bound by itself";
    pool.release(one_window);
    EXPECT_EQ(pool.bytes_retained(), 512U + of_window);
}

TEST(BlockPool, GivesAllThatIsKeptBackWhenTrimmed) {
    block_pool pool(window, plenty);
    const block_owner used(pool.acquire(100), {&pool});
    for (const std::size_t size : {std::size_t{100}, std::size_t{9000}, window, 2 * window}) pool.release(pool.acquire(size));
    EXPECT_GT(pool.bytes_retained(), 0U);
    pool.trim();
    EXPECT_EQ(pool.bytes_retained(), 0U);
    EXPECT_EQ(pool.bytes_in_use(), 512U);
}

TEST(BlockPool, DoesNotLendAHugeBlockForALittle) {
    block_pool pool(window, plenty);
    pool.release(pool.acquire(64 * window));
    const block_owner modest(pool.acquire(2 * window), {&pool});
    EXPECT_LT(modest->capacity, 3 * window);
}

TEST(BlockPool, SaysSoWhenTheSystemHasNoMemory) {
    block_pool pool(window, plenty);
    EXPECT_EQ(pool.acquire(SIZE_MAX), nullptr);
    EXPECT_EQ(pool.acquire(SIZE_MAX / 4), nullptr);
    EXPECT_EQ(pool.acquire(SIZE_MAX / 8), nullptr);
    EXPECT_EQ(pool.bytes_in_use(), 0U);
}

TEST(BlockPool, ReleasesNothingGracefully) {
    block_pool pool(window, plenty);
    pool.release(nullptr);
    EXPECT_EQ(pool.bytes_retained(), 0U);
}

TEST(BlockPool, TakesAWindowAsSmallAsATestLikesIt) {
    block_pool pool(1000, plenty);
    const block_owner given(pool.acquire_window(), {&pool});
    EXPECT_EQ(given->capacity, 1000U);
    const block_owner larger(pool.acquire(1001), {&pool});
    EXPECT_GE(larger->capacity, 1001U);
    EXPECT_LT(larger->capacity, 65536U);
}

TEST(BlockPool, LeavesABlockThatIsBigEnoughAlone) {
    block_pool pool(window, plenty);
    block* const given = pool.acquire(100);
    EXPECT_EQ(pool.grow(given, given->capacity), given);
    pool.release(given);
}

TEST(BlockPool, GrowsABlockWithAllItHolds) {
    const std::vector<std::pair<std::size_t, std::size_t>> steps = {{100, 2000},                  // heap to heap
                                                                    {2000, 100'000},              // heap to mapping
                                                                    {100'000, window},            // mapping to window
                                                                    {window, 5 * window},         // window to larger
                                                                    {3 * window, 100 * window}};  // larger to much larger
    for (const auto& [before, after] : steps) {
        block_pool pool(window, plenty);
        block* given = pool.acquire(before);
        fill(*given, before, 3);
        given->begin = 10;
        given = pool.grow(given, after);
        ASSERT_NE(given, nullptr);
        EXPECT_GE(given->capacity, after);
        EXPECT_EQ(given->begin, 10U);
        EXPECT_EQ(given->end, before);
        EXPECT_TRUE(holds(*given, before, 3)) << before << " to " << after;
        EXPECT_EQ(pool.bytes_in_use(), given->capacity + sizeof(block));
        std::memset(given->data(), 0xa5, given->capacity);
        pool.release(given);
    }
}

TEST(BlockPool, KeepsTheBlockThatCouldNotGrow) {
    block_pool pool(window, plenty);
    for (const std::size_t size : {std::size_t{100}, window, 2 * window}) {
        const block_owner given(pool.acquire(size), {&pool});
        fill(*given, size, 5);
        const std::size_t in_use = pool.bytes_in_use();
        EXPECT_EQ(pool.grow(given.get(), SIZE_MAX / 8), nullptr);
        EXPECT_EQ(pool.grow(given.get(), SIZE_MAX), nullptr);
        EXPECT_EQ(pool.bytes_in_use(), in_use);
        EXPECT_TRUE(holds(*given, size, 5));
    }
}

TEST(BlockPoolProperty, NeverLosesAByteNorCountsOneWrong) {
    support::random_source random;
    struct lent {
        block* memory;
        unsigned seed;
    };
    for (const std::size_t window_bytes : {std::size_t{512}, std::size_t{10'000}, std::size_t{70'000}, window}) {
        const std::size_t retained_max = random.one_in(2) ? plenty : random.magnitude_below(plenty);
        block_pool pool(window_bytes, retained_max);
        std::vector<lent> out;
        for (int step = 0; step < 3'000; ++step) {
            const std::size_t size = random.magnitude_below(1 << 20);
            if (out.size() < 20 && random.one_in(2)) {
                const bool asks_window = random.one_in(4);
                block* const given = asks_window ? pool.acquire_window() : pool.acquire(size);
                ASSERT_NE(given, nullptr);
                ASSERT_GE(given->capacity, asks_window ? window_bytes : size);
                const unsigned seed = static_cast<unsigned>(random.below(256));
                fill(*given, std::min<std::size_t>(given->capacity, 300), seed);
                out.push_back({given, seed});
            } else if (!out.empty()) {
                lent& chosen = out[random.below(out.size())];
                ASSERT_TRUE(holds(*chosen.memory, chosen.memory->end, chosen.seed));
                if (random.one_in(2)) {
                    chosen.memory = pool.grow(chosen.memory, size);
                    ASSERT_NE(chosen.memory, nullptr);
                    ASSERT_GE(chosen.memory->capacity, size);
                } else {
                    pool.release(chosen.memory);
                    chosen = out.back();
                    out.pop_back();
                }
            }
            if (random.one_in(100)) pool.trim();
            std::size_t in_use = 0;
            for (const lent& one : out) in_use += sizeof(block) + one.memory->capacity;
            ASSERT_EQ(pool.bytes_in_use(), in_use);
            ASSERT_LE(pool.bytes_retained(), retained_max);
        }
        for (const lent& one : out) {
            ASSERT_TRUE(holds(*one.memory, one.memory->end, one.seed));
            pool.release(one.memory);
        }
    }
}

}  // namespace
}  // namespace mnet::base
