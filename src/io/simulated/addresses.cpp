// See addresses.hpp.
#include "io/simulated/addresses.hpp"

#include <cstddef>
#include <cstring>
#include <netinet/in.h>

namespace mnet::inline v1::io::simulated {

endpoint with_port(const endpoint& where, std::uint16_t port) noexcept {
    static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port));
    sockaddr_storage copy{};
    std::memcpy(&copy, where.data(), sizeof copy);
    const in_port_t in_network_order = htons(port);
    if (!where.is_unix())
        std::memcpy(reinterpret_cast<std::byte*>(&copy) + offsetof(sockaddr_in, sin_port), &in_network_order, sizeof port);
    return {reinterpret_cast<const sockaddr*>(&copy), where.length()};
}

bool is_wildcard(const endpoint& where) noexcept {
    sockaddr_storage any{};
    any.ss_family = static_cast<sa_family_t>(where.family());
    if (where.is_unix()) return false;
    return with_port(where, 0) == endpoint(reinterpret_cast<const sockaddr*>(&any), where.length());
}

bool collide(const endpoint& left, const endpoint& right) noexcept {
    if (left.family() != right.family() || left.port() != right.port()) return false;
    return left == right || is_wildcard(left) || is_wildcard(right);
}

bool reaches(const endpoint& target, const endpoint& bound) noexcept {
    if (target.family() != bound.family() || target.port() != bound.port()) return false;
    return target == bound || is_wildcard(bound);
}

endpoint unnamed() noexcept {
    sockaddr_storage none{};
    none.ss_family = AF_UNIX;
    return {reinterpret_cast<const sockaddr*>(&none), sizeof(sa_family_t)};
}

}  // namespace mnet::inline v1::io::simulated
