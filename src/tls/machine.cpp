// See machine.hpp. OpenSSL reads from and writes to what the caller has lent (lent_bytes.hpp); here is the order of things, and what each
// outcome means.
#include "tls/machine.hpp"

#include <mnet/tls.hpp>

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/assert.hpp"
#include "tls/client_context.hpp"
#include "tls/conversation.hpp"
#include "tls/lent_bytes.hpp"
#include "tls/names.hpp"
#include "tls/reasons.hpp"
#include "tls/server_snapshot.hpp"
#include "tls/sessions.hpp"

namespace mnet::inline v1::tls {

namespace {

// AES-GCM is good for 2^24.5 full records with one key (RFC 8446, section 5.5).
constexpr std::uint64_t records_per_key_max = std::uint64_t{1} << 24;

// A record shorter than that is not made just because the room ends there.
constexpr std::size_t short_record_bytes_min = 1024;

constexpr auto alert_type = std::byte{0x15};  // RFC 8446, section 5.1
constexpr auto handshake_type = std::byte{0x16};

std::string_view text_of(const char* text) noexcept { return text == nullptr ? std::string_view() : std::string_view(text); }

}  // namespace

/// What is left of a list of pieces.
class machine::plaintext_pieces {
public:
    explicit plaintext_pieces(std::span<const std::span<const std::byte>> pieces) noexcept : pieces_(pieces) {
        for (const auto& piece : pieces) bytes_left_ += piece.size();
        skip_empty();
    }

    std::size_t bytes_left() const noexcept { return bytes_left_; }

    /// The next `bytes` in a row: where they are, or copied to `gathered` when they lie in several pieces.
    std::span<const std::byte> next(std::size_t bytes, std::span<std::byte> gathered) const noexcept {
        MNET_ASSERT(bytes > 0 && bytes <= bytes_left_ && bytes <= gathered.size(), "no more is asked for than there is");
        const auto first = pieces_.front().subspan(offset_);
        if (first.size() >= bytes) return first.first(bytes);
        std::memcpy(gathered.data(), first.data(), first.size());
        std::size_t copied = first.size();
        for (std::size_t index = 1; copied < bytes; ++index) {
            const auto piece = pieces_[index].first(std::min(pieces_[index].size(), bytes - copied));
            if (!piece.empty()) std::memcpy(gathered.data() + copied, piece.data(), piece.size());
            copied += piece.size();
        }
        return gathered.first(bytes);
    }

    void advance(std::size_t bytes) noexcept {
        MNET_ASSERT(bytes <= bytes_left_, "no more is consumed than there is");
        bytes_left_ -= bytes;
        offset_ += bytes;
        skip_empty();
    }

private:
    void skip_empty() noexcept {
        while (!pieces_.empty() && offset_ >= pieces_.front().size()) {
            offset_ -= pieces_.front().size();
            pieces_ = pieces_.subspan(1);
        }
    }

