// See client_context.hpp.
#include "tls/client_context.hpp"

#include <memory>
#include <utility>

#include "tls/conversation.hpp"
#include "tls/cryptography.hpp"
#include "tls/sessions.hpp"

namespace mnet::inline v1::tls {

namespace {

constexpr std::size_t peers_with_session_max = 256;

/// A session arrives with the handshake (TLS 1.2) or in a ticket after it (1.3). Gives 1 when it was taken over.
int keep_session(SSL* ssl, SSL_SESSION* session) noexcept {
    const conversation& talk = conversation_of(ssl);
    if (talk.sessions == nullptr) return 0;
    try {
        talk.sessions->keep(talk.session_key, session_owner(session));
    } catch (...) {
        return 1;  // no memory: the next handshake is a whole one. The owner has freed the session
    }
    return 1;
}

outcome<void> set_authorities(SSL_CTX& context, const client_options& options) {
    if (options.insecure_accept_any_certificate) {
        verify_peer(context, SSL_VERIFY_NONE);
        return {};
    }
    verify_peer(context, SSL_VERIFY_PEER);
    if (!options.authority.empty()) {
        if (auto set = believe(context, options.authority, hint::none); !set) return set;
    } else if (SSL_CTX_set_default_verify_paths(&context) != 1) {
        return trouble(tls_errc::library_failure, "the system's authorities can't be read; " + take_reason());
    }
    return use_revocation_list(context, options.revocation_list);
}

}  // namespace

client_context::client_context(ssl_ctx_st* context, const client_options& options)
    : context_(context),
      sessions_(std::make_unique<session_cache>(peers_with_session_max)),
      server_name_(options.server_name),
      verifies_(!options.insecure_accept_any_certificate) {}

client_context::~client_context() { SSL_CTX_free(context_); }

outcome<std::shared_ptr<client_context>> client_context::make(const client_options& options, std::chrono::sys_seconds now) {
    auto context =
        make_ssl_context({.least = options.least_version, .newest = options.newest_version, .allow_key_log = options.allow_key_log});
    if (!context) return std::unexpected(std::move(context.error()));
    SSL_CTX* const raw = context->get();
    if (auto set = set_authorities(*raw, options); !set) return std::unexpected(std::move(set.error()));
    if (!options.certificate.empty() || !options.key.empty()) {
        auto own = use_certificate(*raw, {.certificate = options.certificate, .key = options.key}, now);
        if (!own) return std::unexpected(std::move(own.error()));
    }
    const auto protocols = protocol_list(options.application_protocols);
    if (!protocols) return std::unexpected(protocols.error());
    if (!protocols->empty() && SSL_CTX_set_alpn_protos(raw, protocols->data(), static_cast<unsigned int>(protocols->size())) != 0) {
        return trouble(tls_errc::library_failure, take_reason());
    }
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(raw, keep_session);
    std::unique_ptr<client_context> made(new client_context(raw, options));
    (void)context->release();  // it is the maker's no more
    return std::shared_ptr<client_context>(std::move(made));
}

}  // namespace mnet::inline v1::tls
