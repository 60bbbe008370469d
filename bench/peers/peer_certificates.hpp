// Certificates for the peers that speak TLS, of mnet's own authority; made before the processes part.
#pragma once
#include "peer_program.hpp"

#include <mnet/tls_certificates.hpp>

#include <string>

namespace mnet::bench::peers {

/// PEM texts; the certificate is that of `localhost`.
struct peer_certificates {
    std::string authority;
    std::string certificate;
    std::string key;
};

inline peer_certificates make_peer_certificates(const char* who) {
    namespace certificates = tls::certificates;
    const auto authority = certificates::make_authority();
    if (!authority) fail(who, authority.error().message());
    const auto made = certificates::make_server(*authority, {.names = {"localhost"}});
    if (!made) fail(who, made.error().message());
    return {.authority = authority->certificate, .certificate = made->certificate, .key = made->key};
}

}  // namespace mnet::bench::peers
