// Whom a client believes, who it is, and the sessions that it can resume. Shared by all connections that were made with the same settings.
// Included by this room's .cpp files, and by those outside for `make` alone.
#pragma once
#include <mnet/tls.hpp>

#include <chrono>
#include <memory>
#include <string>

#include "tls/problem.hpp"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace mnet::inline v1::tls {

class session_cache;

/// Thread: any, at the same time.
class client_context {
public:
    /// Errors: as `tls::client`. `now` is the wall clock's time, against which the dates of the client's own certificate are held.
    static outcome<std::shared_ptr<client_context>> make(const client_options& options, std::chrono::sys_seconds now);

    client_context(const client_context&) = delete;
    client_context& operator=(const client_context&) = delete;
    ~client_context();

    ssl_ctx_st* context() const noexcept { return context_; }
    session_cache& sessions() const noexcept { return *sessions_; }

    /// The name to ask for instead of the host of the address; empty for none.
    const std::string& server_name() const noexcept { return server_name_; }

    /// False after insecure_accept_any_certificate.
    bool verifies() const noexcept { return verifies_; }

private:
    client_context(ssl_ctx_st* context, const client_options& options);

    ssl_ctx_st* context_;  // owned
    std::unique_ptr<session_cache> sessions_;
    std::string server_name_;
    bool verifies_;
};

}  // namespace mnet::inline v1::tls
