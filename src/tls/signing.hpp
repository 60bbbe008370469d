// Makes keys and signs certificates (RFC 5280). What goes into them is decided in certificates.cpp.
#pragma once
#include <mnet/tls_certificates.hpp>

#include <string>
#include <vector>

#include "tls/openssl.hpp"
#include "tls/problem.hpp"

namespace mnet::inline v1::tls::certificates {

enum class purpose : std::uint8_t { authority, server, client };

struct contents {
    certificates::purpose purpose;
    std::string common_name;
    std::vector<std::string> names;
    std::chrono::sys_seconds valid_from;
    std::chrono::sys_seconds valid_until;
};

struct signer {
    const X509* certificate;  // null: the new certificate signs itself
    EVP_PKEY* key;
};

/// Errors: tls_errc::library_failure.
outcome<key_owner> make_key(key_type type);

/// Errors: std::errc::invalid_argument for a name that is none, tls_errc::library_failure.
outcome<certificate_owner> sign(const contents& contents, EVP_PKEY& key, const signer& signer);

/// PEM text of a list of `revoked`, all of the signer. Errors: tls_errc::library_failure.
outcome<std::string> sign_revocation_list(const std::vector<certificate_owner>& revoked, std::chrono::sys_seconds from,
                                          std::chrono::sys_seconds until, const signer& signer);

/// PEM text. Errors: tls_errc::library_failure.
outcome<pair> to_pem(const X509& certificate, const EVP_PKEY& key);

}  // namespace mnet::inline v1::tls::certificates
