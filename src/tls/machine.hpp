// TLS of one connection as a machine: bytes in, bytes out. Knows no socket, no thread and no deadline; the memory that it works on is lent
// by its caller for each call. OpenSSL does the cryptography (RFC 8446, RFC 5246), behind this header.
//
// How it is driven, by whoever has the socket:
//
//     begin:            machine tls(server.context()->snapshot());
//                       or machine tls(client.context(), "the host of the address", "host:port");
//                       drain (a client has output from the start)
//     drain:            while (tls.has_output()) send what encrypt({}, room) produced: handshake messages, alerts, key updates
//     bytes came:       decrypt(bytes, room) until all are consumed and has_plaintext() says no, with new room where that is full;
//                       then drain, then look at state(). Bytes that wants_input() refuses are offered again when the output has left
//     to send:          send what encrypt(plaintext, room) produced, keep what it did not consume: all of it while handshaking
//     half a close:     finish(), drain, shut the socket's sending side; reading goes on
//     the stream ended: end_of_stream(), then look at state()
//     failed:           drain (an alert tells the peer why), close; error() and words() say what happened
//
// One call to encrypt with all that there is fills records of 16 KiB; one with a small message makes a small record at once. So the
// caller lends its whole send window when it flushes, and nothing is ever held back here. Plaintext in several pieces (blocks of a queue)
// fills records, too, by the form that takes a list.
//
// Encrypt into room for several records (64 KiB and more) and the ciphertext is written where it leaves from; into less, part of a
// record waits in memory of the machine's own. In the steady state nothing of ours is allocated; OpenSSL 3.0 takes and gives back a few
// small pieces of memory a record (measured: four, for sealing and opening one).
// `rest()` gives OpenSSL's two buffers (about 33 KiB) back while a connection is idle: call it where windows are given back for long.
//
// A deadline for the handshake is the caller's: when it passes, `handshake_timed_out()`. A peer that asks and never reads costs
// 32 KiB and a record: while more waits to be sent, decrypt consumes nothing (`wants_input()`).
#pragma once
#include <mnet/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tls/problem.hpp"

struct ssl_st;  // OpenSSL's SSL

namespace mnet::inline v1::tls {

class client_context;
class lent_bytes;
class server_snapshot;
struct conversation;

/// The plaintext of a full record.
inline constexpr std::size_t record_bytes_max = 16 * 1024;

/// The most by which a record is longer than its plaintext: header, nonce, tag, content type.
inline constexpr std::size_t record_overhead_max = 32;

/// Thread: one at a time. Stays where it is: OpenSSL points into it.
class machine {
public:
    enum class phase : std::uint8_t {
        handshaking,
        open,
        peer_finished,  // close_notify came, and all plaintext before it was given out; sending goes on
        failed,         // for good: error()
    };

    struct moved {
        std::size_t consumed = 0;
        std::size_t produced = 0;
    };

    /// A server's end. It takes OpenSSL's memory (some 10 KiB, 50 KiB in a handshake) with the client's first bytes. Without memory:
    /// failed then, with std::errc::not_enough_memory.
    explicit machine(std::shared_ptr<const server_snapshot> settings) noexcept;

    /// A client's end. `host`: the name or IP address that the server's certificate has to be for, unless the settings name another.
    /// `peer`: whose sessions are resumed, "host:port". Failed from the start when there is no name to check.
    machine(std::shared_ptr<client_context> settings, std::string_view host, std::string_view peer) noexcept;

    machine(const machine&) = delete;
    machine& operator=(const machine&) = delete;
    ~machine();

    /// Takes ciphertext in, as far as `plaintext` has room for what is in it. Until the handshake is done it produces nothing.
    moved decrypt(std::span<const std::byte> ciphertext, std::span<std::byte> plaintext) noexcept;

    /// Gives out what waits, then takes plaintext as far as `ciphertext` has room for. Call with no plaintext to send what waits.
    /// It consumes plaintext when open or peer_finished, and not after `finish`.
    moved encrypt(std::span<const std::byte> plaintext, std::span<std::byte> ciphertext) noexcept;

    /// The same for plaintext in pieces; `consumed` counts over all of them.
    moved encrypt(std::span<const std::span<const std::byte>> pieces, std::span<std::byte> ciphertext) noexcept;

    /// This end sends no more: close_notify goes out after what was encrypted. During a handshake it waits
    /// until that is done.
    void finish() noexcept;

    /// The transport has no more bytes for `decrypt`. Failed by that: tls_errc::closed_during_handshake, or errc::truncated when
    /// close_notify did not come before.
    void end_of_stream() noexcept;

    /// The caller's deadline for the handshake passed. Failed by that with tls_errc::handshake_too_slow, if it is still handshaking.
    void handshake_timed_out() noexcept;

    /// Gives memory back that an idle connection does not need; the next byte takes it again.
    void rest() noexcept;

    /// From the next record on this end sends with fresh keys (TLS 1.3; nothing in 1.2). Comes by itself before a key is used up.
    void renew_keys() noexcept;

    /// Bytes wait for `encrypt`.
    bool has_output() const noexcept;

    /// Plaintext is decrypted and not yet given out: call `decrypt` with room, also without new ciphertext.
    bool has_plaintext() const noexcept;

    /// `decrypt` would take ciphertext in: not failed, not finished by the peer, and no more than 32 KiB wait to be sent.
    bool wants_input() const noexcept;

    phase state() const noexcept { return state_; }

    /// Why it failed: tls_errc, errc::truncated, std::errc::not_enough_memory. The words say the particulars: since when a certificate is
    /// expired, which name was asked for and which found, OpenSSL's reason.
    std::error_code error() const noexcept { return failure_.code; }
    const std::string& words() const noexcept { return failure_.words; }

    /// Whose verified certificate the peer showed: its first name. Empty when it showed none, or when nobody verified it.
    std::string peer_name() const;

    /// The certificate of the peer was verified: always for a client, unless insecure_accept_any_certificate; of a server's clients in
    /// mutual TLS.
    bool peer_verified() const noexcept;

    bool resumed() const noexcept;
    std::string_view application_protocol() const noexcept;  // the chosen one; empty for none
    std::string_view version_name() const noexcept;          // "TLSv1.3"
    std::string_view cipher_name() const noexcept;           // "TLS_AES_128_GCM_SHA256"

private:
    class plaintext_pieces;

    bool prepare(void* context) noexcept;
    bool prepare_to_serve() noexcept;
    bool aim_at(std::string_view host, std::string_view peer);
    bool first_bytes_are_tls(std::span<const std::byte> ciphertext);
    void shake_hands() noexcept;
    void begin_open() noexcept;
    bool write_record(plaintext_pieces& plaintext, std::size_t bytes) noexcept;
    void judge(int outcome) noexcept;
    void fail(std::error_code code, std::string_view words) noexcept;
    void fail(problem found) noexcept;

    phase state_ = phase::handshaking;
    bool is_server_;
    bool finished_ = false;    // `finish` was called
    bool saw_bytes_ = false;   // the first bytes were TLS
    bool saw_record_ = false;  // and so was a record
    std::uint64_t records_with_key_ = 0;
    problem failure_;
    std::shared_ptr<const server_snapshot> server_;
    std::shared_ptr<client_context> client_;
    std::unique_ptr<conversation> talk_;
    std::unique_ptr<lent_bytes> bytes_;
    ssl_st* ssl_ = nullptr;  // owned; freed before what it points to
};

}  // namespace mnet::inline v1::tls
