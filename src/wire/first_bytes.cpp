// See first_bytes.hpp. Each pattern, read as a length, is above `length_max`: checked where it is written.
#include "wire/first_bytes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace mnet::inline v1::wire {

namespace {

constexpr std::uint32_t word(const char (&text)[header_bytes + 1]) noexcept {
    std::uint32_t value = 0;
    for (std::size_t index = 0; index < header_bytes; ++index) value = value << 8U | static_cast<unsigned char>(text[index]);
    return value;
}

// A TLSPlaintext record of type handshake (22), legacy_record_version 0x0300 to 0x030f, then the first byte of its length (RFC 8446, 5.1).
constexpr std::uint32_t tls_mask = 0xff'ff'f0'00;
constexpr std::uint32_t tls_handshake = 0x16'03'00'00;

// The first half of the signature 0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A (HAProxy, "The PROXY protocol", 2.2).
constexpr std::uint32_t proxy_v2 = word("\r\n\r\n");

// Methods of RFC 9110, 9.3, PATCH of RFC 5789, the preface of RFC 9113, 3.4, and the status line of a server.
constexpr std::array http = {word("GET "), word("HEAD"), word("POST"), word("PUT "), word("DELE"), word("CONN"),
                             word("OPTI"), word("TRAC"), word("PATC"), word("PRI "), word("HTTP")};

static_assert(tls_handshake > length_max && proxy_v2 > length_max && std::ranges::min(http) > length_max,
              "what is diagnosed can never be a length");

}  // namespace

errc diagnose_first_bytes(std::span<const std::byte, header_bytes> first) noexcept {
    const std::uint32_t start = load_length(first.data());
    if ((start & tls_mask) == tls_handshake) return errc::peer_speaks_tls;
    if (std::ranges::find(http, start) != http.end()) return errc::peer_speaks_http;
    if (start == proxy_v2) return errc::unexpected_proxy_header;
    return errc::message_too_large;
}

}  // namespace mnet::inline v1::wire
