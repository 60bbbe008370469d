// Certificates and keys to files and back: see mnet/tls_certificates.hpp.
#include <fcntl.h>
#include <unistd.h>

#include <mnet/tls_certificates.hpp>

#include <cerrno>

#include "base/unique_fd.hpp"
#include "tls/pem.hpp"

namespace mnet::inline v1::tls::certificates {

namespace {

std::unexpected<problem> system_trouble(const std::string& path) {
    const std::error_code reason(errno, std::system_category());
    const std::string advice = reason == std::errc::file_exists ? "; nothing is overwritten: move it away, or choose another name" : "";
    return trouble(reason, path + ": " + reason.message() + advice);
}

/// A file that was not there before, whole or not at all.
outcome<void> write_new_file(const std::string& path, std::string_view text, mode_t mode) {
    const base::unique_fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!file) return system_trouble(path);
    while (!text.empty()) {
        const ssize_t written = ::write(file.get(), text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) {
            auto found = system_trouble(path);
            ::unlink(path.c_str());
            return found;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
}

outcome<void> save_both(const pair& made, const certificate_files& files) {
    constexpr mode_t for_all = 0644;
    constexpr mode_t for_the_owner = 0600;
    if (auto written = write_new_file(files.key, made.key, for_the_owner); !written) return written;
    auto written = write_new_file(files.certificate, made.certificate, for_all);
    if (!written) ::unlink(files.key.c_str());  // it was made just now
    return written;
}

outcome<pair> load_both(const certificate_files& files) {
    const std::string& key_file = files.key.empty() ? files.certificate : files.key;
    auto certificate = read_file(files.certificate);
    if (!certificate) return std::unexpected(std::move(certificate.error()));
    auto key = read_file(key_file);
    if (!key) return std::unexpected(std::move(key.error()));
    const auto certificates = certificates_in(*certificate, files.certificate);
    if (!certificates) return std::unexpected(certificates.error());
    const auto private_key = key_in(*key, key_file);
    if (!private_key) return std::unexpected(private_key.error());
    if (X509_check_private_key(certificates->front().get(), private_key->get()) != 1) {
        return trouble(tls_errc::key_mismatch, key_file + ": is not the key of " + files.certificate + "; " + take_reason());
    }
    return pair{.certificate = std::move(*certificate), .key = std::move(*key)};
}

}  // namespace

result<> save(const pair& made, const certificate_files& files, std::string* words) { return told(save_both(made, files), words); }

result<pair> load(const certificate_files& files, std::string* words) { return told(load_both(files), words); }

}  // namespace mnet::inline v1::tls::certificates
