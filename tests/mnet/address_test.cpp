// The text of an address: every form, both ways, and every text that is none.
#include <mnet/address.hpp>

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace {

using mnet::address;
using kind = mnet::address::kind;

address tcp(std::string host, std::uint16_t port) { return {.what = kind::tcp, .host = std::move(host), .port = port}; }

TEST(Address, ReadsAHostAndAPort) {
    EXPECT_EQ(address::parse("localhost:5050"), tcp("localhost", 5050));
    EXPECT_EQ(address::parse("127.0.0.1:1"), tcp("127.0.0.1", 1));
    EXPECT_EQ(address::parse("a-b.example:65535"), tcp("a-b.example", 65535));
    EXPECT_EQ(address::parse("under_score:7"), tcp("under_score", 7));
}

TEST(Address, ReadsAnIpV6HostInBrackets) {
    EXPECT_EQ(address::parse("[::1]:5050"), tcp("::1", 5050));
    EXPECT_EQ(address::parse("[::]:0"), tcp("::", 0));
    EXPECT_EQ(address::parse("[fe80::1%eth0]:80"), tcp("fe80::1%eth0", 80));
}

TEST(Address, ReadsAnEmptyHost) {
    EXPECT_EQ(address::parse(":5050"), tcp("", 5050));
    EXPECT_EQ(address::parse("tcp://:0"), tcp("", 0));
}

TEST(Address, ReadsTheTcpScheme) {
    EXPECT_EQ(address::parse("tcp://localhost:5050"), tcp("localhost", 5050));
    EXPECT_EQ(address::parse("tcp://[::1]:5050"), tcp("::1", 5050));
}

TEST(Address, ReadsAUnixPath) {
    EXPECT_EQ(address::parse("unix:///run/a.sock"), (address{.what = kind::unix_path, .path = "/run/a.sock"}));
    EXPECT_EQ(address::parse("unix:///with space:and@signs"), (address{.what = kind::unix_path, .path = "/with space:and@signs"}));
}

TEST(Address, ReadsAnAbstractName) {
    EXPECT_EQ(address::parse("unix://@name"), (address{.what = kind::unix_abstract, .path = "name"}));
    EXPECT_EQ(address::parse("unix://@/a/b"), (address{.what = kind::unix_abstract, .path = "/a/b"}));
}

TEST(Address, TakesAUnixNameUpToTheLengthThatTheKernelTakes) {
    EXPECT_TRUE(address::parse("unix:///" + std::string(106, 'a')).has_value());
    EXPECT_FALSE(address::parse("unix:///" + std::string(107, 'a')).has_value());
    EXPECT_TRUE(address::parse("unix://@" + std::string(107, 'a')).has_value());
    EXPECT_FALSE(address::parse("unix://@" + std::string(108, 'a')).has_value());
}

class AddressText : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, AddressText,
                         testing::Values("localhost:5050", "127.0.0.1:0", "[::1]:5050", "[fe80::1%eth0]:80", ":5050", "unix:///run/a.sock",
                                         "unix://@name"));

TEST_P(AddressText, IsReadBackAsTheSame) {
    const auto parsed = address::parse(GetParam());
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->text(), GetParam());
    EXPECT_EQ(address::parse(parsed->text()), *parsed);
}

TEST(AddressText, IsTheShortestForm) {
    EXPECT_EQ(address::parse("tcp://localhost:05050")->text(), "localhost:5050");
    EXPECT_EQ(address::parse("tcp://[::1]:1")->text(), "[::1]:1");
}

class NoAddress : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Is, NoAddress,
                         testing::Values("", ":", "localhost", "localhost:", "localhost:x", "localhost:-1", "localhost:+1",
                                         "localhost:65536", "localhost:99999999999999999999", "localhost:80 ", " localhost:80",
                                         "local host:80", "localhost:8 0", "localhost: 80", "::1:5050", "::1", "[::1]", "[::1]5050",
                                         "[::1:5050", "::1]:5050", "[]:5050", "[localhost]:5050", "[[::1]]:5050", "a:b:1",
                                         "http://localhost:80", "ssl://localhost:80", "tcp://", "tcp://localhost", "TCP://localhost:80",
                                         "tcp:/localhost:80", "unix:", "unix://", "unix://@", "unix://relative/path", "unix:/path",
                                         "host/path:80", "localhost:80/path", "h\x7fst:80", "h\nst:80", "h\xc3\xb6st:80",
                                         std::string("unix:///a\0b", 11), std::string("unix://@a\0b", 11),
                                         std::string("local\0host:80", 13), std::string("localhost:80\0", 13)));

TEST_P(NoAddress, IsSaidToBeInvalid) {
    const auto parsed = address::parse(GetParam());
    ASSERT_FALSE(parsed.has_value()) << "read as " << parsed->text();
    EXPECT_EQ(parsed.error(), mnet::errc::invalid_address);
}

}  // namespace
