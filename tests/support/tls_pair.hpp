// What a server and its client need to speak TLS with each other: an authority is made for it, and forgotten.
#pragma once
#include "support/certificate_folder.hpp"

#include <mnet/tls.hpp>
#include <mnet/tls_certificates.hpp>

#include <optional>

namespace support {

struct tls_pair {
    mnet::tls::server_settings server;
    mnet::tls::client_settings client;
};

/// For a server on the loopback address; nothing where no certificates can be made.
inline std::optional<tls_pair> make_tls_pair() {
    namespace tls = mnet::tls;
    const certificate_folder files;
    const auto authority = tls::certificates::make_authority();
    if (!authority) return std::nullopt;
    const auto own = tls::certificates::make_server(*authority, {.names = {"localhost", "127.0.0.1", "::1"}});
    if (!own) return std::nullopt;
    const auto written = files.write("server", *own);
    const auto server = tls::server({.certificate = written.certificate, .key = written.key});
    const auto client = tls::client({.authority = files.write("authority.pem", authority->certificate)});
    if (!server || !client) return std::nullopt;
    return tls_pair{.server = *server, .client = *client};
}

}  // namespace support
