// What a server's files held at one time, ready for handshakes: one OpenSSL context for each certificate, the first of which answers for
// all. Included by this room's .cpp files only.
#pragma once
#include <mnet/tls.hpp>

#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "tls/cryptography.hpp"
#include "tls/problem.hpp"

namespace mnet::inline v1::tls {

class server_snapshot {
public:
    static outcome<std::shared_ptr<const server_snapshot>> make(const server_options& options, std::chrono::sys_seconds now);

    /// For a new connection; which certificate it shows is decided when the client has said whom it wants.
    SSL_CTX* context() const noexcept { return entries_.front().context.get(); }

    std::chrono::sys_seconds expires() const noexcept;

private:
    struct entry {
        ssl_context_owner context;
        identity owner;
    };

    outcome<void> add(const certificate_files& files, const server_options& options, std::chrono::sys_seconds now);
    SSL_CTX* find(std::string_view name) const noexcept;

    static int choose_certificate(SSL* ssl, int* alert, void* snapshot) noexcept;
    static int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                               unsigned int offered_bytes, void* snapshot) noexcept;

    std::vector<entry> entries_;
    std::vector<unsigned char> protocols_;
};

}  // namespace mnet::inline v1::tls
