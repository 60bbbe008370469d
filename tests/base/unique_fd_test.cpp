// One owner, one close.
#include "base/unique_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

namespace mnet::base {
namespace {

int open_something() { return ::eventfd(0, EFD_CLOEXEC); }
bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) != -1; }

TEST(UniqueFd, OwnsNothingAtFirst) {
    const unique_fd none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.get(), -1);
}

TEST(UniqueFd, ClosesWhenItGoes) {
    const int descriptor = open_something();
    {
        const unique_fd owner(descriptor);
        EXPECT_TRUE(owner);
        EXPECT_TRUE(is_open(descriptor));
    }
    EXPECT_FALSE(is_open(descriptor));
}

TEST(UniqueFd, HandsItsDescriptorToTheOneItIsMovedTo) {
    const int descriptor = open_something();
    unique_fd first(descriptor);
    const unique_fd second(std::move(first));
    EXPECT_EQ(second.get(), descriptor);
    EXPECT_EQ(first.get(), -1);  // NOLINT(bugprone-use-after-move): that it is empty is the point
    EXPECT_TRUE(is_open(descriptor));
}

TEST(UniqueFd, ClosesWhatItOwnedWhenAnotherIsMovedIn) {
    const int kept = open_something();
    const int closed = open_something();
    unique_fd target(closed);
    target = unique_fd(kept);
    EXPECT_FALSE(is_open(closed));
    EXPECT_TRUE(is_open(kept));
}

TEST(UniqueFd, SurvivesAMoveToItself) {
    unique_fd owner(open_something());
    unique_fd& same = owner;
    owner = std::move(same);
    EXPECT_TRUE(is_open(owner.get()));
}

TEST(UniqueFd, LeavesAReleasedDescriptorOpen) {
    int descriptor = -1;
    {
        unique_fd owner(open_something());
        descriptor = owner.release();
        EXPECT_FALSE(owner);
    }
    EXPECT_TRUE(is_open(descriptor));
    const unique_fd again(descriptor);
}

TEST(UniqueFd, KeepsErrnoWhenItCloses) {
    unique_fd owner(open_something());
    const unique_fd invalid(1 << 30);  // its close fails, with an errno of its own
    errno = ENOENT;
    owner.reset();
    EXPECT_EQ(errno, ENOENT);
    {
        const unique_fd also_invalid((1 << 30) + 1);
    }
    EXPECT_EQ(errno, ENOENT);
}

}  // namespace
}  // namespace mnet::base
