// Socket addresses: what text they are made from, and what text they give back.
#include "io/endpoint.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <net/if.h>
#include <netinet/in.h>
#include <string>
#include <sys/un.h>

namespace {

using mnet::errc;
using mnet::result;
using mnet::io::endpoint;

void expect_refused(const result<endpoint>& made) {
    ASSERT_FALSE(made.has_value()) << made->text();
    EXPECT_EQ(made.error(), errc::invalid_address);
}

TEST(Endpoint, GivesBackTheTextOfAnIPv4Address) {
    const auto made = endpoint::numeric("127.0.0.1", 5050);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->text(), "127.0.0.1:5050");
    EXPECT_EQ(made->family(), AF_INET);
    EXPECT_EQ(made->port(), 5050);
    EXPECT_EQ(made->length(), sizeof(sockaddr_in));
}

TEST(Endpoint, GivesBackTheTextOfAnIPv6AddressInBrackets) {
    const auto made = endpoint::numeric("::1", 65535);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->text(), "[::1]:65535");
    EXPECT_EQ(made->family(), AF_INET6);
    EXPECT_EQ(made->port(), 65535);
}

TEST(Endpoint, ShortensAnIPv6AddressAsRfc5952Says) {
    const auto made = endpoint::numeric("2001:0DB8:0:0:0:0:0:0001", 1);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->text(), "[2001:db8::1]:1");
}

TEST(Endpoint, TakesTheZoneOfAnIPv6AddressByName) {
    const unsigned int loopback = if_nametoindex("lo");
    if (loopback == 0) GTEST_SKIP() << "no interface `lo` here";
    const auto made = endpoint::numeric("fe80::1%lo", 80);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->text(), "[fe80::1%lo]:80");
    EXPECT_EQ(*made, *endpoint::numeric("fe80::1%" + std::to_string(loopback), 80));
}

TEST(Endpoint, ShowsTheZoneOfAnInterfaceThatIsNotThereAsANumber) {
    const auto made = endpoint::numeric("fe80::1%123456", 80);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->text(), "[fe80::1%123456]:80");
}

TEST(Endpoint, RefusesWhatIsNoWholeNumericHost) {
    using namespace std::string_view_literals;
    for (const auto host : {""sv, "localhost"sv, "127.1"sv, "127.0.0.1 "sv, "256.0.0.1"sv, "1.2.3.4.5"sv, "[::1]"sv, ":::"sv, "::1%"sv,
                            "fe80::1%no-such-zone"sv, "fe80::1%0"sv, "127.0.0.1%lo"sv, "127.0.0.1\0x"sv, "::1\0"sv}) {
        SCOPED_TRACE(host);
        expect_refused(endpoint::numeric(host, 1));
    }
}

TEST(Endpoint, GivesBackTheTextOfAUnixPath) {
    const auto made = endpoint::unix_socket("/run/mnet.socket");
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->text(), "unix:///run/mnet.socket");
    EXPECT_TRUE(made->is_unix());
    EXPECT_EQ(made->port(), 0);
}

TEST(Endpoint, GivesBackTheTextOfAnAbstractUnixName) {
    const auto made = endpoint::unix_socket("@mnet");
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ(made->text(), "unix://@mnet");
    EXPECT_EQ(made->length(), offsetof(sockaddr_un, sun_path) + 5);  // unix(7): the length is part of an abstract name
}

TEST(Endpoint, TakesUnixNamesOfUpTo107Bytes) {
    const std::string longest(107, 'x');
    const auto path = endpoint::unix_socket(longest);
    const auto abstract = endpoint::unix_socket('@' + longest);
    ASSERT_TRUE(path.has_value());
    ASSERT_TRUE(abstract.has_value());
    EXPECT_EQ(path->text(), "unix://" + longest);
    EXPECT_EQ(abstract->text(), "unix://@" + longest);
    EXPECT_LE(path->length(), sizeof(sockaddr_un));
    EXPECT_LE(abstract->length(), sizeof(sockaddr_un));
}

TEST(Endpoint, RefusesUnixNamesThatTheKernelDoesNotTake) {
    expect_refused(endpoint::unix_socket(""));
    expect_refused(endpoint::unix_socket("@"));
    expect_refused(endpoint::unix_socket(std::string(108, 'x')));
    expect_refused(endpoint::unix_socket('@' + std::string(108, 'x')));
    expect_refused(endpoint::unix_socket(std::string("/a\0b", 4)));
}

TEST(Endpoint, NamesAnUnnamedUnixSocketByItsSchemeAlone) {
    sockaddr_un unnamed{};
    unnamed.sun_family = AF_UNIX;
    const endpoint made(reinterpret_cast<const sockaddr*>(&unnamed), sizeof(sa_family_t));
    EXPECT_EQ(made.text(), "unix://");
}

TEST(Endpoint, IsEmptyByDefault) {
    const endpoint none;
    EXPECT_EQ(none.family(), AF_UNSPEC);
    EXPECT_EQ(none.length(), 0U);
    EXPECT_EQ(none.port(), 0);
    EXPECT_EQ(none.text(), "");
}

TEST(Endpoint, EqualsWhatNamesTheSamePlace) {
    const auto place = *endpoint::numeric("127.0.0.1", 80);
    EXPECT_EQ(place, *endpoint::numeric("127.0.0.1", 80));
    EXPECT_NE(place, *endpoint::numeric("127.0.0.1", 81));
    EXPECT_NE(place, *endpoint::numeric("127.0.0.2", 80));
    EXPECT_NE(place, *endpoint::numeric("::1", 80));
    EXPECT_NE(*endpoint::numeric("::1", 80), *endpoint::numeric("::2", 80));
    EXPECT_NE(*endpoint::numeric("fe80::1%1", 80), *endpoint::numeric("fe80::1%2", 80));
    EXPECT_NE(*endpoint::unix_socket("name"), *endpoint::unix_socket("@name"));
    EXPECT_NE(*endpoint::unix_socket("@name"), *endpoint::unix_socket("@names"));
    EXPECT_EQ(endpoint(), endpoint());
}

TEST(Endpoint, EqualsAUnixPathThatTheKernelGaveWithoutItsTerminator) {
    const auto made = *endpoint::unix_socket("/run/mnet.socket");
    EXPECT_EQ(made, endpoint(made.data(), made.length() - 1));
}

TEST(Endpoint, CopiesNoMoreThanTheKernelsLargestAddress) {
    sockaddr_storage storage{};
    storage.ss_family = AF_INET;
    const endpoint made(reinterpret_cast<const sockaddr*>(&storage), sizeof storage + 100);
    EXPECT_EQ(made.length(), sizeof storage);
}

}  // namespace
