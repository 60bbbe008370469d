// See reasons.hpp. The reasons are those of OpenSSL 3 (openssl/sslerr.h); a reason from 1000 on is an alert that the peer sent.
#include "tls/reasons.hpp"

#include <mnet/tls.hpp>

#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "tls/names.hpp"

namespace mnet::inline v1::tls {

namespace {

std::string reason_text(unsigned long error) {
    const char* const reason = ERR_reason_error_string(error);
    return std::string("OpenSSL: ") + (reason != nullptr ? reason : "no reason given");
}

/// An alert that the peer sent (RFC 8446, section 6.2).
tls_errc judge_alert(int alert, moment reached) noexcept {
    switch (alert) {
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_REVOKED:
        case SSL_AD_CERTIFICATE_EXPIRED:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_UNKNOWN_CA:
        case SSL_AD_ACCESS_DENIED:
            return tls_errc::peer_refuses_our_certificate;
        case SSL_AD_CERTIFICATE_REQUIRED:
            return tls_errc::certificate_required;
        case SSL_AD_PROTOCOL_VERSION:
            return tls_errc::no_common_version;
        case SSL_AD_HANDSHAKE_FAILURE:
        case SSL_AD_INSUFFICIENT_SECURITY:
            return reached == moment::open ? tls_errc::alert_received : tls_errc::no_common_cipher;
        case SSL_AD_NO_APPLICATION_PROTOCOL:
            return tls_errc::no_common_protocol;
        default:
            return tls_errc::alert_received;
    }
}

tls_errc judge_reason(int reason, moment reached) noexcept {
    switch (reason) {
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_VERSION_TOO_LOW:
        case SSL_R_VERSION_TOO_HIGH:
        case SSL_R_WRONG_SSL_VERSION:
        case SSL_R_NO_PROTOCOLS_AVAILABLE:
            return tls_errc::no_common_version;
        case SSL_R_NO_SHARED_CIPHER:
        case SSL_R_NO_CIPHERS_AVAILABLE:
        case SSL_R_NO_SHARED_GROUPS:
        case SSL_R_NO_SUITABLE_GROUPS:
        case SSL_R_NO_SUITABLE_KEY_SHARE:
        case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
        case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        case SSL_R_WRONG_SIGNATURE_TYPE:
            return tls_errc::no_common_cipher;
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return tls_errc::certificate_required;
        case SSL_R_NO_APPLICATION_PROTOCOL:
            return tls_errc::no_common_protocol;
        case SSL_R_HTTP_REQUEST:
        case SSL_R_HTTPS_PROXY_REQUEST:
            return tls_errc::peer_speaks_plain_text;
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_UNKNOWN_PROTOCOL:
            return reached == moment::first_record ? tls_errc::peer_speaks_plain_text : tls_errc::protocol_violation;
        case ERR_R_MALLOC_FAILURE:
        case ERR_R_INTERNAL_ERROR:
            return tls_errc::library_failure;
        default:
            return tls_errc::protocol_violation;
    }
}

std::string list_of(const std::vector<std::string>& names) {
    constexpr std::size_t shown_max = 8;
    std::string text;
    for (std::size_t index = 0; index < names.size() && index < shown_max; ++index) text += (index == 0 ? "" : ", ") + names[index];
    if (names.size() > shown_max) text += " and " + std::to_string(names.size() - shown_max) + " more";
    return text.empty() ? "no name at all" : text;
}

std::string whose(const X509* certificate) {
    return certificate == nullptr ? std::string("the peer's certificate") : "the certificate of " + main_name_of(*certificate);
}

}  // namespace

std::string take_reason() {
    const unsigned long error = ERR_get_error();
    ERR_clear_error();
    return reason_text(error);
}

problem explain_failure(moment reached) {
    const unsigned long error = ERR_get_error();
    ERR_clear_error();
    if (error == 0) return {.code = tls_errc::library_failure, .words = "OpenSSL gives no reason"};
    const int reason = ERR_GET_REASON(error);
    const bool is_alert = ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET;
    if (is_alert)
        return {.code = judge_alert(reason - SSL_AD_REASON_OFFSET, reached), .words = "the peer sent an alert; " + reason_text(error)};
    return {.code = judge_reason(reason, reached), .words = reason_text(error)};
}

problem explain_expired(const X509& certificate) {
    return {.code = tls_errc::certificate_expired, .words = whose(&certificate) + " expired on " + text_of(valid_until(certificate))};
}

problem explain_not_yet_valid(const X509& certificate) {
    return {.code = tls_errc::certificate_not_yet_valid,
            .words = whose(&certificate) + " is valid from " + text_of(valid_from(certificate)) + " on"};
}

problem explain_refusal(int code, const X509* certificate, std::string_view asked) {
    const std::string reason = std::string("OpenSSL: ") + X509_verify_cert_error_string(code);
    switch (code) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            if (certificate != nullptr) return explain_expired(*certificate);
            return {.code = tls_errc::certificate_expired, .words = reason};
        case X509_V_ERR_CERT_NOT_YET_VALID:
            if (certificate != nullptr) return explain_not_yet_valid(*certificate);
            return {.code = tls_errc::certificate_not_yet_valid, .words = reason};
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
            return {.code = tls_errc::self_signed, .words = whose(certificate) + " is signed by itself"};
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_CERT_UNTRUSTED: {
            const std::string issuer = certificate == nullptr ? std::string("somebody") : issuer_of(*certificate);
            return {.code = tls_errc::unknown_authority,
                    .words = whose(certificate) + " is signed by " + issuer + ", which is not believed here"};
        }
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
        case X509_V_ERR_EMAIL_MISMATCH: {
            const std::string found = certificate == nullptr ? std::string("another name") : list_of(names_of(*certificate));
            return {.code = tls_errc::wrong_name, .words = "asked for " + std::string(asked) + ", the certificate is for " + found};
        }
        case X509_V_ERR_CERT_REVOKED:
            return {.code = tls_errc::certificate_revoked, .words = whose(certificate) + " was revoked by its authority"};
        default:
            return {.code = tls_errc::certificate_unusable, .words = whose(certificate) + " is refused; " + reason};
    }
}

}  // namespace mnet::inline v1::tls
