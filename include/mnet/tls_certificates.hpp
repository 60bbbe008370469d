// Certificates for one's own machines and for tests: an authority, and what it signs for servers and clients. What `mnet cert` does, as
// functions.
//
//     const auto authority = certificates::make_authority({.common_name = "our machines"});
//     const auto server = certificates::make_server(*authority, {.names = {"localhost", "127.0.0.1"}});
//     certificates::save(*server, {.certificate = "server.pem", .key = "server.key"});
//
// X.509 version 3 as browsers and RFC 5280 want it: the names in the subject alternative name, each certificate good for one purpose. An
// authority signs certificates and nothing else, and none that signs others. For the internet's public names there is ACME (RFC 8555).
//
// `words`, where given, gets what happened, to which file or name, and what to do. Thread: any.
#pragma once
#include <mnet/error.hpp>
#include <mnet/export.hpp>
#include <mnet/tls.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::inline v1::tls::certificates {

/// Elliptic curves P-256 and P-384 (RFC 5480), and RSA for peers that know no curves: slower, and larger on the wire.
enum class key_type : std::uint8_t { p256, p384, rsa_3072 };

struct options {
    /// Whom it is for: DNS names (`*.example.org` stands for one more label) and IP addresses. A server needs at least one; a client and
    /// an authority none.
    std::vector<std::string> names{};

    /// What people see, up to 64 bytes. Default: the first of the names; of an authority "mnet authority".
    std::string common_name{};

    /// Default: an hour ago, for clocks that are behind.
    std::optional<std::chrono::sys_seconds> valid_from{};

    /// From `valid_from` on, 1 to 36500. What an authority signs ends with it at the latest. Default: 3650 days of an authority, 825 of
    /// others.
    std::optional<std::chrono::days> valid_for{};

    certificates::key_type key = key_type::p256;
};

/// PEM text: a certificate, and its private key (PKCS #8, not encrypted).
struct pair {
    std::string certificate{};
    std::string key{};
};

/// Errors: std::errc::invalid_argument (an option out of its range), tls_errc::library_failure.
MNET_API result<pair> make_authority(const options& options = {}, std::string* words = nullptr);

/// Signed by `authority`; what `make_authority` gave, or any other pair whose certificate may sign.
///
/// Errors: as make_authority (a name that is none, no name at all); tls_errc::unreadable_file, key_mismatch, certificate_expired and
/// certificate_unusable for the authority.
MNET_API result<pair> make_server(const pair& authority, const options& options, std::string* words = nullptr);

/// The same for a client. It needs a name or a common name: what the server sees as `client.peer_name()`.
MNET_API result<pair> make_client(const pair& authority, const options& options, std::string* words = nullptr);

/// PEM text of a list (CRL, RFC 5280) of what `authority` takes back: for `revocation_list` of servers and clients. `certificates`: PEM
/// texts, all certificates of each. Who uses the list refuses every certificate of that authority when the list's days are over: make one
/// in time, with all that is revoked. `valid_for`: 1 to 36500.
///
/// Errors: as make_server.
MNET_API result<std::string> make_revocation_list(const pair& authority, const std::vector<std::string>& certificates,
                                                  std::chrono::days valid_for, std::string* words = nullptr);

/// Writes both files; the key may be read by its owner alone (0600). Overwrites nothing: on an error there is no new file.
///
/// Errors: std::errc::file_exists, and whatever else the system says.
MNET_API result<> save(const pair& made, const certificate_files& files, std::string* words = nullptr);

/// Errors: what the system says about a file; tls_errc::unreadable_file, key_mismatch.
MNET_API result<pair> load(const certificate_files& files, std::string* words = nullptr);

struct description {
    std::string subject{};
    std::string issuer{};
    std::vector<std::string> names{};  // DNS names, IP addresses, then others
    std::chrono::sys_seconds valid_from{};
    std::chrono::sys_seconds valid_until{};
    bool is_authority = false;
    bool for_servers = false;
    bool for_clients = false;
    std::string key{};          // "EC P-256", "RSA 3072"
    std::string serial{};       // hexadecimal digits
    std::string fingerprint{};  // SHA-256 of the certificate, hexadecimal digits
};

/// Each certificate of a PEM text, in its order. Errors: tls_errc::unreadable_file.
MNET_API result<std::vector<description>> describe(std::string_view pem, std::string* words = nullptr);

}  // namespace mnet::inline v1::tls::certificates
