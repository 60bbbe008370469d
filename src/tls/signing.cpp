// See signing.hpp.
#include "tls/signing.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>

#include "tls/names.hpp"

namespace mnet::inline v1::tls::certificates {

namespace {

std::unexpected<problem> library_trouble() { return trouble(tls_errc::library_failure, take_reason()); }

/// RFC 1123 and RFC 9525: labels of letters, digits, hyphens and underscores; the first may be `*`.
bool is_dns_name(std::string_view name) noexcept {
    constexpr std::size_t name_bytes_max = 253;
    constexpr std::size_t label_bytes_max = 63;
    if (name.starts_with("*.")) name.remove_prefix(2);
    if (name.empty() || name.size() > name_bytes_max) return false;
    std::size_t label_bytes = 0;
    for (const char letter : name) {
        const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
        if (letter == '.' ? label_bytes == 0 : !is_letter && letter != '-' && letter != '_') return false;
        label_bytes = letter == '.' ? 0 : label_bytes + 1;
        if (label_bytes > label_bytes_max) return false;
    }
    return label_bytes > 0;
}

using general_name_owner = std::unique_ptr<GENERAL_NAME, releaser<GENERAL_NAME_free>>;

general_name_owner dns_name(const std::string& name) {
    general_name_owner made(GENERAL_NAME_new());
    ASN1_IA5STRING* const text = made ? ASN1_IA5STRING_new() : nullptr;
    if (text == nullptr) return nullptr;
    GENERAL_NAME_set0_value(made.get(), GEN_DNS, text);
    if (ASN1_STRING_set(text, name.data(), static_cast<int>(name.size())) != 1) return nullptr;
    return made;
}

general_name_owner ip_address(const std::string& address) {
    general_name_owner made(GENERAL_NAME_new());
    ASN1_OCTET_STRING* const bytes = made ? a2i_IPADDRESS(address.c_str()) : nullptr;
    if (bytes == nullptr) return nullptr;
    GENERAL_NAME_set0_value(made.get(), GEN_IPADD, bytes);
    return made;
}

outcome<void> add_names(X509& certificate, const std::vector<std::string>& names) {
    if (names.empty()) return {};
    const general_names_owner all(GENERAL_NAMES_new());
    for (const std::string& name : names) {
        const bool is_address = is_ip_address(name);
        if (!is_address && !is_dns_name(name)) {
            return trouble(std::make_error_code(std::errc::invalid_argument), "\"" + name + "\" is no DNS name and no IP address");
        }
        general_name_owner made = is_address ? ip_address(name) : dns_name(name);
        if (!made || sk_GENERAL_NAME_push(all.get(), made.get()) == 0) return library_trouble();
        (void)made.release();
    }
    if (X509_add1_ext_i2d(&certificate, NID_subject_alt_name, all.get(), 0, X509V3_ADD_DEFAULT) != 1) return library_trouble();
    return {};
}

bool add_extension(X509& certificate, X509V3_CTX& context, int kind, const char* value) {
    const std::unique_ptr<X509_EXTENSION, releaser<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
    return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

bool add_extensions(X509& certificate, const contents& contents, const X509& issuer) {
    X509V3_CTX context{};
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, const_cast<X509*>(&issuer), &certificate, nullptr, nullptr, 0);  // OpenSSL 3.0 takes it without const
    const auto add = [&](int kind, const char* value) { return add_extension(certificate, context, kind, value); };
    if (!add(NID_subject_key_identifier, "hash") || !add(NID_authority_key_identifier, "keyid:always")) return false;
    if (contents.purpose == purpose::authority) {
        return add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0") && add(NID_key_usage, "critical,keyCertSign,cRLSign");
    }
    const char* const use = contents.purpose == purpose::server ? "serverAuth" : "clientAuth";
    return add(NID_basic_constraints, "critical,CA:FALSE") && add(NID_key_usage, "critical,digitalSignature") &&
           add(NID_ext_key_usage, use);
}

/// 159 random bits: positive in 20 bytes (RFC 5280, section 4.1.2.2).
bool set_serial(X509& certificate) {
    constexpr int bits = 159;
    const bignum_owner number(BN_new());
    return number && BN_rand(number.get(), bits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

bool set_time(ASN1_TIME* target, std::chrono::sys_seconds time) {
    return ASN1_TIME_adj(target, std::chrono::system_clock::to_time_t(time), 0, 0) != nullptr;
}

bool set_subject(X509& certificate, const std::string& common_name) {
    if (common_name.empty()) return true;
    X509_NAME* const subject = X509_get_subject_name(&certificate);
    const auto* const text = reinterpret_cast<const unsigned char*>(common_name.data());
    return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, text, static_cast<int>(common_name.size()), -1, 0) == 1;
}

std::string text_in(BIO& memory) {
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(&memory, &data);
    return {data, static_cast<std::size_t>(bytes)};
}

}  // namespace

outcome<key_owner> make_key(key_type type) {
    constexpr std::size_t rsa_bits = 3072;
    key_owner key;
    switch (type) {
        case key_type::p256:
            key.reset(EVP_EC_gen("P-256"));
            break;
        case key_type::p384:
            key.reset(EVP_EC_gen("P-384"));
            break;
        case key_type::rsa_3072:
            key.reset(EVP_RSA_gen(rsa_bits));
            break;
    }
    if (!key) return library_trouble();
    return key;
}

outcome<certificate_owner> sign(const contents& contents, EVP_PKEY& key, const signer& signer) {
    certificate_owner made(X509_new());
    if (!made) return library_trouble();
    X509& certificate = *made;
    const X509* const by = signer.certificate == nullptr ? made.get() : signer.certificate;
    const X509& issuer = *by;
    const bool begun = X509_set_version(&certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
                       set_time(X509_getm_notBefore(&certificate), contents.valid_from) &&
                       set_time(X509_getm_notAfter(&certificate), contents.valid_until) && set_subject(certificate, contents.common_name) &&
                       X509_set_issuer_name(&certificate, X509_get_subject_name(&issuer)) == 1 && X509_set_pubkey(&certificate, &key) == 1;
    if (!begun) return library_trouble();
    if (auto named = add_names(certificate, contents.names); !named) return std::unexpected(std::move(named.error()));
    if (!add_extensions(certificate, contents, issuer)) return library_trouble();
    if (X509_sign(&certificate, signer.key, EVP_sha256()) == 0) return library_trouble();
    return made;
}

outcome<std::string> sign_revocation_list(const std::vector<certificate_owner>& revoked, std::chrono::sys_seconds from,
                                          std::chrono::sys_seconds until, const signer& signer) {
    using list_owner = std::unique_ptr<X509_CRL, releaser<X509_CRL_free>>;
    using entry_owner = std::unique_ptr<X509_REVOKED, releaser<X509_REVOKED_free>>;
    using time_owner = std::unique_ptr<ASN1_TIME, releaser<ASN1_TIME_free>>;
    const list_owner list(X509_CRL_new());
    const time_owner first(ASN1_TIME_new());
    const time_owner last(ASN1_TIME_new());
    const bool begun = list && first && last && set_time(first.get(), from) && set_time(last.get(), until) &&
                       X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1 &&
                       X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(signer.certificate)) == 1 &&
                       X509_CRL_set1_lastUpdate(list.get(), first.get()) == 1 && X509_CRL_set1_nextUpdate(list.get(), last.get()) == 1;
    if (!begun) return library_trouble();
    for (const certificate_owner& certificate : revoked) {
        entry_owner entry(X509_REVOKED_new());
        const bool added = entry && X509_REVOKED_set_serialNumber(entry.get(), X509_get_serialNumber(certificate.get())) == 1 &&
                           X509_REVOKED_set_revocationDate(entry.get(), first.get()) == 1 &&
                           X509_CRL_add0_revoked(list.get(), entry.get()) == 1;
        if (!added) return library_trouble();
        (void)entry.release();
    }
    X509V3_CTX context{};
    X509V3_set_ctx(&context, const_cast<X509*>(signer.certificate), nullptr, nullptr, list.get(), 0);
    const std::unique_ptr<X509_EXTENSION, releaser<X509_EXTENSION_free>> key_identifier(
        X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
    // A list's number says which is newer (RFC 5280, section 5.2.3): its seconds will do.
    const std::unique_ptr<ASN1_INTEGER, releaser<ASN1_INTEGER_free>> number(ASN1_INTEGER_new());
    const bool ended = key_identifier && number && X509_CRL_add_ext(list.get(), key_identifier.get(), -1) == 1 &&
                       ASN1_INTEGER_set_int64(number.get(), from.time_since_epoch().count()) == 1 &&
                       X509_CRL_add1_ext_i2d(list.get(), NID_crl_number, number.get(), 0, X509V3_ADD_DEFAULT) == 1 &&
                       X509_CRL_sort(list.get()) == 1 && X509_CRL_sign(list.get(), signer.key, EVP_sha256()) != 0;
    const bio_owner text(BIO_new(BIO_s_mem()));
    if (!ended || !text || PEM_write_bio_X509_CRL(text.get(), list.get()) != 1) return library_trouble();
    return text_in(*text);
}

outcome<pair> to_pem(const X509& certificate, const EVP_PKEY& key) {
    const bio_owner certificate_text(BIO_new(BIO_s_mem()));
    const bio_owner key_text(BIO_new(BIO_s_secmem()));
    const bool written = certificate_text && key_text && PEM_write_bio_X509(certificate_text.get(), &certificate) == 1 &&
                         PEM_write_bio_PKCS8PrivateKey(key_text.get(), &key, nullptr, nullptr, 0, nullptr, nullptr) == 1;
    if (!written) return library_trouble();
    return pair{.certificate = text_in(*certificate_text), .key = text_in(*key_text)};
}

}  // namespace mnet::inline v1::tls::certificates
