// The words of the TLS category. A message says what happened and what to do; the particulars come beside it, from the machine.
#include <mnet/tls.hpp>

namespace mnet::inline v1 {

namespace {

const char* describe(tls_errc code) noexcept {
    switch (code) {
        case tls_errc::certificate_expired:
            return "the certificate has expired; its owner has to renew it";
        case tls_errc::certificate_not_yet_valid:
            return "the certificate is not valid yet; check the clocks of both ends, then its dates";
        case tls_errc::self_signed:
            return "the peer signed its certificate itself; if it is the right one, name it as the authority";
        case tls_errc::unknown_authority:
            return "the peer's certificate comes from an authority that is not known here; name that one as the authority if you believe "
                   "it";
        case tls_errc::wrong_name:
            return "the peer's certificate is for another name; connect by a name it is for, or have one made for this name";
        case tls_errc::certificate_revoked:
            return "the peer's certificate was revoked by its authority; its owner needs a new one";
        case tls_errc::certificate_unusable:
            return "the certificate can't be used for this";
        case tls_errc::peer_refuses_our_certificate:
            return "the peer refuses the certificate of this end; check which authority the peer believes, and the name and the dates";
        case tls_errc::certificate_required:
            return "the client has to show a certificate and has none; set certificate and key on the client";
        case tls_errc::no_common_version:
            return "the ends have no version of TLS in common; this end speaks 1.2 and 1.3, as far as its options allow: update the other";
        case tls_errc::no_common_cipher:
            return "the ends have no cipher in common; this end wants authenticated encryption with forward secrecy: update the other";
        case tls_errc::no_common_protocol:
            return "the ends have no application protocol in common; compare application_protocols of both";
        case tls_errc::closed_during_handshake:
            return "the peer closed during the TLS handshake; it may not speak TLS, or its log says why";
        case tls_errc::handshake_too_slow:
            return "the peer did not finish the TLS handshake in time; it may wait for something that is not TLS";
        case tls_errc::peer_speaks_plain_text:
            return "the peer does not speak TLS, and this end does: let both, or none";
        case tls_errc::protocol_violation:
            return "what arrived breaks the TLS protocol, or was changed on its way";
        case tls_errc::alert_received:
            return "the peer ended the connection with a TLS alert; its log may say why";
        case tls_errc::unreadable_file:
            return "the file does not hold what it should, as PEM text; `mnet cert show` says what is in it";
        case tls_errc::key_mismatch:
            return "the key does not belong to the certificate; take the two that were made together";
        case tls_errc::library_failure:
            return "OpenSSL failed";
    }
    return "not an error code of TLS in mnet";
}

class tls_category_type final : public std::error_category {
public:
    const char* name() const noexcept override { return "mnet.tls"; }
    std::string message(int code) const override { return describe(static_cast<tls_errc>(code)); }

    std::error_condition default_error_condition(int code) const noexcept override {
        switch (static_cast<tls_errc>(code)) {
            case tls_errc::handshake_too_slow:
                return std::errc::timed_out;
            case tls_errc::peer_speaks_plain_text:
            case tls_errc::protocol_violation:
                return std::errc::protocol_error;
            default:
                return {code, *this};
        }
    }
};

}  // namespace

const std::error_category& tls_category() noexcept {
    static const tls_category_type instance;
    return instance;
}

}  // namespace mnet::inline v1
