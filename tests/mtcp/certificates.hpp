// Certificates for the tests of this room: an authority and what it signed, made once a program, in files that go when it ends.
#pragma once
#include "support/certificate_folder.hpp"

#include <mnet/tls.hpp>
#include <mnet/tls_certificates.hpp>

#include <cstdlib>
#include <string>
#include <string_view>

namespace mtcp_test {

/// A port that the kernel chooses.
inline constexpr std::string_view anywhere = "tls://127.0.0.1:0";

struct authority_and_signed {
    support::certificate_folder files{};
    mnet::tls::certificates::pair authority{};
    std::string authority_file{};
    mnet::tls::certificate_files server{};  // for localhost and the loopback addresses
    mnet::tls::certificate_files client{};  // of alice.example
};

const authority_and_signed& certificates_of_tests();

/// A server of these, and a client that believes their authority.
mnet::tls::server_settings server_of_tests();
const mnet::tls::client_settings& client_of_tests();

/// The value of what has to succeed; the program ends where it doesn't.
template <typename Value>
Value must(mnet::result<Value> outcome) {
    if (!outcome) std::abort();
    return *std::move(outcome);
}

}  // namespace mtcp_test