    std::span<const std::span<const std::byte>> pieces_;
    std::size_t offset_ = 0;  // in the first piece; less than its size, unless there is none
    std::size_t bytes_left_ = 0;
};

machine::machine(std::shared_ptr<const server_snapshot> settings) noexcept : is_server_(true), server_(std::move(settings)) {
    MNET_ASSERT(server_ != nullptr, "a server has a certificate");
}

machine::machine(std::shared_ptr<client_context> settings, std::string_view host, std::string_view peer) noexcept
    : is_server_(false), client_(std::move(settings)) {
    MNET_ASSERT(client_ != nullptr, "a client has settings");
    if (!prepare(client_->context())) return;
    SSL_set_connect_state(ssl_);
    try {
        const std::string& chosen = client_->server_name();
        if (aim_at(chosen.empty() ? host : std::string_view(chosen), peer)) shake_hands();
    } catch (...) {
        fail(std::make_error_code(std::errc::not_enough_memory), {});
    }
}

machine::~machine() {
    // A connection that was cut is no reason to distrust its session, though OpenSSL thinks so unless told that it was closed in order:
    // who reconnects is who needs it. What broke the protocol has spoiled its session already.
    if (ssl_ != nullptr && SSL_is_init_finished(ssl_) == 1) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(ssl_);
}

bool machine::prepare(void* context) noexcept {
    try {
        talk_ = std::make_unique<conversation>();
        bytes_ = std::make_unique<lent_bytes>();
    } catch (...) {
        fail(std::make_error_code(std::errc::not_enough_memory), {});
        return false;
    }
    ERR_clear_error();
    ssl_ = SSL_new(static_cast<SSL_CTX*>(context));
    BIO* const bio = ssl_ == nullptr ? nullptr : bytes_->make_bio();
    if (bio == nullptr) {
        fail(std::make_error_code(std::errc::not_enough_memory), {});
        return false;
    }
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_app_data(ssl_, talk_.get());
    return true;
}

/// A client that never says a byte costs none of it.
bool machine::prepare_to_serve() noexcept {
    if (!prepare(server_->context())) return false;
    SSL_set_accept_state(ssl_);
    return true;
}

bool machine::aim_at(std::string_view host, std::string_view peer) {
    talk_->asked_name = host;
    // Who resumes a session does not check a name again: it is that of the session.
    talk_->session_key = std::string(host) + '\n' + std::string(peer);
    talk_->sessions = &client_->sessions();
    if (host.empty()) {
        if (!client_->verifies()) return true;
        fail(tls_errc::wrong_name, "there is no name to hold the server's certificate against; set server_name");
        return false;
    }
    const bool is_address = is_ip_address(host);
    const char* const name = talk_->asked_name.c_str();
    X509_VERIFY_PARAM* const checks = SSL_get0_param(ssl_);
    X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const bool set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(checks, name) == 1
                                : SSL_set1_host(ssl_, name) == 1 && SSL_set_tlsext_host_name(ssl_, name) == 1;
    if (!set) {
        fail(tls_errc::wrong_name, talk_->asked_name + " is no name that a certificate could be for");
        return false;
    }
    if (const session_owner session = talk_->sessions->find(talk_->session_key)) SSL_set_session(ssl_, session.get());
    return true;
}

bool machine::first_bytes_are_tls(std::span<const std::byte> ciphertext) {
    if (saw_bytes_ || ciphertext.empty()) return true;
    saw_bytes_ = true;
    if (ciphertext.front() == handshake_type || (!is_server_ && ciphertext.front() == alert_type)) return true;
    const std::string_view first(reinterpret_cast<const char*>(ciphertext.data()), std::min<std::size_t>(ciphertext.size(), 4));
    constexpr std::array<std::string_view, 8> http = {"HTTP", "GET ", "POST", "PUT ", "HEAD", "OPTI", "PRI ", "CONN"};
    const bool is_http = std::ranges::find(http, first) != http.end();
    fail(tls_errc::peer_speaks_plain_text, is_http ? "the first bytes are HTTP" : "the first byte begins no TLS record");
    return false;
}

void machine::shake_hands() noexcept {
    MNET_ASSERT(state_ == phase::handshaking, "a handshake is done once");
    ERR_clear_error();
    const int outcome = SSL_do_handshake(ssl_);
    if (outcome == 1) {
        begin_open();
    } else {
        judge(outcome);
    }
}

void machine::begin_open() noexcept {
    state_ = phase::open;
    saw_record_ = true;
    if (std::exchange(finished_, false)) finish();  // said during the handshake
    if (!resumed() || !peer_verified()) return;
    // A session outlives nothing: what would be refused in a whole handshake by now is refused in a resumed one.
    const X509* const certificate = SSL_get0_peer_certificate(ssl_);
    if (certificate == nullptr || X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0) return;
    try {
        if (talk_->sessions != nullptr) talk_->sessions->forget(talk_->session_key);
        fail(explain_expired(*certificate));
    } catch (...) {
        fail(tls_errc::certificate_expired, {});
    }
}

machine::moved machine::decrypt(std::span<const std::byte> ciphertext, std::span<std::byte> plaintext) noexcept {
    if (state_ == phase::failed) return {};
    if (state_ == phase::peer_finished) return {.consumed = ciphertext.size()};  // what follows close_notify is nothing (RFC 8446, 6.1)
    try {
        if (!first_bytes_are_tls(ciphertext)) return {};
    } catch (...) {
        fail(tls_errc::peer_speaks_plain_text, {});
        return {};
    }
    if (ssl_ == nullptr && (ciphertext.empty() || !prepare_to_serve())) return {};
    bytes_->lend_input(ciphertext);
    if (state_ == phase::handshaking && wants_input()) shake_hands();
    std::size_t produced = 0;
    while (state_ == phase::open && produced < plaintext.size() && wants_input()) {
        const auto room = plaintext.subspan(produced);
        std::size_t got = 0;
        ERR_clear_error();
        const int outcome = SSL_read_ex(ssl_, room.data(), room.size(), &got);
        if (outcome != 1) {
            judge(outcome);
            break;
        }
        produced += got;
        MNET_ASSERT(produced <= plaintext.size(), "no more plaintext is given than there is room for");
    }
    const std::size_t consumed = ciphertext.size() - bytes_->input_left();
    bytes_->lend_input({});
    return {.consumed = consumed, .produced = produced};
}

machine::moved machine::encrypt(std::span<const std::byte> plaintext, std::span<std::byte> ciphertext) noexcept {
    return encrypt(std::span(&plaintext, 1), ciphertext);
}

machine::moved machine::encrypt(std::span<const std::span<const std::byte>> pieces, std::span<std::byte> ciphertext) noexcept {
    if (bytes_ == nullptr) return {};  // there was no memory to begin with
    bytes_->lend_output(ciphertext);
    plaintext_pieces left(pieces);
    const std::size_t given = left.bytes_left();
    const bool may_send = (state_ == phase::open || state_ == phase::peer_finished) && !finished_;
    while (may_send && left.bytes_left() > 0 && bytes_->waiting.empty() && bytes_->output_room() > 0) {
        std::size_t bytes = std::min(left.bytes_left(), record_bytes_max);
        if (const std::size_t room = bytes_->output_room(); room < bytes + record_overhead_max) {
            if (left.bytes_left() < given) break;  // the next call has room for a full record; this one has done something
            if (room >= short_record_bytes_min + record_overhead_max) bytes = room - record_overhead_max;
        }
        if (!write_record(left, bytes)) break;
    }
    return {.consumed = given - left.bytes_left(), .produced = bytes_->take_output_back()};
}

bool machine::write_record(plaintext_pieces& plaintext, std::size_t bytes) noexcept {
    if (++records_with_key_ > records_per_key_max) renew_keys();
    std::array<std::byte, record_bytes_max> gathered;
    const auto record = plaintext.next(bytes, gathered);
    std::size_t written = 0;
    ERR_clear_error();
    const int outcome = SSL_write_ex(ssl_, record.data(), record.size(), &written);
    if (outcome != 1) {
        judge(outcome);
        return false;
    }
    MNET_ASSERT(written == bytes, "the output takes everything, so a record is written whole");
    plaintext.advance(written);
    return true;
}

void machine::judge(int outcome) noexcept {
    const int verdict = SSL_get_error(ssl_, outcome);
    if (verdict == SSL_ERROR_WANT_READ || verdict == SSL_ERROR_WANT_WRITE) {
        if (SSL_get_state(ssl_) != TLS_ST_BEFORE && SSL_get_state(ssl_) != TLS_ST_CW_CLNT_HELLO) saw_record_ = true;
        return;
    }
    if (verdict == SSL_ERROR_ZERO_RETURN) {
        if (state_ == phase::handshaking) {
            fail(tls_errc::closed_during_handshake, "the peer sent close_notify");
        } else {
            state_ = phase::peer_finished;
        }
        return;
    }
    if (verdict == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {  // the bytes that wait could not grow: nothing else refuses OpenSSL
        fail(std::make_error_code(std::errc::not_enough_memory), {});
        return;
    }
    try {
        if (!is_server_ && state_ == phase::handshaking) talk_->sessions->forget(talk_->session_key);
        if (talk_->refusal.code) {
            ERR_clear_error();
            fail(std::move(talk_->refusal));
        } else {
            const moment before_open = saw_record_ ? moment::handshake : moment::first_record;
            fail(explain_failure(state_ == phase::handshaking ? before_open : moment::open));
        }
    } catch (...) {
        fail(tls_errc::library_failure, {});
    }
}

void machine::fail(std::error_code code, std::string_view words) noexcept {
    MNET_ASSERT(code, "a failure has a reason");
    if (state_ == phase::failed) return;
    state_ = phase::failed;
    failure_.code = code;
    try {
        failure_.words = words;
    } catch (...) {
        failure_.words.clear();  // no memory: the code has to do
    }
}

void machine::fail(problem found) noexcept {
    MNET_ASSERT(found.code, "a failure has a reason");
    if (state_ == phase::failed) return;
    state_ = phase::failed;
    failure_ = std::move(found);
}

void machine::finish() noexcept {
    if (finished_) return;
    finished_ = true;
    if (state_ == phase::handshaking || state_ == phase::failed) return;
    ERR_clear_error();
    if (const int outcome = SSL_shutdown(ssl_); outcome < 0) judge(outcome);
}

void machine::end_of_stream() noexcept {
    if (state_ == phase::handshaking) fail(tls_errc::closed_during_handshake, "the stream ended during the TLS handshake");
    if (state_ == phase::open) fail(errc::truncated, "the stream ended without TLS's close_notify: somebody may have cut it");
}

void machine::handshake_timed_out() noexcept {
    if (state_ == phase::handshaking) fail(tls_errc::handshake_too_slow, "the TLS handshake was not done by its deadline");
}

void machine::rest() noexcept {
    if (state_ == phase::failed || state_ == phase::handshaking) return;
    // Between two records only: before 3.0.14 OpenSSL frees a header that it has read without its body (CVE-2024-4741). Where anything
    // else is in the buffers it refuses by itself.
    if (std::string_view(SSL_rstate_string(ssl_)) == "RH" && SSL_has_pending(ssl_) == 0) SSL_free_buffers(ssl_);
    bytes_->waiting.release_memory();
}

void machine::renew_keys() noexcept {
    records_with_key_ = 0;
    if (state_ != phase::open || SSL_version(ssl_) != TLS1_3_VERSION) return;
    SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED);  // goes out with the next record
}

bool machine::has_output() const noexcept { return bytes_ != nullptr && !bytes_->waiting.empty(); }

bool machine::has_plaintext() const noexcept { return state_ == phase::open && SSL_pending(ssl_) > 0; }

bool machine::wants_input() const noexcept {
    return (state_ == phase::handshaking || state_ == phase::open) && (bytes_ == nullptr || bytes_->gives_input());
}

bool machine::peer_verified() const noexcept {
    return state_ != phase::handshaking && state_ != phase::failed && SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE &&
           SSL_get_verify_result(ssl_) == X509_V_OK && SSL_get0_peer_certificate(ssl_) != nullptr;
}

std::string machine::peer_name() const { return peer_verified() ? main_name_of(*SSL_get0_peer_certificate(ssl_)) : std::string(); }

bool machine::resumed() const noexcept { return ssl_ != nullptr && SSL_session_reused(ssl_) == 1; }

std::string_view machine::application_protocol() const noexcept {
    if (ssl_ == nullptr) return {};
    const unsigned char* name = nullptr;
    unsigned int bytes = 0;
    SSL_get0_alpn_selected(ssl_, &name, &bytes);
    return {reinterpret_cast<const char*>(name), bytes};
}

std::string_view machine::version_name() const noexcept { return ssl_ == nullptr ? std::string_view() : text_of(SSL_get_version(ssl_)); }

std::string_view machine::cipher_name() const noexcept { return ssl_ == nullptr ? std::string_view() : text_of(SSL_get_cipher_name(ssl_)); }

}  // namespace mnet::inline v1::tls
