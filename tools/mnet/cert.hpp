// `mnet cert`: an authority of one's own, certificates for servers and clients, and a look into files that hold some.
#pragma once
#include "failure.hpp"

#include <mnet/tls_certificates.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace mnet::tool {

enum class cert_work : std::uint8_t { authority, server, client, show };

struct cert_options {
    cert_work work = cert_work::show;
    std::string common_name{};         // of an authority
    std::vector<std::string> names{};  // of a server; of a client the first is who it is
    std::string signed_by{"ca"};       // the authority: NAME.pem and NAME.key
    std::string out{};                 // what is made: NAME.pem and NAME.key; empty: after the work
    int days = 0;                      // 0: as the library does
    tls::certificates::key_type key = tls::certificates::key_type::p256;
    std::vector<std::string> files{};  // to show
    bool json = false;
};

/// Throws failure_exit.
exit_code run_cert(const cert_options& options);

}  // namespace mnet::tool
