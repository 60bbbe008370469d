// TLS for servers and clients: who this end is, whom it believes, and what went wrong with that.
//
// Safe without being told so: TLS 1.2 and 1.3 only (RFC 5246, RFC 8446), authenticated encryption with forward secrecy only, no
// renegotiation, no compression; a client verifies the server's chain against the system's authorities, and its name. Files are PEM
// (RFC 7468). `mnet cert` makes some, and so does <mnet/tls_certificates.hpp>.
#pragma once
#include <mnet/error.hpp>
#include <mnet/export.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

namespace mnet::inline v1 {

/// What TLS can say. An end of the stream without the peer's close_notify is errc::truncated; what the system said about a file is in
/// std::system_category.
enum class tls_errc {
    /// The peer's certificate, or one of its authorities', is past its last day. Of a server's options: its own.
    certificate_expired = 1,
    /// The same, before its first day. One of the two clocks is wrong, more often than the certificate.
    certificate_not_yet_valid,
    /// The peer signed its certificate itself, and this end was not told to believe it.
    self_signed,
    /// The peer's certificate leads to an authority that this end does not believe.
    unknown_authority,
    /// The peer's certificate is sound, and somebody else's.
    wrong_name,
    /// The authority took the peer's certificate back (`revocation_list`).
    certificate_revoked,
    /// Anything else against the peer's certificate: made for another purpose, too weak a key, a broken signature.
    certificate_unusable,
    /// The peer believes in no certificate of this end's; its reason is in the words.
    peer_refuses_our_certificate,
    /// One end wants a certificate of the other, and got none (mutual TLS).
    certificate_required,
    /// The ends have no version of TLS in common.
    no_common_version,
    /// The ends have no cipher suite, group or signature algorithm in common.
    no_common_cipher,
    /// The ends have no application protocol in common (ALPN, RFC 7301).
    no_common_protocol,
    /// The peer ended the connection before the handshake did.
    closed_during_handshake,
    /// The handshake was not done by its deadline. Instance of std::errc::timed_out.
    handshake_too_slow,
    /// The first bytes are not TLS: a plain mnet peer, HTTP, anything.
    peer_speaks_plain_text,
    /// What the peer sent breaks the protocol, or was changed on its way.
    protocol_violation,
    /// The peer ended the conversation with an alert (RFC 8446, section 6.2) that has no code of its own here.
    alert_received,
    /// A file holds no certificate, no key, or no revocation list where it should, or an encrypted key.
    unreadable_file,
    /// The key does not belong to the certificate.
    key_mismatch,
    /// The cryptographic library failed in a way that is nobody's fault.
    library_failure,
};

/// The category of `tls_errc`; its name is "mnet.tls". Messages say what happened and what to do; the particulars (since when it is
/// expired, which name was asked for and which found, OpenSSL's reason) are in the words that come with the error.
MNET_API const std::error_category& tls_category() noexcept;

inline std::error_code make_error_code(tls_errc code) noexcept { return {static_cast<int>(code), tls_category()}; }
inline std::unexpected<std::error_code> failure(tls_errc code) noexcept { return std::unexpected(make_error_code(code)); }

namespace tls {

class client_context;
class server_context;

enum class version : std::uint8_t { tls_1_2, tls_1_3 };

/// A certificate, the server's own first and then those between it and its authority's; and the key that belongs to it. Paths of PEM files;
/// without `key`, both are in the file of the certificate. An encrypted key is refused: there is nobody to ask for its password.
struct certificate_files {
    std::string certificate{};
    std::string key{};
};

struct server_options {
    /// As in `certificate_files`. Required. What is expired, not valid yet, or does not fit together is refused.
    std::string certificate{};
    std::string key{};

    /// Further certificates: the first one made for the name that a client asks for (SNI, RFC 6066) is shown to it, wildcards
    /// included; where none fits, `certificate` is. Default: none.
    std::vector<certificate_files> more_certificates{};

    /// Path of the authorities' certificates whose clients are let in: mutual TLS. Every client then has to show a certificate, made for
    /// clients, and `client.peer_name()` says whose. Default: clients show none.
    std::string client_authority{};

    /// Path of revocation lists (CRLs, RFC 5280), one for each authority of `client_authority`; a client whose authority has none is
    /// refused, too. Default: nothing is revoked.
    std::string revocation_list{};

