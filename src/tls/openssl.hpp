// OpenSSL's objects with owners, and its error queue as text. Included by this room's .cpp files only, so that no OpenSSL name is seen
// outside.
#pragma once
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace mnet::inline v1::tls {

template <auto release>
struct releaser {
    template <typename T>
    void operator()(T* object) const noexcept {
        release(object);
    }
};

inline void free_certificates(STACK_OF(X509) * certificates) noexcept { sk_X509_pop_free(certificates, X509_free); }

using bignum_owner = std::unique_ptr<BIGNUM, releaser<BN_free>>;
using bio_owner = std::unique_ptr<BIO, releaser<BIO_free>>;
using certificate_owner = std::unique_ptr<X509, releaser<X509_free>>;
using certificates_owner = std::unique_ptr<STACK_OF(X509), releaser<free_certificates>>;
using general_names_owner = std::unique_ptr<GENERAL_NAMES, releaser<GENERAL_NAMES_free>>;
using key_owner = std::unique_ptr<EVP_PKEY, releaser<EVP_PKEY_free>>;
using session_owner = std::unique_ptr<SSL_SESSION, releaser<SSL_SESSION_free>>;

/// A BIO that reads `text`, which stays in place meanwhile; nullptr without memory.
inline bio_owner reader_of(std::string_view text) { return bio_owner(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

/// "OpenSSL: REASON" of the oldest error of this thread's queue, and empties it.
std::string take_reason();

}  // namespace mnet::inline v1::tls
