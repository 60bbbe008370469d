// What a certificate says about itself, as text: whom it is for, whose it is, its dates. And whether a text is an IP address, or fits one
// of the names.
#pragma once
#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl.hpp"

namespace mnet::inline v1::tls {

/// The subject alternative names: DNS names, IP addresses, then e-mail addresses and URIs, in the certificate's order.
std::vector<std::string> names_of(const X509& certificate);

/// For people: the common name, else the whole of it ("O = Example, OU = Two"), else "(no name)".
std::string subject_of(const X509& certificate);
std::string issuer_of(const X509& certificate);

/// Who it is: its first name, else its common name.
std::string main_name_of(const X509& certificate);

std::chrono::sys_seconds valid_from(const X509& certificate) noexcept;
std::chrono::sys_seconds valid_until(const X509& certificate) noexcept;

/// "2026-11-22 17:00:00 UTC".
std::string text_of(std::chrono::sys_seconds time);

bool is_ip_address(std::string_view text);

/// Is `asked`, a DNS name, one of `names`? `*.example.org` covers one label (RFC 9525, section 6.3); case does not count.
bool covers(std::span<const std::string> names, std::string_view asked) noexcept;

}  // namespace mnet::inline v1::tls
