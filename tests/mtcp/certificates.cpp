// See certificates.hpp.
#include "certificates.hpp"

#include <cstdlib>
#include <fstream>

namespace mtcp_test {

namespace certificates = mnet::tls::certificates;

scratch_files::scratch_files() {
    std::string name = (std::filesystem::temp_directory_path() / "mnet-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
}

scratch_files::~scratch_files() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

std::string scratch_files::write(std::string_view name, std::string_view text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return path_of(name);
}

mnet::tls::certificate_files scratch_files::write(const std::string& name, const certificates::pair& made) const {
    return {.certificate = write(name + ".pem", made.certificate), .key = write(name + ".key", made.key)};
}

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
