// See cryptography.hpp.
#include "tls/cryptography.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <openssl/err.h>

#include <array>
#include <cstdlib>

#include "base/unique_fd.hpp"
#include "tls/conversation.hpp"
#include "tls/names.hpp"
#include "tls/pem.hpp"
#include "tls/reasons.hpp"

namespace mnet::inline v1::tls {

namespace {

// AES-128 first: as strong as anyone needs, and the fastest where the processor has AES. Its peers choose ChaCha20 where it has not.
constexpr auto suites_1_3 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr auto suites_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr auto groups = "X25519:P-256:P-384";
constexpr int security_level = 2;  // RSA from 2048 bits, no SHA-1 (SSL_CTX_set_security_level(3))

/// A line of the SSLKEYLOGFILE format, appended whole so that several processes can share the file.
void log_key(const SSL*, const char* line) {
    const char* const path = std::getenv("SSLKEYLOGFILE");
    if (path == nullptr) return;
    const base::unique_fd file(::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    const std::string text = std::string(line) + '\n';
    if (file && ::write(file.get(), text.data(), text.size()) < 0) return;  // a look at the secrets is not worth the connection
}

/// Called for each certificate of the peer's chain; the first one that is refused ends it.
int note_refusal(int accepted, X509_STORE_CTX* checked) noexcept {
    if (accepted == 1) return 1;
    const void* const ssl = X509_STORE_CTX_get_ex_data(checked, SSL_get_ex_data_X509_STORE_CTX_idx());
    conversation& talk = conversation_of(static_cast<const SSL*>(ssl));
    if (talk.refusal.code) return 0;
    try {
        const X509* const certificate = X509_STORE_CTX_get_current_cert(checked);
        talk.refusal = explain_refusal(X509_STORE_CTX_get_error(checked), certificate, talk.asked_name);
    } catch (...) {  // no memory for the words
        talk.refusal.code = tls_errc::certificate_unusable;
    }
    return 0;
}

std::unexpected<problem> library_trouble() { return trouble(tls_errc::library_failure, take_reason()); }

}  // namespace

outcome<ssl_context_owner> make_ssl_context(const manners& wanted) {
    if (wanted.least > wanted.newest) {
        return trouble(std::make_error_code(std::errc::invalid_argument), "least_version: is newer than newest_version");
    }
    ERR_clear_error();
    ssl_context_owner context(SSL_CTX_new(TLS_method()));
    if (!context) return library_trouble();
    SSL_CTX* const raw = context.get();
    const auto number_of = [](version named) { return named == version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION; };
    const bool set = SSL_CTX_set_min_proto_version(raw, number_of(wanted.least)) == 1 &&
                     SSL_CTX_set_max_proto_version(raw, number_of(wanted.newest)) == 1 && SSL_CTX_set_ciphersuites(raw, suites_1_3) == 1 &&
                     SSL_CTX_set_cipher_list(raw, suites_1_2) == 1 && SSL_CTX_set1_groups_list(raw, groups) == 1;
    if (!set) return library_trouble();
    SSL_CTX_set_security_level(raw, security_level);
    SSL_CTX_clear_options(raw, SSL_OP_ALL | SSL_OP_LEGACY_SERVER_CONNECT);
    SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(raw, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (wanted.allow_key_log && std::getenv("SSLKEYLOGFILE") != nullptr) SSL_CTX_set_keylog_callback(raw, log_key);
    return context;
}

outcome<identity> use_certificate(SSL_CTX& context, const certificate_files& files, std::chrono::sys_seconds now) {
    if (files.certificate.empty()) {
        return trouble(std::make_error_code(std::errc::invalid_argument), "certificate: name the file of this end's certificate");
    }
    const std::string& key_file = files.key.empty() ? files.certificate : files.key;
    const auto certificate_text = read_file(files.certificate);
    if (!certificate_text) return std::unexpected(certificate_text.error());
    const auto certificates = certificates_in(*certificate_text, files.certificate);
    if (!certificates) return std::unexpected(certificates.error());
    const auto key_text = read_file(key_file);
    if (!key_text) return std::unexpected(key_text.error());
    const auto key = key_in(*key_text, key_file);
    if (!key) return std::unexpected(key.error());

    X509* const own = certificates->front().get();
    const auto about_own = [&files](const problem& found) { return trouble(found.code, files.certificate + ": " + found.words); };
    if (valid_until(*own) <= now) return about_own(explain_expired(*own));
    if (valid_from(*own) > now) return about_own(explain_not_yet_valid(*own));
    if (X509_check_private_key(own, key->get()) != 1) {
        ERR_clear_error();
        return trouble(tls_errc::key_mismatch, key_file + ": is not the key of " + files.certificate);
    }
    if (SSL_CTX_use_certificate(&context, own) != 1 || SSL_CTX_use_PrivateKey(&context, key->get()) != 1) {
        return trouble(tls_errc::certificate_unusable, files.certificate + ": can't be used; " + take_reason());
    }
    for (std::size_t index = 1; index < certificates->size(); ++index) {
        if (SSL_CTX_add1_chain_cert(&context, (*certificates)[index].get()) != 1) {
            return trouble(tls_errc::certificate_unusable, files.certificate + ": its chain can't be used; " + take_reason());
        }
    }
    auto names = names_of(*own);
    if (names.empty()) names.push_back(subject_of(*own));
    return identity{.names = std::move(names), .expires = valid_until(*own)};
}

outcome<void> believe(SSL_CTX& context, const std::string& authority, hint as_hint) {
    const auto text = read_file(authority);
    if (!text) return std::unexpected(text.error());
    const auto certificates = certificates_in(*text, authority);
    if (!certificates) return std::unexpected(certificates.error());
    X509_STORE* const store = SSL_CTX_get_cert_store(&context);
    for (const certificate_owner& certificate : *certificates) {
        if (X509_STORE_add_cert(store, certificate.get()) != 1) return library_trouble();
        if (as_hint == hint::names && SSL_CTX_add_client_CA(&context, certificate.get()) != 1) return library_trouble();
    }
    return {};
}

outcome<void> use_revocation_list(SSL_CTX& context, const std::string& path) {
    if (path.empty()) return {};
    const auto text = read_file(path);
    if (!text) return std::unexpected(text.error());
    return add_revocation_lists(*SSL_CTX_get_cert_store(&context), *text, path);
}

void verify_peer(SSL_CTX& context, int mode) { SSL_CTX_set_verify(&context, mode, note_refusal); }

outcome<std::vector<unsigned char>> protocol_list(const std::vector<std::string>& protocols) {
    constexpr std::size_t name_bytes_max = 255;
    constexpr std::size_t list_bytes_max = 65'535;
    std::vector<unsigned char> list;
    for (const std::string& name : protocols) {
        if (name.empty() || name.size() > name_bytes_max || list.size() + 1 + name.size() > list_bytes_max) {
            return trouble(std::make_error_code(std::errc::invalid_argument),
                           "application_protocols: a name has 1 to 255 bytes, all of them at most 65535");
        }
        list.push_back(static_cast<unsigned char>(name.size()));
        list.insert(list.end(), name.begin(), name.end());
    }
    return list;
}

}  // namespace mnet::inline v1::tls
