// What the records of TLS cost by themselves: OpenSSL's SSL_write and SSL_read of the same bytes as a stream of messages has, lengths
// included, on memory BIOs.
//
// In it: sealing and opening full records of 16 KiB, in TLS 1.3 with TLS_AES_128_GCM_SHA256 (what the library's connections choose), and
// OpenSSL's copies into the memory BIO and out of it. One thread does both, one after the other, 128 KiB at a time.
// Not in it: sockets and the kernel, a second process, finding and checking messages, the copy of a payload into its frame.
#pragma once
#include "measurement.hpp"

#include <mnet/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace mnet::bench {

class bare_tls {
public:
    /// Two ends that have shaken hands, with a certificate made for it that nobody verifies. Errors: std::errc::not_enough_memory,
    /// tls_errc::library_failure.
    static result<bare_tls> make();

    bare_tls(bare_tls&&) noexcept;
    bare_tls& operator=(bare_tls&&) = delete;
    ~bare_tls();

    /// `count` messages of `size` bytes; none is delivered where OpenSSL failed. The sender is SSL_write, the receiver SSL_read: they
    /// share the time that the thread has used as they share what passed.
    measurement measure(std::uint64_t count, std::size_t size);

private:
    struct ends;
    explicit bare_tls(std::unique_ptr<ends> made) noexcept;

    std::unique_ptr<ends> ends_;
};

}  // namespace mnet::bench
