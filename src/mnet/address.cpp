// The grammar of addresses, by hand: it is short, and getaddrinfo(3) takes much that isn't one.
#include <mnet/address.hpp>

#include <charconv>

namespace mnet::inline v1 {

namespace {

constexpr std::string_view tcp_scheme = "tcp://";
constexpr std::string_view tls_scheme = "tls://";
constexpr std::string_view unix_scheme = "unix://";
constexpr std::string_view shared_memory_scheme = "shm://";
constexpr std::size_t shared_memory_name_bytes_max = 96;
constexpr std::size_t unix_name_bytes_max = 107;  // sun_path less its final or first zero, unix(7)

result<address> parse_unix(std::string_view rest) {
    const bool abstract = rest.starts_with('@');
    if (abstract) rest.remove_prefix(1);
    const bool absolute = rest.starts_with('/');
    if (rest.empty() || rest.size() > unix_name_bytes_max || (!abstract && !absolute)) return failure(errc::invalid_address);
    if (rest.find('\0') != std::string_view::npos) return failure(errc::invalid_address);
    return address{.what = abstract ? address::kind::unix_abstract : address::kind::unix_path, .path = std::string(rest)};
}

result<address> parse_shared_memory(std::string_view name) {
    for (const char character : name) {
        const bool printable = character > ' ' && character < '\x7f';
        if (!printable || character == '/') return failure(errc::invalid_address);
    }
    if (name.empty() || name.size() > shared_memory_name_bytes_max) return failure(errc::invalid_address);
    return address{.what = address::kind::shared_memory, .path = std::string(name)};
}

result<std::uint16_t> parse_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return failure(errc::invalid_address);
    return port;
}

result<address> parse_tcp(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return failure(errc::invalid_address);
    const auto port = parse_port(text.substr(colon + 1));
    if (!port) return failure(port.error());
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[')) {
        if (!host.ends_with(']') || host.size() < 4) return failure(errc::invalid_address);
        host = host.substr(1, host.size() - 2);
        if (host.find(':') == std::string_view::npos || host.find_first_of("[]") != std::string_view::npos) {
            return failure(errc::invalid_address);
        }
    } else if (host.find_first_of(":[]") != std::string_view::npos) {
        return failure(errc::invalid_address);  // an IPv6 address without brackets: where would its port begin?
    }
    for (const char character : host) {
        const bool printable = character > ' ' && character < '\x7f';
        if (!printable || character == '/') return failure(errc::invalid_address);
    }
    return address{.what = address::kind::tcp, .host = std::string(host), .port = *port};
}

}  // namespace

result<address> address::parse(std::string_view text) {
    if (text.starts_with(unix_scheme)) return parse_unix(text.substr(unix_scheme.size()));
    if (text.starts_with(shared_memory_scheme)) return parse_shared_memory(text.substr(shared_memory_scheme.size()));
    if (text.starts_with(tls_scheme)) {
        auto beneath = parse_tcp(text.substr(tls_scheme.size()));
        if (beneath) beneath->tls = true;
        return beneath;
    }
    if (text.starts_with(tcp_scheme)) text.remove_prefix(tcp_scheme.size());
    return parse_tcp(text);
}

std::string address::text() const {
    if (what == kind::unix_path) return std::string(unix_scheme) + path;
    if (what == kind::unix_abstract) return std::string(unix_scheme) + "@" + path;
    if (what == kind::shared_memory) return std::string(shared_memory_scheme) + path;
    const bool brackets = host.find(':') != std::string::npos;
    return std::string(tls ? tls_scheme : "") + (brackets ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace mnet::inline v1
