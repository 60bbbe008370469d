// Who is calling, told from four bytes: the table of docs/wire.md.
#include "wire/first_bytes.hpp"

#include <gtest/gtest.h>

#include <string_view>

#include "support/hex.hpp"
#include "support/random.hpp"

namespace mnet::wire {
namespace {

using support::hex;
using support::to_bytes;

errc diagnose(const std::vector<std::byte>& bytes) { return diagnose_first_bytes(std::span<const std::byte, header_bytes>(bytes)); }

TEST(FirstBytes, TellTlsOfEveryRecordVersion) {
    EXPECT_EQ(diagnose(hex("16030102")), errc::peer_speaks_tls);
    for (unsigned minor = 0; minor < 16; ++minor) {
        const std::vector<std::byte> bytes = {std::byte{0x16}, std::byte{0x03}, static_cast<std::byte>(minor), std::byte{0xff}};
        EXPECT_EQ(diagnose(bytes), errc::peer_speaks_tls) << "minor version " << minor;
    }
}

TEST(FirstBytes, DoNotTakeEveryRecordForATlsHandshake) {
    EXPECT_EQ(diagnose(hex("15030100")), errc::message_too_large);
    EXPECT_EQ(diagnose(hex("16020100")), errc::message_too_large);
    EXPECT_EQ(diagnose(hex("16031000")), errc::message_too_large);
}

TEST(FirstBytes, TellHttpByItsMethodsItsPrefaceAndItsStatusLine) {
    for (const std::string_view start : {"GET ", "POST", "PUT ", "HEAD", "PRI ", "OPTI", "HTTP", "DELE", "PATC", "CONN", "TRAC"}) {
        EXPECT_EQ(diagnose(to_bytes(start)), errc::peer_speaks_http) << start;
    }
}

TEST(FirstBytes, DoNotTakeOtherWordsForHttp) {
    for (const std::string_view start : {"get ", "GETX", "GOT ", "EHLO", "SSH-"}) {
        EXPECT_EQ(diagnose(to_bytes(start)), errc::message_too_large) << start;
    }
}

TEST(FirstBytes, TellAProxyHeaderOfVersion2) {
    EXPECT_EQ(diagnose(hex("0d0a0d0a")), errc::unexpected_proxy_header);
    EXPECT_EQ(diagnose(hex("0d0a0d0b")), errc::message_too_large);
}

TEST(FirstBytes, AreNeverALengthWhenTheyAreDiagnosed) {
    support::random_source random;
    std::vector<std::byte> bytes(header_bytes);
    for (int round = 0; round < 200'000; ++round) {
        const auto length = static_cast<std::uint32_t>(random.between(0, length_max));
        store_length(bytes.data(), length);
        ASSERT_EQ(diagnose(bytes), errc::message_too_large) << "length " << length;
    }
}

}  // namespace
}  // namespace mnet::wire
