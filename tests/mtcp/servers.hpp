// What most tests of this room begin with: a network on every kind of transport, with a handler of every shape.
#pragma once
#include "channel.hpp"

#include <mnet/mnet.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <system_error>
#include <tuple>

namespace mtcp_test {

enum class carrier : std::uint8_t { tcp_v4, tcp_v6, unix_path, unix_abstract, shared_memory, tls };
enum class shape : std::uint8_t { message, coroutine, blocking };

inline constexpr carrier all_carriers[] = {carrier::tcp_v4,        carrier::tcp_v6,        carrier::unix_path,
                                           carrier::unix_abstract, carrier::shared_memory, carrier::tls};
/// Those that a raw peer can speak.
inline constexpr carrier socket_carriers[] = {carrier::tcp_v4, carrier::tcp_v6, carrier::unix_path, carrier::unix_abstract};
inline constexpr shape all_shapes[] = {shape::message, shape::coroutine, shape::blocking};

std::string name_of(carrier what);
std::string name_of(shape what);

/// What `client::transport` says of it here: MNET_SHARED_MEMORY may have TCP clients move.
std::string transport_of(carrier what);

/// An address to listen on that no other test uses.
std::string fresh_address(carrier what = carrier::tcp_v4);

/// How handlers ended: what their last read said.
using endings = channel<std::error_code>;

/// A network whose handler answers each message with itself. `ends` is told how each coroutine or blocking handler ended.
mnet::result<mnet::mtcp::network> listen_echo(shape how, const mnet::mtcp::listen_options& options, endings* ends = nullptr);
mnet::mtcp::network echo_server(shape how, carrier what = carrier::tcp_v4, endings* ends = nullptr);

/// Gives options whose address is of tls:// the certificates of tests.
void secure_if_asked(mnet::mtcp::listen_options& options);

/// A network with that handler; the test ends when it can't be opened.
template <typename Handler>
mnet::mtcp::network serve(Handler handler, mnet::mtcp::listen_options options = {.address = "127.0.0.1:0"}) {
    secure_if_asked(options);
    auto opened = mnet::mtcp::listen(options, std::move(handler));
    EXPECT_TRUE(opened.has_value()) << opened.error().message();
    return *std::move(opened);
}

/// A connected client; the test ends when there is none.
mnet::client connect_to(std::string_view address, const mnet::mtcp::connect_options& options = {});

/// What a client of that address needs for TLS: the settings of tests, or nothing.
const mnet::tls::client_settings* tls_for(std::string_view address);

/// What went wrong; nothing when nothing did.
template <typename Value>
std::error_code error_of(const mnet::result<Value>& outcome) {
    return outcome ? std::error_code{} : outcome.error();
}

/// The next message, as text of its own; what went wrong instead, in angle brackets.
std::string next_text(mnet::client& client);

/// One round trip with a client whose server echoes.
void expect_echo(mnet::client& client, std::string_view text);

/// A test for each transport that sockets carry.
class EveryCarrier : public testing::TestWithParam<carrier> {};

/// A test for each shape of handler.
class EveryShape : public testing::TestWithParam<shape> {};

/// A test for each shape of handler on each transport.
class EveryShapeAndCarrier : public testing::TestWithParam<std::tuple<shape, carrier>> {
protected:
    shape how() const { return std::get<0>(GetParam()); }
    carrier what() const { return std::get<1>(GetParam()); }
};

inline std::string carrier_name(const testing::TestParamInfo<carrier>& info) { return name_of(info.param); }
inline std::string shape_name(const testing::TestParamInfo<shape>& info) { return name_of(info.param); }
inline std::string shape_and_carrier_name(const testing::TestParamInfo<std::tuple<shape, carrier>>& info) {
    return name_of(std::get<0>(info.param)) + "_" + name_of(std::get<1>(info.param));
}

}  // namespace mtcp_test

/// Runs the suite (a class derived from one of the three above) for all that it is about.
#define FOR_EVERY_CARRIER(suite) INSTANTIATE_TEST_SUITE_P(On, suite, testing::ValuesIn(mtcp_test::socket_carriers), mtcp_test::carrier_name)
#define FOR_EVERY_SHAPE(suite) INSTANTIATE_TEST_SUITE_P(As, suite, testing::ValuesIn(mtcp_test::all_shapes), mtcp_test::shape_name)
#define FOR_EVERY_SHAPE_AND_CARRIER(suite) MNET_FOR_EVERY_SHAPE_AND(suite, mtcp_test::all_carriers)
#define FOR_EVERY_SHAPE_AND_SOCKET(suite) MNET_FOR_EVERY_SHAPE_AND(suite, mtcp_test::socket_carriers)
#define MNET_FOR_EVERY_SHAPE_AND(suite, carriers)                                                                                \
    INSTANTIATE_TEST_SUITE_P(As, suite, testing::Combine(testing::ValuesIn(mtcp_test::all_shapes), testing::ValuesIn(carriers)), \
                             mtcp_test::shape_and_carrier_name)
