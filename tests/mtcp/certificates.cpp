// See certificates.hpp.
#include "certificates.hpp"

namespace mtcp_test {

namespace certificates = mnet::tls::certificates;

const authority_and_signed& certificates_of_tests() {
    struct finished : authority_and_signed {
        finished() {
            authority = must(certificates::make_authority());
            authority_file = files.write("authority.pem", authority.certificate);
            server = files.write("server", must(certificates::make_server(authority, {.names = {"localhost", "127.0.0.1", "::1"}})));
            client = files.write("client", must(certificates::make_client(authority, {.names = {"alice.example"}})));
        }
    };
    static const finished made;
    return made;
}

mnet::tls::server_settings server_of_tests() {
    const auto& files = certificates_of_tests().server;
    return must(mnet::tls::server({.certificate = files.certificate, .key = files.key}));
}

const mnet::tls::client_settings& client_of_tests() {
    static const auto settings = must(mnet::tls::client({.authority = certificates_of_tests().authority_file}));
    return settings;
}

}  // namespace mtcp_test