    /// Application protocols, the dearest first (ALPN, RFC 7301), each of 1 to 255 bytes. A client that offers some and none of these is
    /// refused; one that offers none is not. Default: none.
    std::vector<std::string> application_protocols{};

    /// The oldest and the newest version to agree on. Default: both that there are. TLS 1.2 alone is for a look at what an old peer gets.
    version least_version = version::tls_1_2;
    version newest_version = version::tls_1_3;

    /// Writes the connections' secrets to the file that the environment variable SSLKEYLOGFILE names, so that Wireshark can read along.
    /// Who has that file reads everything. Default: false; the variable is not even looked at.
    bool allow_key_log = false;
};

struct client_options {
    /// Path of the authorities' certificates to believe, instead of the system's. Default: the system's.
    std::string authority{};

    /// This end's own certificate and key, for servers that want one (mutual TLS), as in `certificate_files`. Default: none.
    std::string certificate{};
    std::string key{};

    /// The name, or the IP address, that the server's certificate has to be for. Default: the host of the address that is connected to.
    std::string server_name{};

    /// As of `server_options`, about servers.
    std::string revocation_list{};

    /// Application protocols to offer, the dearest first. Default: none.
    std::vector<std::string> application_protocols{};

    /// As of `server_options`.
    version least_version = version::tls_1_2;
    version newest_version = version::tls_1_3;
    bool allow_key_log = false;

    /// Takes whatever certificate the server shows: whoever sits in between can read and change everything. For a look at a server in
    /// trouble; a test makes an authority instead. Default: false.
    bool insecure_accept_any_certificate = false;
};

/// A server's certificates in use. A handle: copies are the same settings, so that a program can keep one to reload what a running network
/// uses. Empty, it stands for no TLS.
///
/// Thread: any, at the same time.
class MNET_API server_settings {
public:
    server_settings() noexcept = default;
    explicit server_settings(std::shared_ptr<server_context> context) noexcept : context_(std::move(context)) {}

    explicit operator bool() const noexcept { return context_ != nullptr; }

    /// Reads the files of the options again. New connections get what they hold now, those that are open keep what they have, and
    /// sessions of before are not resumed. On an error everything stays as it was.
    ///
    /// Errors: as `tls::server`. `words`, where given, gets the file, the reason and what to do. Not on empty settings (asserted).
    result<> reload(std::string* words = nullptr) const;

    /// The same if a file is another one, or has changed, since it was last looked at; gives whether there is something new in use. An
    /// error is told once for each change. A few system calls when nothing has changed.
    result<bool> reload_if_changed(std::string* words = nullptr) const;

    /// When the first of the certificates expires.
    std::chrono::sys_seconds expires() const noexcept;

    /// For the library.
    const std::shared_ptr<server_context>& context() const noexcept { return context_; }

private:
    std::shared_ptr<server_context> context_;
};

/// Whom a client believes, who it is itself, and the sessions that it resumes: every connection made with the same settings to a server it
/// had a connection to before is quicker. A handle: copies are the same settings.
///
/// `connect_options` takes its address, so that the options may stand in a co_await expression (docs/adr/0003): it has to live until the
/// connect has ended, and no longer.
///
/// Thread: any, at the same time.
class MNET_API client_settings {
public:
    explicit client_settings(std::shared_ptr<client_context> context) noexcept : context_(std::move(context)) {}

    /// For the library.
    const std::shared_ptr<client_context>& context() const noexcept { return context_; }

private:
    std::shared_ptr<client_context> context_;
};

/// Reads and checks a server's files.
///
/// Errors: what the system says about a file; tls_errc::unreadable_file, key_mismatch, certificate_expired, certificate_not_yet_valid,
/// certificate_unusable (too weak a key), library_failure; std::errc::invalid_argument (an option out of its range). `words`, where given,
/// gets the file, the reason and what to do.
MNET_API result<server_settings> server(const server_options& options, std::string* words = nullptr);

/// The same for a client. Errors: as `server`.
MNET_API result<client_settings> client(const client_options& options = {}, std::string* words = nullptr);

}  // namespace tls

}  // namespace mnet::inline v1

template <>
struct std::is_error_code_enum<mnet::tls_errc> : std::true_type {};
