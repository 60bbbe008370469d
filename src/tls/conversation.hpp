// What OpenSSL's callbacks have to know about one connection, and what they found out. Hangs on the SSL object; the machine owns it.
#pragma once
#include <string>

#include "tls/openssl.hpp"
#include "tls/problem.hpp"

namespace mnet::inline v1::tls {

class session_cache;

struct conversation {
    std::string asked_name{};           // clients: what the server's certificate has to be for
    session_cache* sessions = nullptr;  // clients: where new sessions go
    std::string session_key{};          // clients: whose they are
    problem refusal{};                  // why the peer's certificate was refused, if it was
};

inline conversation& conversation_of(const SSL* ssl) noexcept { return *static_cast<conversation*>(SSL_get_app_data(ssl)); }

}  // namespace mnet::inline v1::tls
