// What both kinds of context have in common: versions, ciphers, the key log, one's own certificate, whom one believes.
#pragma once
#include <mnet/tls.hpp>

#include <memory>
#include <string>
#include <vector>

#include "tls/openssl.hpp"
#include "tls/problem.hpp"

namespace mnet::inline v1::tls {

using ssl_context_owner = std::unique_ptr<SSL_CTX, releaser<SSL_CTX_free>>;

/// What the options of both kinds say about the conversation itself.
struct manners {
    version least;
    version newest;
    bool allow_key_log;
};

/// A context with all that mnet/tls.hpp promises about versions and ciphers. Errors: std::errc::invalid_argument (no version is left),
/// tls_errc::library_failure.
outcome<ssl_context_owner> make_ssl_context(const manners& wanted);

/// The certificate at whose end a context stands.
struct identity {
    std::vector<std::string> names;  // DNS names and addresses that it is for
    std::chrono::sys_seconds expires;
};

/// Reads, checks and takes over a certificate, its chain and its key. Errors: as `tls::server`.
outcome<identity> use_certificate(SSL_CTX& context, const certificate_files& files, std::chrono::sys_seconds now);

/// Believes the authorities of a file, and no others. `as_hint` names them to clients that have several certificates to choose from.
enum class hint : bool { none, names };
outcome<void> believe(SSL_CTX& context, const std::string& authority, hint as_hint);

/// Has the revocation lists of a file used; an empty path has none.
outcome<void> use_revocation_list(SSL_CTX& context, const std::string& path);

/// Has the peer's certificate verified, and what is wrong with it noted in the connection's `conversation`. `mode`: SSL_VERIFY_ values.
void verify_peer(SSL_CTX& context, int mode);

/// Application protocols as they stand on the wire (RFC 7301, section 3.1). Errors: std::errc::invalid_argument.
outcome<std::vector<unsigned char>> protocol_list(const std::vector<std::string>& protocols);

}  // namespace mnet::inline v1::tls
