// See server_snapshot.hpp.
#include "tls/server_snapshot.hpp"

#include <algorithm>
#include <string>

#include "tls/names.hpp"

namespace mnet::inline v1::tls {

namespace {

// A resumed session has to be this library's own, or it is a full handshake (SSL_CTX_set_session_id_context(3)).
constexpr std::string_view session_scope = "mnet";

}  // namespace

outcome<std::shared_ptr<const server_snapshot>> server_snapshot::make(const server_options& options, std::chrono::sys_seconds now) {
    auto made = std::make_shared<server_snapshot>();
    auto protocols = protocol_list(options.application_protocols);
    if (!protocols) return std::unexpected(std::move(protocols.error()));
    made->protocols_ = std::move(*protocols);
    if (auto added = made->add({.certificate = options.certificate, .key = options.key}, options, now); !added) {
        return std::unexpected(std::move(added.error()));
    }
    for (const certificate_files& more : options.more_certificates) {
        if (auto added = made->add(more, options, now); !added) return std::unexpected(std::move(added.error()));
    }
    return made;
}

outcome<void> server_snapshot::add(const certificate_files& files, const server_options& options, std::chrono::sys_seconds now) {
    auto context =
        make_ssl_context({.least = options.least_version, .newest = options.newest_version, .allow_key_log = options.allow_key_log});
    if (!context) return std::unexpected(std::move(context.error()));
    SSL_CTX* const raw = context->get();
    auto owner = use_certificate(*raw, files, now);
    if (!owner) return std::unexpected(std::move(owner.error()));

    if (!options.client_authority.empty()) {
        if (auto set = believe(*raw, options.client_authority, hint::names); !set) return set;
        if (auto set = use_revocation_list(*raw, options.revocation_list); !set) return set;
        verify_peer(*raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    }
    // Sessions are in the tickets that clients keep: the server keeps nothing for those that don't come back. One is enough.
    SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(session_scope.data()), session_scope.size());
    SSL_CTX_set_num_tickets(raw, 1);
    SSL_CTX_set_tlsext_servername_callback(raw, choose_certificate);
    SSL_CTX_set_tlsext_servername_arg(raw, this);
    if (!protocols_.empty()) SSL_CTX_set_alpn_select_cb(raw, choose_protocol, this);
    entries_.push_back({.context = std::move(*context), .owner = std::move(*owner)});
    return {};
}

std::chrono::sys_seconds server_snapshot::expires() const noexcept {
    return std::ranges::min_element(entries_, {}, [](const entry& one) { return one.owner.expires; })->owner.expires;
}

SSL_CTX* server_snapshot::find(std::string_view name) const noexcept {
    const auto found = std::ranges::find_if(entries_, [name](const entry& one) { return covers(one.owner.names, name); });
    return found == entries_.end() ? nullptr : found->context.get();
}

int server_snapshot::choose_certificate(SSL* ssl, int*, void* snapshot) noexcept {
    const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_CTX* const fitting = static_cast<const server_snapshot*>(snapshot)->find(name);
    if (fitting == nullptr) return SSL_TLSEXT_ERR_NOACK;  // the client decides whether the first certificate will do
    if (fitting != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, fitting);
    return SSL_TLSEXT_ERR_OK;
}

int server_snapshot::choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                                     unsigned int offered_bytes, void* snapshot) noexcept {
    const auto& ours = static_cast<const server_snapshot*>(snapshot)->protocols_;
    unsigned char* found = nullptr;
    const int verdict =
        SSL_select_next_proto(&found, chosen_bytes, ours.data(), static_cast<unsigned int>(ours.size()), offered, offered_bytes);
    if (verdict != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

}  // namespace mnet::inline v1::tls
