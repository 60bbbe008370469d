// Certificates for the tests of this room: an authority and what it signed, made once a program, in files that go when it ends.
#pragma once
#include <mnet/tls.hpp>
#include <mnet/tls_certificates.hpp>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace mtcp_test {

/// A folder of its own, removed with all that is in it.
class scratch_files {
public:
    scratch_files();
    scratch_files(const scratch_files&) = delete;
    scratch_files& operator=(const scratch_files&) = delete;
    ~scratch_files();

    std::string path_of(std::string_view name) const { return (path_ / name).string(); }
    std::string write(std::string_view name, std::string_view text) const;

    /// `NAME.pem` and `NAME.key`.
    mnet::tls::certificate_files write(const std::string& name, const mnet::tls::certificates::pair& made) const;

private:
    std::filesystem::path path_;
};

struct authority_and_signed {
    scratch_files files{};
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
