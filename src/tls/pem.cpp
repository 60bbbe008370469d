// See pem.hpp.
#include "tls/pem.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <mnet/tls.hpp>

#include <openssl/err.h>
#include <openssl/pem.h>

#include <array>
#include <cerrno>

#include "base/unique_fd.hpp"

namespace mnet::inline v1::tls {

namespace {

constexpr std::size_t file_bytes_max = std::size_t{16} << 20;

using revocation_owner = std::unique_ptr<X509_CRL, releaser<X509_CRL_free>>;

std::unexpected<problem> system_trouble(const std::string& path) {
    const std::error_code reason(errno, std::system_category());
    return trouble(reason, path + ": " + reason.message());
}

/// Instead of OpenSSL's own question on the terminal.
int no_password(char*, int, int, void* was_asked) noexcept {
    *static_cast<bool*>(was_asked) = true;
    return -1;
}

}  // namespace

outcome<std::string> read_file(const std::string& path) {
    const base::unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return system_trouble(path);
    std::string text;
    std::array<char, 16 * 1024> piece;
    for (;;) {
        const ssize_t got = ::read(file.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return system_trouble(path);
        if (got == 0) return text;
        text.append(piece.data(), static_cast<std::size_t>(got));
        if (text.size() > file_bytes_max) return trouble(tls_errc::unreadable_file, path + ": is longer than 16 MiB");
    }
}

outcome<std::vector<certificate_owner>> certificates_in(std::string_view text, const std::string& source) {
    ERR_clear_error();
    const bio_owner reader = reader_of(text);
    std::vector<certificate_owner> certificates;
    for (;;) {
        certificate_owner next(PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr));
        if (!next) break;
        certificates.push_back(std::move(next));
    }
    const unsigned long error = ERR_peek_last_error();
    const bool ended = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (!ended) return trouble(tls_errc::unreadable_file, source + ": holds a broken certificate; " + take_reason());
    ERR_clear_error();
    if (certificates.empty()) {
        return trouble(tls_errc::unreadable_file, source + ": holds no certificate (-----BEGIN CERTIFICATE-----)");
    }
    return certificates;
}

outcome<key_owner> key_in(std::string_view text, const std::string& source) {
    ERR_clear_error();
    const bio_owner reader = reader_of(text);
    bool encrypted = false;
    key_owner key(PEM_read_bio_PrivateKey(reader.get(), nullptr, no_password, &encrypted));
    if (key) return key;
    if (encrypted) {
        ERR_clear_error();
        return trouble(tls_errc::unreadable_file,
                       source + ": the key is encrypted; decrypt it with `openssl pkey`, and guard the file instead");
    }
    if (text.contains("PRIVATE KEY-----")) return trouble(tls_errc::unreadable_file, source + ": holds a broken key; " + take_reason());
    ERR_clear_error();
    return trouble(tls_errc::unreadable_file, source + ": holds no private key (-----BEGIN PRIVATE KEY-----)");
}

outcome<void> add_revocation_lists(X509_STORE& store, std::string_view text, const std::string& source) {
    ERR_clear_error();
    const bio_owner reader = reader_of(text);
    bool any = false;
    for (;;) {
        const revocation_owner list(PEM_read_bio_X509_CRL(reader.get(), nullptr, nullptr, nullptr));
        if (!list) break;
        if (X509_STORE_add_crl(&store, list.get()) != 1) return trouble(tls_errc::library_failure, source + ": " + take_reason());
        any = true;
    }
    ERR_clear_error();
    if (!any) return trouble(tls_errc::unreadable_file, source + ": holds no revocation list (-----BEGIN X509 CRL-----)");
    X509_STORE_set_flags(&store, X509_V_FLAG_CRL_CHECK);
    return {};
}

bool file_stamp::operator==(const file_stamp& other) const noexcept {
    const auto same_time = [](const timespec& one, const timespec& two) { return one.tv_sec == two.tv_sec && one.tv_nsec == two.tv_nsec; };
    return device == other.device && number == other.number && bytes == other.bytes && same_time(modified, other.modified) &&
           same_time(changed, other.changed);
}

file_stamp stamp_of(const std::string& path) noexcept {
    struct stat found{};
    if (::stat(path.c_str(), &found) != 0) return {};
    return {.device = found.st_dev, .number = found.st_ino, .bytes = found.st_size, .modified = found.st_mtim, .changed = found.st_ctim};
}

}  // namespace mnet::inline v1::tls
