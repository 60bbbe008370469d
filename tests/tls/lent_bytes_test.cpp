// The bytes between OpenSSL and the machine's caller: in order, wherever they had to wait, and bounded.
#include "tls/lent_bytes.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

#include "support/hex.hpp"
#include "support/random.hpp"

namespace mnet::tls {
namespace {

using bytes = std::vector<std::byte>;

class LentBytes : public ::testing::Test {
protected:
    void write(std::span<const std::byte> given) {
        std::size_t written = 0;
        ASSERT_EQ(BIO_write_ex(bio.get(), given.data(), given.size(), &written), 1);
        ASSERT_EQ(written, given.size()) << "writing never blocks";
    }

    lent_bytes lent;
    bio_owner bio{lent.make_bio()};
};

TEST_F(LentBytes, AreReadFromWhereTheyLie) {
    const bytes input = support::to_bytes("abcdef");
    lent.lend_input(input);
    std::array<char, 4> target{};
    std::size_t got = 0;
    ASSERT_EQ(BIO_read_ex(bio.get(), target.data(), target.size(), &got), 1);
    EXPECT_EQ(std::string_view(target.data(), got), "abcd");
    EXPECT_EQ(lent.input_left(), 2U);
    ASSERT_EQ(BIO_read_ex(bio.get(), target.data(), target.size(), &got), 1);
    EXPECT_EQ(std::string_view(target.data(), got), "ef");
    EXPECT_EQ(BIO_read_ex(bio.get(), target.data(), target.size(), &got), 0);
    EXPECT_NE(BIO_should_retry(bio.get()), 0) << "no input is no end";
}

TEST_F(LentBytes, AreWrittenIntoTheRoomAndWaitBeyondIt) {
    bytes room(4);
    lent.lend_output(room);
    write(support::to_bytes("abcdef"));
    EXPECT_EQ(lent.output_room(), 0U);
    EXPECT_EQ(lent.take_output_back(), 4U);
    EXPECT_EQ(lent.waiting.size(), 2U);
    bytes more(4);
    lent.lend_output(more);
    EXPECT_EQ(lent.take_output_back(), 2U);
    EXPECT_EQ(more[0], std::byte{'e'});
    EXPECT_EQ(more[1], std::byte{'f'});
}

TEST_F(LentBytes, KeepTheirOrderHoweverRoomIsLent) {
    support::random_source random;
    bytes written;
    bytes taken;
    for (int round = 0; round < 2000; ++round) {
        bytes room(static_cast<std::size_t>(random.magnitude_below(300)));
        lent.lend_output(room);
        const bytes piece = random.bytes(static_cast<std::size_t>(random.magnitude_below(300)));
        if (!piece.empty()) write(piece);
        written.insert(written.end(), piece.begin(), piece.end());
        room.resize(lent.take_output_back());
        taken.insert(taken.end(), room.begin(), room.end());
        if (random.one_in(50)) lent.waiting.release_memory();
    }
    bytes rest(lent.waiting.size());
    lent.lend_output(rest);
    EXPECT_EQ(lent.take_output_back(), rest.size());
    taken.insert(taken.end(), rest.begin(), rest.end());
    EXPECT_EQ(taken, written);
}

TEST_F(LentBytes, AreNotReadWhileTooManyWait) {
    const bytes input = support::to_bytes("a question");
    write(bytes(lent_bytes::waiting_bytes_max + 1));
    lent.lend_input(input);
    EXPECT_FALSE(lent.gives_input());
    std::array<char, 4> target{};
    std::size_t got = 0;
    EXPECT_EQ(BIO_read_ex(bio.get(), target.data(), target.size(), &got), 0);
    EXPECT_NE(BIO_should_retry(bio.get()), 0);
    EXPECT_EQ(lent.input_left(), input.size());
    bytes room(1);
    lent.lend_output(room);
    lent.take_output_back();
    EXPECT_TRUE(lent.gives_input());
    EXPECT_EQ(BIO_read_ex(bio.get(), target.data(), target.size(), &got), 1);
}

}  // namespace
}  // namespace mnet::tls
