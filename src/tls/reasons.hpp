// What OpenSSL's error queue, or the check of a certificate, means in our words.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "tls/openssl.hpp"
#include "tls/problem.hpp"

namespace mnet::inline v1::tls {

/// How far a conversation was: the same reason means something else where nothing before it was TLS, and after the handshake.
enum class moment : std::uint8_t { first_record, handshake, open };

/// Why a handshake or a record failed, by the oldest error of this thread's queue; empties the queue. What a check of the peer's
/// certificate refused is told by `explain_refusal`, not here.
problem explain_failure(moment reached);

/// Why X509_verify_cert refused: `code` is an X509_V_ERR_ value about `certificate` (may be null), `asked` the name that the peer should
/// have.
problem explain_refusal(int code, const X509* certificate, std::string_view asked);

/// "certificate of NAME expired on ...": the tail both a peer's and an own certificate have in common.
problem explain_expired(const X509& certificate);
problem explain_not_yet_valid(const X509& certificate);

}  // namespace mnet::inline v1::tls
