// sendmsg(2), recvmsg(2), unix(7).
#include "shm/meeting.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <utility>

namespace mnet::inline v1::shm {

namespace {

constexpr std::array<char, 8> magic{'m', 'n', 'e', 't', 's', 'h', 'm', '1'};

/// What goes over the socket, in one piece and in the host's byte order: both ends are on it.
struct letter {
    std::array<char, 8> magic;
    std::uint32_t refused;
    geometry sizes;
    std::array<char, 108> why;
};
static_assert(sizeof(letter) == 128);

std::error_code last_error() noexcept { return {errno, std::system_category()}; }

/// Room for one descriptor beside the bytes; the first word aligns it (cmsg(3)).
union ancillary {
    cmsghdr aligned;
    std::array<char, CMSG_SPACE(sizeof(int))> bytes;
};

result<> send_letter(int socket, const letter& what, int descriptor) noexcept {
    iovec bytes{.iov_base = const_cast<letter*>(&what), .iov_len = sizeof(what)};
    ancillary rights{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (descriptor >= 0) {
        message.msg_control = rights.bytes.data();
        message.msg_controllen = rights.bytes.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
    }
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return failure(last_error());
    if (sent != static_cast<ssize_t>(sizeof(what))) return failure(std::errc::no_buffer_space);
    return {};
}

/// The descriptors that came along, the first of them to the caller.
base::unique_fd descriptor_in(msghdr& message) noexcept {
    base::unique_fd found;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        for (std::size_t at = 0; at + CMSG_LEN(sizeof(int)) <= header->cmsg_len; at += sizeof(int)) {
            int descriptor = -1;
            std::memcpy(&descriptor, CMSG_DATA(header) + at, sizeof(descriptor));
            base::unique_fd owned(descriptor);
            if (!found) found = std::move(owned);
        }
    }
    return found;
}

}  // namespace

result<peer> peer_of(int socket) noexcept {
    ucred who{};
    socklen_t length = sizeof(who);
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0) return failure(last_error());
    return peer{.user = who.uid, .process = who.pid};
}

bool is_trusted(uid_t user, std::span<const uid_t> others) noexcept {
    return user == ::geteuid() || std::ranges::find(others, user) != others.end();
}

result<segment> offer(int socket, const geometry& sizes) noexcept {
    base::unique_fd descriptor;
    auto made = segment::make(sizes, descriptor);
    if (!made) return made;
    letter what{.magic = magic, .refused = 0, .sizes = sizes, .why = {}};
    if (auto sent = send_letter(socket, what, descriptor.get()); !sent) return failure(sent.error());
    return made;
}

void refuse(int socket, std::string_view why) noexcept {
    letter what{.magic = magic, .refused = 1, .sizes = {}, .why = {}};
    std::ranges::copy(why.substr(0, what.why.size() - 1), what.why.begin());
    (void)send_letter(socket, what, -1);
}

result<std::optional<segment>> take_offer(int socket, std::string& why) noexcept {
    letter what{};
    iovec bytes{.iov_base = &what, .iov_len = sizeof(what)};
    ancillary rights{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = rights.bytes.data();
    message.msg_controllen = rights.bytes.size();
    const ssize_t received = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) return std::optional<segment>{};
    if (received < 0) return failure(last_error());
    base::unique_fd descriptor = descriptor_in(message);
    if (received == 0) return failure(std::errc::connection_reset);
    if (received != static_cast<ssize_t>(sizeof(what)) || what.magic != magic) return failure(errc::protocol_violation);
    if (what.refused != 0) {
        what.why.back() = '\0';
        why = what.why.data();
        return failure(std::errc::connection_refused);
    }
    // Without the right there was no descriptor left for it here (EMFILE): the kernel dropped it and says MSG_CTRUNC.
    if (!descriptor)
        return failure((message.msg_flags & MSG_CTRUNC) != 0 ? std::errc::too_many_files_open : std::errc::bad_file_descriptor);
    auto opened = segment::open(what.sizes, std::move(descriptor));
    if (!opened) return failure(opened.error());
    return std::optional<segment>(*std::move(opened));
}

}  // namespace mnet::inline v1::shm
