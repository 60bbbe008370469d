// See names.hpp.
#include "tls/names.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace mnet::inline v1::tls {

namespace {

std::string text_of(const ASN1_STRING& value) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&value)), static_cast<std::size_t>(ASN1_STRING_length(&value))};
}

std::string address_text(const ASN1_OCTET_STRING& bytes) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    const int family = ASN1_STRING_length(&bytes) == 4 ? AF_INET : AF_INET6;
    const int wanted = family == AF_INET ? 4 : 16;
    if (ASN1_STRING_length(&bytes) != wanted) return "(no IP address)";
    if (::inet_ntop(family, ASN1_STRING_get0_data(&bytes), text.data(), static_cast<socklen_t>(text.size())) == nullptr) return {};
    return text.data();
}

/// What stands in a certificate is the peer's choice: nothing of it may change how a terminal or a log shows the rest.
std::string printable(std::string text) {
    std::ranges::replace_if(text, [](char letter) { return static_cast<unsigned char>(letter) < ' ' || letter == '\x7f'; }, '?');
    return text;
}

std::string name_text(const X509_NAME* name) {
    if (name == nullptr) return "(no name)";
    const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (index >= 0) return printable(text_of(*X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index))));
    const bio_owner memory(BIO_new(BIO_s_mem()));
    if (!memory || X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) <= 0) return "(no name)";
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(memory.get(), &data);
    return printable({data, static_cast<std::size_t>(bytes)});
}

std::chrono::sys_seconds time_of(const ASN1_TIME* time) noexcept {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
    return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

char lower(char letter) noexcept { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

bool equal_names(std::string_view one, std::string_view other) noexcept { return std::ranges::equal(one, other, {}, lower, lower); }

}  // namespace

std::vector<std::string> names_of(const X509& certificate) {
    std::vector<std::string> addresses;
    std::vector<std::string> others;
    std::vector<std::string> names;
    const general_names_owner all(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int index = 0; index < sk_GENERAL_NAME_num(all.get()); ++index) {
        const GENERAL_NAME& name = *sk_GENERAL_NAME_value(all.get(), index);
        if (name.type == GEN_DNS) names.push_back(printable(text_of(*name.d.dNSName)));
        if (name.type == GEN_IPADD) addresses.push_back(address_text(*name.d.iPAddress));
        if (name.type == GEN_EMAIL || name.type == GEN_URI) others.push_back(printable(text_of(*name.d.ia5)));
    }
    names.insert(names.end(), addresses.begin(), addresses.end());
    names.insert(names.end(), others.begin(), others.end());
    return names;
}

std::string subject_of(const X509& certificate) { return name_text(X509_get_subject_name(&certificate)); }

std::string issuer_of(const X509& certificate) { return name_text(X509_get_issuer_name(&certificate)); }

std::string main_name_of(const X509& certificate) {
    const auto names = names_of(certificate);
    return names.empty() ? subject_of(certificate) : names.front();
}

std::chrono::sys_seconds valid_from(const X509& certificate) noexcept { return time_of(X509_get0_notBefore(&certificate)); }

std::chrono::sys_seconds valid_until(const X509& certificate) noexcept { return time_of(X509_get0_notAfter(&certificate)); }

std::string text_of(std::chrono::sys_seconds time) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
    return text.data();
}

bool is_ip_address(std::string_view text) {
    const std::string terminated(text);
    std::array<unsigned char, 16> bytes{};
    return ::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1 || ::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1;
}

bool covers(std::span<const std::string> names, std::string_view asked) noexcept {
    const auto covers_one = [asked](std::string_view name) {
        if (equal_names(name, asked)) return true;
        const std::size_t dot = asked.find('.');
        return name.starts_with("*.") && dot != std::string_view::npos && dot > 0 && equal_names(name.substr(1), asked.substr(dot));
    };
    return std::ranges::any_of(names, covers_one);
}

}  // namespace mnet::inline v1::tls
