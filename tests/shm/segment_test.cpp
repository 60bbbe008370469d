// Memory that is made, handed over, mapped and given back; and what is refused.
#include "shm/segment.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <system_error>
#include <unistd.h>

#include "shm/two_sides.hpp"

namespace mnet::inline v1::shm::tests {
namespace {

std::error_code open_error(const geometry& sizes, unique_fd descriptor) {
    const auto opened = segment::open(sizes, std::move(descriptor));
    return opened ? std::error_code{} : opened.error();
}

/// Memory of the right size with those seals.
unique_fd memory_with(int seals, std::size_t bytes = segment_bytes(usual), unsigned flags = MFD_ALLOW_SEALING) {
    unique_fd made(::memfd_create("mnet-test", MFD_CLOEXEC | flags));
    EXPECT_EQ(::ftruncate(made.get(), static_cast<off_t>(bytes)), 0);
    if (seals != 0) {
        EXPECT_EQ(::fcntl(made.get(), F_ADD_SEALS, seals), 0);
    }
    return made;
}

std::size_t blocks_of(int descriptor) {
    struct stat status{};
    EXPECT_EQ(::fstat(descriptor, &status), 0);
    return static_cast<std::size_t>(status.st_blocks) * 512;
}

TEST(Segment, IsSeenByBothSidesAtOnce) {
    two_sides both;
    EXPECT_EQ(both.first.mine(), side::first);
    EXPECT_EQ(both.second.mine(), side::second);
    EXPECT_EQ(both.first.sizes(), both.second.sizes());
    for (const side which : {side::first, side::second}) {
        both.first.data_of(which).front() = std::byte{1};
        both.second.data_of(which).back() = std::byte{2};
        EXPECT_EQ(both.second.data_of(which).front(), std::byte{1});
        EXPECT_EQ(both.first.data_of(which).back(), std::byte{2});
    }
}

TEST(Segment, KeepsThePartsOfTheTwoSidesApart) {
    const two_sides both;
    const auto first = both.first.data_of(side::first);
    const auto second = both.first.data_of(side::second);
    EXPECT_EQ(first.data() + first.size(), second.data());
    EXPECT_GE(first.data(), reinterpret_cast<const std::byte*>(&both.first.shared()) + sizeof(control));
    EXPECT_EQ(second.data() + second.size(), reinterpret_cast<const std::byte*>(&both.first.shared()) + segment_bytes(usual));
}

TEST(Segment, RefusesToMakeImpossibleSizes) {
    unique_fd descriptor;
    for (const geometry& sizes :
         {geometry{}, geometry{.small_bytes = 1, .large_bytes = 0}, geometry{.small_bytes = 65'536, .large_bytes = 4095},
          geometry{.small_bytes = 65'536, .large_bytes = ~std::uint32_t{0} - 4095}}) {
        const auto made = segment::make(sizes, descriptor);
        ASSERT_FALSE(made.has_value());
        EXPECT_EQ(made.error(), std::errc::invalid_argument);
        EXPECT_FALSE(descriptor);
    }
}

TEST(Segment, CanNotBeGrownNorShrunkOnceItWasMade) {
    unique_fd descriptor;
    const auto made = segment::make(usual, descriptor);
    ASSERT_TRUE(made.has_value());
    EXPECT_NE(::ftruncate(descriptor.get(), 0), 0);
    EXPECT_EQ(errno, EPERM);
    EXPECT_NE(::ftruncate(descriptor.get(), static_cast<off_t>(2 * segment_bytes(usual))), 0);
    EXPECT_NE(::fcntl(descriptor.get(), F_ADD_SEALS, F_SEAL_WRITE), 0) << "nor can a peer take away the right to write";
}

TEST(Segment, IsNotInheritedByAnotherProgram) {
    unique_fd descriptor;
    const auto made = segment::make(usual, descriptor);
    ASSERT_TRUE(made.has_value());
    EXPECT_NE(::fcntl(descriptor.get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Segment, RefusesMemoryThatAPeerCouldShrinkOrGrow) {
    EXPECT_EQ(open_error(usual, memory_with(0)), std::errc::invalid_argument);
    EXPECT_EQ(open_error(usual, memory_with(F_SEAL_GROW)), std::errc::invalid_argument);
    EXPECT_EQ(open_error(usual, memory_with(F_SEAL_SHRINK)), std::errc::invalid_argument);
    EXPECT_EQ(open_error(usual, memory_with(F_SEAL_GROW | F_SEAL_SHRINK)), std::error_code{});
}

TEST(Segment, RefusesMemoryOfAnotherSize) {
    constexpr int seals = F_SEAL_GROW | F_SEAL_SHRINK;
    EXPECT_EQ(open_error(usual, memory_with(seals, segment_bytes(usual) - page_bytes)), std::errc::invalid_argument);
    EXPECT_EQ(open_error(usual, memory_with(seals, segment_bytes(usual) + page_bytes)), std::errc::invalid_argument);
    EXPECT_EQ(open_error(usual, memory_with(seals, 0)), std::errc::invalid_argument);
}

TEST(Segment, RefusesImpossibleSizesWhateverTheMemory) {
    constexpr int seals = F_SEAL_GROW | F_SEAL_SHRINK;
    const geometry unaligned{.small_bytes = usual.small_bytes + 64, .large_bytes = usual.large_bytes};
    EXPECT_EQ(open_error(unaligned, memory_with(seals, segment_bytes(unaligned))), std::errc::invalid_argument);
    const geometry none{};
    EXPECT_EQ(open_error(none, memory_with(seals, segment_bytes(none))), std::errc::invalid_argument);
}

TEST(Segment, RefusesMemoryThatItMayNotWrite) {
    EXPECT_EQ(open_error(usual, memory_with(F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE)), std::errc::operation_not_permitted);
}

TEST(Segment, RefusesWhatIsNoMemory) {
    EXPECT_EQ(open_error(usual, unique_fd(::open("/dev/null", O_RDWR | O_CLOEXEC))), std::errc::invalid_argument);
    EXPECT_EQ(open_error(usual, unique_fd{}), std::errc::bad_file_descriptor);
}

TEST(Segment, RefusesHugePagesWhichTheKernelPromisesWithoutHavingThem) {
    // Nothing is wrong with their seals nor with their size, but the first touch ends the program (SIGBUS) when the pool has no page left.
    constexpr std::size_t huge = std::size_t{2} << 20U;
    constexpr std::size_t side = (2 * huge - control_bytes) / 2 / page_bytes * page_bytes;
    constexpr geometry sizes{.small_bytes = static_cast<std::uint32_t>(side), .large_bytes = 0};
    unique_fd made(::memfd_create("mnet-test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | (21U << MAP_HUGE_SHIFT)));
    if (!made || segment_bytes(sizes) != 2 * huge) GTEST_SKIP() << "no huge pages here, or none of that size";
    ASSERT_EQ(::ftruncate(made.get(), static_cast<off_t>(2 * huge)), 0);
    ASSERT_EQ(::fcntl(made.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK), 0);
    EXPECT_EQ(open_error(sizes, std::move(made)), std::errc::invalid_argument);
}

TEST(Segment, IsSparseUntilItIsWritten) {
    unique_fd descriptor;
    const auto made = segment::make({.small_bytes = small_bytes_min, .large_bytes = std::uint32_t{64} << 20U}, descriptor);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(blocks_of(descriptor.get()), 0U);
}

TEST(Segment, GivesThePagesOfItsLargePartBackAndOnlyThose) {
    unique_fd descriptor;
    auto made = segment::make(usual, descriptor);
    ASSERT_TRUE(made.has_value());
    for (const side which : {side::first, side::second}) {
        std::memset(made->data_of(which).data(), 0x5a, made->data_of(which).size());
    }
    const std::size_t before = blocks_of(descriptor.get());
    made->give_back_large();
    EXPECT_EQ(before - blocks_of(descriptor.get()), usual.large_bytes);
    const auto mine = made->data_of(side::first);
    EXPECT_EQ(mine[usual.small_bytes - 1], std::byte{0x5a});
    EXPECT_EQ(mine[usual.small_bytes], std::byte{0}) << "what was there is zero from now on";
    EXPECT_EQ(made->data_of(side::second).back(), std::byte{0x5a}) << "the peer's part is the peer's";
}

TEST(Segment, GivesBackNothingWhereThereIsNoLargePart) {
    unique_fd descriptor;
    auto made = segment::make({.small_bytes = small_bytes_min, .large_bytes = 0}, descriptor);
    ASSERT_TRUE(made.has_value());
    made->data_of(side::second).front() = std::byte{7};
    made->give_back_large();
    EXPECT_EQ(made->data_of(side::second).front(), std::byte{7});
}

std::size_t mappings() {
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);) count += line.contains("memfd:mnet") ? 1 : 0;
    return count;
}

TEST(Segment, IsUnmappedWhenItGoesAndWhenAnotherTakesItsPlace) {
    ASSERT_EQ(mappings(), 0U);
    {
        two_sides both;
        EXPECT_GT(mappings(), 0U);
        segment moved = std::move(both.first);
        moved = std::move(both.second);
        EXPECT_EQ(moved.mine(), side::second);
    }
    EXPECT_EQ(mappings(), 0U);
}

TEST(Segment, TellsAWishOnceAndOnlyToWhoAsksForIt) {
    two_sides both;
    EXPECT_FALSE(both.second.take_wish(for_input));
    both.first.wish(for_input | for_room);
    EXPECT_TRUE(both.second.take_wish(for_room));
    EXPECT_FALSE(both.second.take_wish(for_room));
    EXPECT_TRUE(both.second.take_wish(for_input));
    both.first.wish(for_input);
    both.first.wish(for_nothing);
    EXPECT_FALSE(both.second.take_wish(for_input)) << "whoever woke up by itself needs no bell";
    EXPECT_FALSE(both.first.take_wish(for_input)) << "each side has wishes of its own";
}

}  // namespace
}  // namespace mnet::inline v1::shm::tests
