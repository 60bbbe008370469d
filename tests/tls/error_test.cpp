// The category of TLS: every code has its own words, and some are the standard's conditions.
#include <mnet/tls.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mnet {
namespace {

TEST(TlsError, HasWordsOfItsOwnForEachCode) {
    std::set<std::string> all;
    const int last = static_cast<int>(tls_errc::library_failure);
    for (int code = 1; code <= last; ++code) all.insert(tls_category().message(code));
    EXPECT_EQ(all.size(), static_cast<std::size_t>(last));
    EXPECT_EQ(all.count(tls_category().message(0)), 0U);
    EXPECT_EQ(tls_category().message(0), tls_category().message(last + 1)) << "the last code is the last";
}

TEST(TlsError, IsTheStandardsWhereThatHasAName) {
    EXPECT_EQ(make_error_code(tls_errc::handshake_too_slow), std::errc::timed_out);
    EXPECT_EQ(make_error_code(tls_errc::peer_speaks_plain_text), std::errc::protocol_error);
    EXPECT_NE(make_error_code(tls_errc::wrong_name), std::errc::timed_out);
    EXPECT_STREQ(tls_category().name(), "mnet.tls");
}

}  // namespace
}  // namespace mnet
