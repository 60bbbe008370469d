// OpenSSL without mnet: see bare_tls.hpp.
#include "bare_tls.hpp"

#include <mnet/tls_certificates.hpp>
#include <mnet/wire/frame.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace mnet::bench {

namespace {

constexpr std::size_t record_bytes = 16 * 1024;
constexpr std::size_t batch_bytes = 8 * record_bytes;

template <auto release>
struct releaser {
    template <typename T>
    void operator()(T* object) const noexcept {
        release(object);
    }
};
using bio_owner = std::unique_ptr<BIO, releaser<BIO_free>>;
using certificate_owner = std::unique_ptr<X509, releaser<X509_free>>;
using context_owner = std::unique_ptr<SSL_CTX, releaser<SSL_CTX_free>>;
using key_owner = std::unique_ptr<EVP_PKEY, releaser<EVP_PKEY_free>>;
using ssl_owner = std::unique_ptr<SSL, releaser<SSL_free>>;

bio_owner reader_of(const std::string& text) { return bio_owner(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

context_owner make_context() {
    context_owner context(SSL_CTX_new(TLS_method()));
    if (!context) return nullptr;
    const bool set = SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
                     SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256") == 1 &&
                     SSL_CTX_set_num_tickets(context.get(), 0) == 1;
    return set ? std::move(context) : nullptr;
}

bool use(SSL_CTX& context, const tls::certificates::pair& shown) {
    const certificate_owner certificate(PEM_read_bio_X509(reader_of(shown.certificate).get(), nullptr, nullptr, nullptr));
    const key_owner key(PEM_read_bio_PrivateKey(reader_of(shown.key).get(), nullptr, nullptr, nullptr));
    return certificate && key && SSL_CTX_use_certificate(&context, certificate.get()) == 1 &&
           SSL_CTX_use_PrivateKey(&context, key.get()) == 1;
}

/// Reads from `in` and writes to `out`.
ssl_owner make_end(SSL_CTX& context, BIO& in, BIO& out) {
    ssl_owner made(SSL_new(&context));
    if (!made) return nullptr;
    BIO_up_ref(&in);
    BIO_up_ref(&out);
    SSL_set_bio(made.get(), &in, &out);
    return made;
}

bool is_done(SSL& end) {
    ERR_clear_error();
    return SSL_do_handshake(&end) == 1;
}

}  // namespace

struct bare_tls::ends {
    ssl_owner writer;
    ssl_owner reader;
    std::vector<std::byte> source = std::vector<std::byte>(record_bytes, std::byte{0x5a});
    std::vector<std::byte> target = std::vector<std::byte>(record_bytes);

    bool write(std::size_t bytes) {
        for (std::size_t left = bytes; left > 0;) {
            std::size_t written = 0;
            if (SSL_write_ex(writer.get(), source.data(), std::min(left, record_bytes), &written) != 1) return false;
            left -= written;
        }
        return true;
    }

    bool read(std::size_t bytes) {
        for (std::size_t left = bytes; left > 0;) {
            std::size_t got = 0;
            if (SSL_read_ex(reader.get(), target.data(), std::min(left, record_bytes), &got) != 1) return false;
            left -= got;
        }
        return true;
    }
};

bare_tls::bare_tls(std::unique_ptr<ends> made) noexcept : ends_(std::move(made)) {}
bare_tls::bare_tls(bare_tls&&) noexcept = default;
bare_tls::~bare_tls() = default;

result<bare_tls> bare_tls::make() {
    const auto authority = tls::certificates::make_authority();
    if (!authority) return failure(authority.error());
    const auto shown = tls::certificates::make_server(*authority, {.names = {"localhost"}});
    if (!shown) return failure(shown.error());
    const context_owner serving = make_context();
    const context_owner asking = make_context();
    const bio_owner there(BIO_new(BIO_s_mem()));
    const bio_owner back(BIO_new(BIO_s_mem()));
    if (!serving || !asking || !there || !back) return failure(std::errc::not_enough_memory);
    if (!use(*serving, *shown)) return failure(tls_errc::library_failure);
    for (BIO* const each : {there.get(), back.get()}) BIO_set_mem_eof_return(each, -1);  // empty: more may come

    auto made = std::make_unique<ends>();
    made->writer = make_end(*asking, *back, *there);
    made->reader = make_end(*serving, *there, *back);
    if (!made->writer || !made->reader) return failure(std::errc::not_enough_memory);
    SSL_set_connect_state(made->writer.get());
    SSL_set_accept_state(made->reader.get());
    constexpr int flights_max = 8;
    bool done = false;
    for (int flight = 0; !done && flight < flights_max; ++flight) {
        const bool written = is_done(*made->writer);
        done = is_done(*made->reader) && written;
    }
    if (!done) return failure(tls_errc::library_failure);
    return bare_tls(std::move(made));
}

measurement bare_tls::measure(std::uint64_t count, std::size_t size) {
    const usage before = usage_now(0);
    const std::uint64_t start = now_ns();
    std::uint64_t writing_ns = 0;
    bool sound = true;
    for (std::uint64_t left = count * (size + wire::header_bytes); sound && left > 0;) {
        const auto batch = static_cast<std::size_t>(std::min<std::uint64_t>(left, batch_bytes));
        const std::uint64_t begun = now_ns();
        sound = ends_->write(batch);
        writing_ns += now_ns() - begun;
        sound = sound && ends_->read(batch);
        left -= batch;
    }
    const std::uint64_t elapsed = std::max<std::uint64_t>(now_ns() - start, 1);
    const usage used = usage_now(0) - before;
    const auto cpu_ns_of_writing =
        static_cast<std::uint64_t>(static_cast<double>(used.cpu_ns) * static_cast<double>(writing_ns) / static_cast<double>(elapsed));
    return {.messages = count,
            .delivered = sound ? count : 0,
            .bytes = sound ? count * size : 0,
            .elapsed_ns = elapsed,
            .sender = {.cpu_ns = cpu_ns_of_writing},
            .receiver = {.cpu_ns = used.cpu_ns - cpu_ns_of_writing, .allocations = used.allocations}};
}

}  // namespace mnet::bench
