// The letter between the two: an offer with a descriptor, a refusal with a reason; and what comes when it is neither.
#include "shm/meeting.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <dirent.h>
#include <fcntl.h>
#include <limits>
#include <string>
#include <system_error>
#include <unistd.h>

#include "shm/two_sides.hpp"
#include "support/random.hpp"

namespace mnet::inline v1::shm::tests {
namespace {

std::size_t open_descriptors() {
    DIR* const folder = ::opendir("/proc/self/fd");
    std::size_t count = 0;
    while (::readdir(folder) != nullptr) ++count;
    ::closedir(folder);
    return count;
}

class Meeting : public testing::Test {
protected:
    Meeting() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        server.reset(ends[0]);
        client.reset(ends[1]);
    }

    /// What the client makes of what has come.
    std::error_code take() {
        why.clear();
        const auto taken = take_offer(client.get(), why);
        return taken ? std::error_code{} : taken.error();
    }

    /// Sends those bytes, and those descriptors with them.
    void send(std::span<const std::byte> bytes, const std::vector<int>& descriptors = {}) const {
        iovec data{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
        msghdr message{};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        std::vector<char> rights(CMSG_SPACE(descriptors.size() * sizeof(int)));
        if (!descriptors.empty()) {
            message.msg_control = rights.data();
            message.msg_controllen = rights.size();
            cmsghdr* const header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
            std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
        }
        ASSERT_EQ(::sendmsg(server.get(), &message, 0), static_cast<ssize_t>(bytes.size()));
    }

    /// The bytes of an offer, as the library writes them.
    std::vector<std::byte> letter_of_an_offer() {
        EXPECT_TRUE(offer(server.get(), usual).has_value());
        std::vector<std::byte> letter(128);
        EXPECT_EQ(::recv(client.get(), letter.data(), letter.size(), 0), 128) << "the descriptor is dropped with it";
        return letter;
    }

    unique_fd server;
    unique_fd client;
    std::string why;
};

TEST_F(Meeting, HandsOverTheMemoryThatItMade) {
    auto made = offer(server.get(), usual);
    ASSERT_TRUE(made.has_value());
    auto taken = take_offer(client.get(), why);
    ASSERT_TRUE(taken.has_value() && taken->has_value());
    EXPECT_EQ(made->mine(), side::first);
    EXPECT_EQ((*taken)->mine(), side::second);
    EXPECT_EQ((*taken)->sizes(), usual);
    sender out(**taken);
    receiver in(*made);
    ASSERT_TRUE(put(out, filled(1000, 2)));
    out.publish();
    EXPECT_TRUE(same(in.next().bytes, filled(1000, 2)));
}

TEST_F(Meeting, KeepsNoDescriptorOfTheMemory) {
    const std::size_t before = open_descriptors();
    const auto made = offer(server.get(), usual);
    const auto taken = take_offer(client.get(), why);
    ASSERT_TRUE(made && taken && *taken);
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Meeting, FindsNothingWhileNoAnswerHasCome) {
    const auto taken = take_offer(client.get(), why);
    ASSERT_TRUE(taken.has_value());
    EXPECT_FALSE(taken->has_value());
}

TEST_F(Meeting, TellsWhyItWasRefused) {
    refuse(server.get(), "there are 64 already");
    EXPECT_EQ(take(), std::errc::connection_refused);
    EXPECT_EQ(why, "there are 64 already");
}

TEST_F(Meeting, CutsAReasonThatIsTooLong) {
    refuse(server.get(), std::string(1000, 'x'));
    EXPECT_EQ(take(), std::errc::connection_refused);
    EXPECT_EQ(why, std::string(107, 'x'));
}

TEST_F(Meeting, RefusesToOfferImpossibleSizes) {
    const auto made = offer(server.get(), {.small_bytes = 1, .large_bytes = 0});
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error(), std::errc::invalid_argument);
    EXPECT_TRUE(take_offer(client.get(), why).has_value()) << "nothing was sent";
}

TEST_F(Meeting, SaysThatThePeerIsGone) {
    server.reset();
    EXPECT_EQ(take(), std::errc::connection_reset);
}

TEST_F(Meeting, FailsToOfferToAPeerThatIsGoneAndRaisesNoSignal) {
    client.reset();
    const auto made = offer(server.get(), usual);
    ASSERT_FALSE(made.has_value());
    EXPECT_EQ(made.error(), std::errc::broken_pipe);
    refuse(server.get(), "nobody hears it");
}

TEST_F(Meeting, FailsToOfferWhereTheSocketIsFull) {
    const std::vector<std::byte> much(4096);
    while (::send(server.get(), much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    EXPECT_FALSE(offer(server.get(), usual).has_value()) << "it waits for nobody";
}

TEST_F(Meeting, RefusesALetterWithoutItsDescriptor) {
    send(letter_of_an_offer());
    EXPECT_EQ(take(), std::errc::bad_file_descriptor);
}

TEST_F(Meeting, RefusesALetterWithAnotherKindOfDescriptor) {
    const auto letter = letter_of_an_offer();
    unique_fd other(::open("/dev/zero", O_RDWR | O_CLOEXEC));
    const std::size_t before = open_descriptors();
    send(letter, {other.get()});
    EXPECT_EQ(take(), std::errc::invalid_argument);
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Meeting, ClosesWhateverElseCameWithALetter) {
    const auto letter = letter_of_an_offer();
    const std::size_t before = open_descriptors();
    send(letter, {0, 0, 0, 0, 0});
    EXPECT_EQ(take(), std::errc::invalid_argument);
    send(std::vector<std::byte>(128), {0, 0});
    EXPECT_EQ(take(), mnet::errc::protocol_violation);
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Meeting, RefusesBytesThatAreNoLetter) {
    support::random_source random;
    for (int round = 0; round < 500; ++round) {
        send(random.bytes(128));
        ASSERT_EQ(take(), mnet::errc::protocol_violation);
    }
    send(std::vector<std::byte>(1));
    EXPECT_EQ(take(), mnet::errc::protocol_violation);
}

TEST_F(Meeting, RefusesALetterThatCameInPart) {
    auto letter = letter_of_an_offer();
    letter.pop_back();
    send(letter);
    EXPECT_EQ(take(), mnet::errc::protocol_violation);
}

TEST_F(Meeting, RefusesSizesThatTheMemoryDoesNotHave) {
    support::random_source random;
    const auto letter = letter_of_an_offer();
    const std::size_t before = open_descriptors();
    constexpr std::size_t where_the_sizes_are = 12;
    for (int round = 0; round < 500; ++round) {
        auto forged = letter;
        for (std::size_t at = 0; at < 8; ++at) forged[where_the_sizes_are + at] = static_cast<std::byte>(random.magnitude_below(256));
        unique_fd memory;
        const auto made = segment::make(usual, memory);
        send(forged, {memory.get()});
        ASSERT_EQ(take(), std::errc::invalid_argument) << round;
    }
    EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Meeting, ReadsAReasonThatDoesNotEnd) {
    refuse(server.get(), "soon");
    std::vector<std::byte> letter(128);
    ASSERT_EQ(::recv(client.get(), letter.data(), letter.size(), 0), 128);
    std::ranges::fill(std::span(letter).subspan(20), std::byte{'x'});
    send(letter);
    EXPECT_EQ(take(), std::errc::connection_refused);
    EXPECT_EQ(why.size(), 107U);
}

TEST_F(Meeting, SaysThatThereIsNoDescriptorLeft) {
    ASSERT_TRUE(offer(server.get(), usual).has_value());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit none{.rlim_cur = 3, .rlim_max = before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const std::error_code at_the_client = take();
    const auto at_the_server = offer(server.get(), usual);
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_EQ(at_the_client, std::errc::too_many_files_open);
    ASSERT_FALSE(at_the_server.has_value());
    EXPECT_EQ(at_the_server.error(), std::errc::too_many_files_open);
}

TEST_F(Meeting, KnowsWhoIsAtTheOtherEnd) {
    const auto who = peer_of(client.get());
    ASSERT_TRUE(who.has_value());
    EXPECT_EQ(who->user, ::geteuid());
    EXPECT_EQ(who->process, ::getpid());
    EXPECT_FALSE(peer_of(0x7fff'ffff).has_value());
}

TEST_F(Meeting, TrustsThisUserAndThoseNamed) {
    const uid_t me = ::geteuid();
    const std::array<uid_t, 2> named{me + 10, me + 20};
    EXPECT_TRUE(is_trusted(me, {}));
    EXPECT_FALSE(is_trusted(me + 10, {}));
    EXPECT_TRUE(is_trusted(me + 20, named));
    EXPECT_FALSE(is_trusted(me + 30, named));
}

}  // namespace
}  // namespace mnet::inline v1::shm::tests
