// Reads and writes the socket addresses of endpoint.hpp. Parsing is inet_pton's, so that only whole, numeric hosts pass (no `127.1`,
// no names), and nothing here asks a resolver; only the zone of an IPv6 address is looked up, in the kernel's list of interfaces.
#include "io/endpoint.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <optional>
#include <sys/un.h>

namespace mnet::inline v1::io {
namespace {

constexpr std::size_t unix_name_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t unix_name_bytes_max = sizeof(sockaddr_un::sun_path) - 1;  // a path's end, or an abstract name's mark, takes one

/// sockaddr_storage is bytes that are read as what was written to them: copies instead of casts keep the aliasing rules.
template <typename Address>
Address read_as(const sockaddr* from) noexcept {
    Address address{};
    std::memcpy(&address, from, sizeof address);
    return address;
}

template <typename Address>
endpoint make(const Address& address, std::size_t length = sizeof(Address)) noexcept {
    return {reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)};
}

/// The bytes of sun_path that count: a path without its terminator, an abstract name with the zero in front, nothing when unnamed.
std::string unix_name(const endpoint& from) {
    if (from.length() <= unix_name_offset) return {};
    const auto address = read_as<sockaddr_un>(from.data());
    const std::size_t room = std::min<std::size_t>(from.length() - unix_name_offset, sizeof address.sun_path);
    const bool abstract = address.sun_path[0] == '\0';
    return {address.sun_path, abstract ? room : strnlen(address.sun_path, room)};
}

std::optional<std::uint32_t> zone_index(const std::string& zone) noexcept {
    if (zone.empty()) return std::nullopt;
    if (const unsigned int index = if_nametoindex(zone.c_str()); index != 0) return index;
    std::uint32_t number = 0;
    const char* const end = zone.data() + zone.size();
    const auto [stop, error] = std::from_chars(zone.data(), end, number);
    if (error != std::errc{} || stop != end || number == 0) return std::nullopt;
    return number;
}

std::string zone_text(std::uint32_t index) {
    std::array<char, IF_NAMESIZE> name{};
    if (if_indextoname(index, name.data()) != nullptr) return name.data();
    return std::to_string(index);
}

std::string host_text(const sockaddr_in& address) {
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, &address.sin_addr, text.data(), text.size());
    return text.data();
}

std::string host_text(const sockaddr_in6& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, &address.sin6_addr, text.data(), text.size());
    std::string host = text.data();
    if (address.sin6_scope_id != 0) host += '%' + zone_text(address.sin6_scope_id);
    return host;
}

}  // namespace

endpoint::endpoint(const sockaddr* address, socklen_t length) noexcept : length_(std::min<socklen_t>(length, sizeof storage_)) {
    if (length_ > 0) std::memcpy(&storage_, address, length_);
}

result<endpoint> endpoint::numeric(std::string_view host, std::uint16_t port) {
    if (host.find('\0') != host.npos) return failure(errc::invalid_address);
    const std::size_t percent = host.find('%');
    const std::string address_text(host.substr(0, percent));

    sockaddr_in version4{};
    if (percent == host.npos && inet_pton(AF_INET, address_text.c_str(), &version4.sin_addr) == 1) {
        version4.sin_family = AF_INET;
        version4.sin_port = htons(port);
        return make(version4);
    }

    sockaddr_in6 version6{};
    if (inet_pton(AF_INET6, address_text.c_str(), &version6.sin6_addr) != 1) return failure(errc::invalid_address);
    if (percent != host.npos) {
        const std::optional<std::uint32_t> zone = zone_index(std::string(host.substr(percent + 1)));
        if (!zone) return failure(errc::invalid_address);
        version6.sin6_scope_id = *zone;
    }
    version6.sin6_family = AF_INET6;
    version6.sin6_port = htons(port);
    return make(version6);
}

result<endpoint> endpoint::unix_socket(std::string_view path_or_name) {
    const bool abstract = path_or_name.starts_with('@');
    const std::string_view name = abstract ? path_or_name.substr(1) : path_or_name;
    if (name.empty() || name.size() > unix_name_bytes_max) return failure(errc::invalid_address);
    if (name.find('\0') != name.npos) return failure(errc::invalid_address);

    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + (abstract ? 1 : 0), name.data(), name.size());
    return make(address, unix_name_offset + name.size() + 1);
}

std::string endpoint::text() const {
    if (family() == AF_INET) return host_text(read_as<sockaddr_in>(data())) + ':' + std::to_string(port());
    if (family() == AF_INET6) return '[' + host_text(read_as<sockaddr_in6>(data())) + "]:" + std::to_string(port());
    if (!is_unix()) return {};
    std::string name = unix_name(*this);
    std::replace(name.begin(), name.end(), '\0', '@');  // as ss(8) and /proc/net/unix show them
    return "unix://" + name;
}

std::uint16_t endpoint::port() const noexcept {
    if (family() == AF_INET) return ntohs(read_as<sockaddr_in>(data()).sin_port);
    if (family() == AF_INET6) return ntohs(read_as<sockaddr_in6>(data()).sin6_port);
    return 0;
}

bool operator==(const endpoint& left, const endpoint& right) noexcept {
    if (left.family() != right.family() || left.port() != right.port()) return false;
    if (left.family() == AF_INET) {
        return read_as<sockaddr_in>(left.data()).sin_addr.s_addr == read_as<sockaddr_in>(right.data()).sin_addr.s_addr;
    }
    if (left.family() == AF_INET6) {
        const auto one = read_as<sockaddr_in6>(left.data());
        const auto other = read_as<sockaddr_in6>(right.data());
        return one.sin6_scope_id == other.sin6_scope_id && std::memcmp(&one.sin6_addr, &other.sin6_addr, sizeof one.sin6_addr) == 0;
    }
    return !left.is_unix() || unix_name(left) == unix_name(right);
}

}  // namespace mnet::inline v1::io
