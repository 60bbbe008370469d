// Our error category: every code has words, and the standard's conditions recognise those that they name.
#include <mnet/error.hpp>

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mnet {
namespace {

constexpr errc codes[] = {
    errc::no_data_yet,       errc::would_block,      errc::already_closed,   errc::end_of_stream,           errc::truncated,
    errc::message_too_large, errc::peer_speaks_tls,  errc::peer_speaks_http, errc::unexpected_proxy_header, errc::invalid_address,
    errc::blocks_the_loop,   errc::too_many_clients, errc::handler_threw,    errc::protocol_violation,      errc::peer_silent,
    errc::message_too_slow,  errc::reconnecting,     errc::reconnected,      errc::message_dropped,         errc::too_slow};

TEST(Error, BelongsToTheCategoryMnet) {
    const std::error_code error = errc::truncated;
    EXPECT_EQ(error.category(), category());
    EXPECT_STREQ(category().name(), "mnet");
}

TEST(Error, HasWordsOfItsOwnForEveryCode) {
    const std::string unknown = category().message(0);
    std::set<std::string> seen{unknown};
    for (const errc code : codes) {
        const std::string message = make_error_code(code).message();
        EXPECT_TRUE(seen.insert(message).second) << message;
    }
}

TEST(Error, HasWordsForEveryCodeThereIs) {
    const int last = static_cast<int>(errc::too_slow);
    EXPECT_EQ(std::size(codes), static_cast<std::size_t>(last));
    EXPECT_EQ(category().message(last + 1), category().message(0)) << "a code was added: add it to this test";
}

TEST(Error, TellsWhoMeetsTlsWhatToDo) {
    EXPECT_EQ(make_error_code(errc::peer_speaks_tls).message(), "the peer speaks TLS; this end does not: connect with tls://, or set .tls");
}

TEST(Error, IsRecognisedByTheConditionsOfTheStandard) {
    EXPECT_EQ(make_error_code(errc::no_data_yet), std::errc::operation_would_block);
    EXPECT_EQ(make_error_code(errc::would_block), std::errc::operation_would_block);
    EXPECT_EQ(make_error_code(errc::message_too_large), std::errc::message_size);
    EXPECT_EQ(make_error_code(errc::peer_speaks_tls), std::errc::protocol_error);
    EXPECT_EQ(make_error_code(errc::peer_speaks_http), std::errc::protocol_error);
    EXPECT_EQ(make_error_code(errc::unexpected_proxy_header), std::errc::protocol_error);
    EXPECT_EQ(make_error_code(errc::invalid_address), std::errc::invalid_argument);
    EXPECT_EQ(make_error_code(errc::blocks_the_loop), std::errc::resource_deadlock_would_occur);
}

TEST(Error, IsNotTakenForAnErrorOfTheKernel) {
    for (const errc code : codes) {
        EXPECT_NE(make_error_code(code), std::error_code(static_cast<int>(code), std::system_category()));
        EXPECT_NE(make_error_code(code), std::errc::connection_reset);
        EXPECT_NE(make_error_code(code), std::errc::timed_out);
    }
}

TEST(Error, FailsAResultWithOursTheKernelsAndTheStandards) {
    const result<int> ours = failure(errc::end_of_stream);
    EXPECT_EQ(ours.error(), errc::end_of_stream);
    const result<> standards = failure(std::errc::timed_out);
    EXPECT_EQ(standards.error(), std::errc::timed_out);
    const result<> kernels = failure(std::error_code(111, std::system_category()));
    EXPECT_EQ(kernels.error(), std::errc::connection_refused);
}

}  // namespace
}  // namespace mnet
