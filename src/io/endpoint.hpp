// Where a socket is bound or goes: a socket address of the kernel (IPv4, IPv6, Unix path, Unix abstract), with its text.
// It resolves no names: that is the resolver's (mtcp/resolver.hpp).
#pragma once
#include <mnet/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <sys/socket.h>

namespace mnet::inline v1::io {

class endpoint {
public:
    endpoint() noexcept = default;
    endpoint(const sockaddr* address, socklen_t length) noexcept;

    /// A numeric IPv4 or IPv6 host (RFC 4291 text, a zone as in fe80::1%eth0 allowed) and a port.
    /// Errors: errc::invalid_address.
    static result<endpoint> numeric(std::string_view host, std::uint16_t port);

    /// A Unix socket: a path, or with `@` in front a name in the abstract namespace (unix(7)).
    /// Errors: errc::invalid_address (empty, or longer than the 107 bytes that the kernel takes).
    static result<endpoint> unix_socket(std::string_view path_or_name);

    /// The form that mnet::address reads back: `127.0.0.1:5050`, `[::1]:5050`, `unix:///path`, `unix://@name`.
    std::string text() const;

    int family() const noexcept { return storage_.ss_family; }
    bool is_unix() const noexcept { return family() == AF_UNIX; }
    std::uint16_t port() const noexcept;

    const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
    socklen_t length() const noexcept { return length_; }

    friend bool operator==(const endpoint& left, const endpoint& right) noexcept;

private:
    sockaddr_storage storage_{};
    socklen_t length_ = 0;
};

}  // namespace mnet::inline v1::io
