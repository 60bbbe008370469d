// The public functions that make certificates and describe them: see mnet/tls_certificates.hpp. Files are certificate_storage.cpp's.
#include <mnet/tls_certificates.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>

#include "tls/names.hpp"
#include "tls/pem.hpp"
#include "tls/reasons.hpp"
#include "tls/signing.hpp"

namespace mnet::inline v1::tls::certificates {

namespace {

constexpr std::chrono::days authority_days{3650};
constexpr std::chrono::days signed_days{825};
constexpr std::chrono::days days_max{36'500};
constexpr std::size_t common_name_bytes_max = 64;  // RFC 5280, ub-common-name

std::chrono::sys_seconds now() noexcept { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

std::unexpected<problem> invalid(std::string words) { return trouble(std::make_error_code(std::errc::invalid_argument), std::move(words)); }

outcome<contents> contents_of(const options& options, purpose purpose) {
    const auto days = options.valid_for.value_or(purpose == purpose::authority ? authority_days : signed_days);
    if (days < std::chrono::days(1) || days > days_max) return invalid("valid_for: 1 to 36500 days");
    if (options.common_name.size() > common_name_bytes_max) return invalid("common_name: at most 64 bytes");
    if (purpose == purpose::server && options.names.empty()) {
        return invalid("a server's certificate needs the names and addresses that clients connect to");
    }
    std::string common_name = options.common_name;
    if (common_name.empty() && purpose == purpose::authority) common_name = "mnet authority";
    if (common_name.empty() && !options.names.empty() && options.names.front().size() <= common_name_bytes_max) {
        common_name = options.names.front();
    }
    if (common_name.empty() && options.names.empty()) return invalid("a client's certificate needs a name");
    const auto from = options.valid_from.value_or(now() - std::chrono::hours(1));
    return contents{
        .purpose = purpose, .common_name = std::move(common_name), .names = options.names, .valid_from = from, .valid_until = from + days};
}

/// An authority, taken apart and found fit to sign.
struct authority_parts {
    certificate_owner certificate;
    key_owner key;

    certificates::signer signer() const noexcept { return {.certificate = certificate.get(), .key = key.get()}; }
};

outcome<authority_parts> parts_of(const pair& authority) {
    constexpr auto source = "the authority";
    auto certificates = certificates_in(authority.certificate, source);
    if (!certificates) return std::unexpected(std::move(certificates.error()));
    auto key = key_in(authority.key, source);
    if (!key) return std::unexpected(std::move(key.error()));
    certificate_owner& issuer = certificates->front();
    if (X509_check_ca(issuer.get()) != 1) {
        return trouble(tls_errc::certificate_unusable,
                       "the certificate of " + main_name_of(*issuer) + " is no authority's: it may not sign others");
    }
    if (X509_check_private_key(issuer.get(), key->get()) != 1) {
        return trouble(tls_errc::key_mismatch, "the authority's key does not belong to its certificate; " + take_reason());
    }
    return authority_parts{.certificate = std::move(issuer), .key = std::move(*key)};
}

outcome<pair> make_signed(const pair& authority, const options& options, purpose purpose) {
    auto wanted = contents_of(options, purpose);
    if (!wanted) return std::unexpected(std::move(wanted.error()));
    const auto issuer = parts_of(authority);
    if (!issuer) return std::unexpected(issuer.error());
    if (valid_until(*issuer->certificate) <= wanted->valid_from) return std::unexpected(explain_expired(*issuer->certificate));
    wanted->valid_until = std::min(wanted->valid_until, valid_until(*issuer->certificate));

    const auto key = make_key(options.key);
    if (!key) return std::unexpected(key.error());
    const auto made = sign(*wanted, **key, issuer->signer());
    if (!made) return std::unexpected(made.error());
    return to_pem(**made, **key);
}

outcome<std::string> make_list(const pair& authority, const std::vector<std::string>& texts, std::chrono::days valid_for) {
    if (valid_for < std::chrono::days(1) || valid_for > days_max) return invalid("valid_for: 1 to 36500 days");
    const auto issuer = parts_of(authority);
    if (!issuer) return std::unexpected(issuer.error());
    std::vector<certificate_owner> revoked;
    for (const std::string& text : texts) {
        auto found = certificates_in(text, "what is revoked");
        if (!found) return std::unexpected(std::move(found.error()));
        std::ranges::move(*found, std::back_inserter(revoked));
    }
    return sign_revocation_list(revoked, now() - std::chrono::hours(1), now() + valid_for, issuer->signer());
}

outcome<pair> make_self_signed(const options& options) {
    const auto wanted = contents_of(options, purpose::authority);
    if (!wanted) return std::unexpected(wanted.error());
    const auto key = make_key(options.key);
    if (!key) return std::unexpected(key.error());
    const auto made = sign(*wanted, **key, {.certificate = nullptr, .key = key->get()});
    if (!made) return std::unexpected(made.error());
    return to_pem(**made, **key);
}

std::string hexadecimal(std::span<const unsigned char> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 15U];
    }
    return text;
}

std::string key_text(const X509& certificate) {
    EVP_PKEY* const key = X509_get0_pubkey(&certificate);
    if (key == nullptr) return "unknown";
    std::array<char, 64> group{};
    if (EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1) {
        const std::string_view name(group.data());
        return "EC " + std::string(name == "prime256v1" ? "P-256" : name == "secp384r1" ? "P-384" : name);
    }
    const char* const type = EVP_PKEY_get0_type_name(key);
    return std::string(type == nullptr ? "unknown" : type) + " " + std::to_string(EVP_PKEY_get_bits(key));
}

description description_of(X509& certificate) {
    const ASN1_INTEGER& serial = *X509_get0_serialNumber(&certificate);
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int digest_bytes = 0;
    X509_digest(&certificate, EVP_sha256(), digest.data(), &digest_bytes);
    const bool is_authority = X509_check_ca(&certificate) == 1;
    const auto good_for = [&](int purpose) { return !is_authority && X509_check_purpose(&certificate, purpose, 0) == 1; };
    return {.subject = subject_of(certificate),
            .issuer = issuer_of(certificate),
            .names = names_of(certificate),
            .valid_from = valid_from(certificate),
            .valid_until = valid_until(certificate),
            .is_authority = is_authority,
            .for_servers = good_for(X509_PURPOSE_SSL_SERVER),
            .for_clients = good_for(X509_PURPOSE_SSL_CLIENT),
            .key = key_text(certificate),
            .serial = hexadecimal({ASN1_STRING_get0_data(&serial), static_cast<std::size_t>(ASN1_STRING_length(&serial))}),
            .fingerprint = hexadecimal(std::span(digest).first(digest_bytes))};
}

outcome<std::vector<description>> describe_all(std::string_view pem) {
    const auto certificates = certificates_in(pem, "the text");
    if (!certificates) return std::unexpected(certificates.error());
    std::vector<description> descriptions;
    for (const certificate_owner& certificate : *certificates) descriptions.push_back(description_of(*certificate));
    return descriptions;
}

}  // namespace

result<pair> make_authority(const options& options, std::string* words) { return told(make_self_signed(options), words); }

result<pair> make_server(const pair& authority, const options& options, std::string* words) {
    return told(make_signed(authority, options, purpose::server), words);
}

result<pair> make_client(const pair& authority, const options& options, std::string* words) {
    return told(make_signed(authority, options, purpose::client), words);
}

result<std::string> make_revocation_list(const pair& authority, const std::vector<std::string>& certificates, std::chrono::days valid_for,
                                         std::string* words) {
    return told(make_list(authority, certificates, valid_for), words);
}

result<std::vector<description>> describe(std::string_view pem, std::string* words) { return told(describe_all(pem), words); }

}  // namespace mnet::inline v1::tls::certificates
