// System calls on sockets, each with its error; options that a kernel refuses are told from those that are needed.
#include "io/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace mnet::inline v1::io {

namespace {

result<> set_option(int descriptor, int level, int name, int value) noexcept {
    if (::setsockopt(descriptor, level, name, &value, sizeof value) != 0) return failure(last_error());
    return {};
}

result<base::unique_fd> open_socket(int family) noexcept {
    base::unique_fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) return failure(last_error());
    return socket;
}

bool is_tcp(int family) noexcept { return family == AF_INET || family == AF_INET6; }

const char* socket_path(const endpoint& where) noexcept { return reinterpret_cast<const sockaddr_un*>(where.data())->sun_path; }

/// A socket file outlives a listener that was killed: then a connect is refused, and the file may go.
bool is_abandoned(const endpoint& where) noexcept {
    if (!where.is_unix() || where.data()->sa_data[0] == '\0') return false;
    struct stat file{};  // a connect to what is no socket is refused, too
    if (::lstat(socket_path(where), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
    const auto probe = open_socket(AF_UNIX);
    return probe && ::connect(probe->get(), where.data(), where.length()) != 0 && errno == ECONNREFUSED;
}

}  // namespace

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

result<base::unique_fd> open_listener(const endpoint& where, const listen_settings& settings) noexcept {
    auto socket = open_socket(where.family());
    if (!socket) return socket;
    if (is_tcp(where.family())) {
        // Accepted sockets inherit TCP_NODELAY from the listening one, so that no accept pays for it.
        const int descriptor = socket->get();
        auto set = set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1);
        if (set) set = set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
        if (set && settings.reuse_port) set = set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
        if (!set) return failure(set.error());
    }
    if (::bind(socket->get(), where.data(), where.length()) != 0) {
        const std::error_code refused = last_error();
        if (refused != std::errc::address_in_use || !is_abandoned(where)) return failure(refused);
        if (::unlink(socket_path(where)) != 0 || ::bind(socket->get(), where.data(), where.length()) != 0) return failure(last_error());
    }
    if (::listen(socket->get(), settings.backlog) != 0) return failure(last_error());
    return socket;
}

result<base::unique_fd> open_stream(const endpoint& where) noexcept {
    auto socket = open_socket(where.family());
    if (!socket || !is_tcp(where.family())) return socket;
    if (auto set = set_option(socket->get(), IPPROTO_TCP, TCP_NODELAY, 1); !set) return failure(set.error());
    return socket;
}

bool is_of_this_host(const endpoint& where) noexcept {
    sockaddr_storage any_port{};
    std::memcpy(&any_port, where.data(), where.length());
    if (where.family() == AF_INET) {
        auto& version4 = reinterpret_cast<sockaddr_in&>(any_port);
        version4.sin_port = 0;
        if (ntohl(version4.sin_addr.s_addr) >> 24U == IN_LOOPBACKNET) return true;
    } else {
        reinterpret_cast<sockaddr_in6&>(any_port).sin6_port = 0;
    }
    const base::unique_fd probe(::socket(where.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return probe && ::bind(probe.get(), reinterpret_cast<const sockaddr*>(&any_port), where.length()) == 0;
}

result<endpoint> local_endpoint_of(int descriptor) noexcept {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return failure(last_error());
    return endpoint(reinterpret_cast<const sockaddr*>(&storage), length);
}

result<endpoint> remote_endpoint_of(int descriptor) noexcept {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return failure(last_error());
    return endpoint(reinterpret_cast<const sockaddr*>(&storage), length);
}

void apply(const stream_settings& settings, int descriptor) noexcept {
    // Each is a hint on how soon a dead peer is noticed; a kernel that refuses one keeps its own default.
    if (settings.keep_alive.count() > 0) {
        // Half of the time quiet, then three probes in the other half.
        const int total_seconds = static_cast<int>(std::max<std::chrono::milliseconds::rep>(settings.keep_alive.count() / 1000, 1));
        (void)set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
        (void)set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, std::max(total_seconds / 2, 1));
        (void)set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, std::max(total_seconds / 6, 1));
        (void)set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
    }
    if (settings.user_timeout.count() > 0) {
        (void)set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(settings.user_timeout.count()));
    }
}

void remove_socket_file(int descriptor) noexcept {
    const auto where = local_endpoint_of(descriptor);
    if (where && where->is_unix() && where->length() > sizeof(sa_family_t) && socket_path(*where)[0] != '\0') {
        (void)::unlink(socket_path(*where));
    }
}

std::size_t unacknowledged_bytes_of(int descriptor) noexcept {
    int bytes = 0;
    if (::ioctl(descriptor, SIOCOUTQ, &bytes) != 0 || bytes < 0) return 0;
    return static_cast<std::size_t>(bytes);
}

bool is_over(int descriptor) noexcept {
    tcp_info about{};
    socklen_t length = sizeof(about);
    return ::getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &about, &length) == 0 && about.tcpi_state == TCP_CLOSE;
}

}  // namespace mnet::inline v1::io
