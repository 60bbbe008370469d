// Every system call that the library makes by the C library, as the linker sends them here (ld(1), --wrap; the list is tests/torture/wrapped.txt):
// `wrapped_NAME` is what the library calls, `real_NAME` is the kernel's. Each fails as its page in the manual says that it can, where that can happen to us:
// not EAGAIN of a receive that was announced, for then no other announcement would follow.
//
// Also the threads that the library starts, and the pages that it maps are counted here.
#include "torture/strikes.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <span>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace {

template <int... Errors>
constexpr std::array<int, sizeof...(Errors)> errors{Errors...};

/// Sets errno when it has to fail.
bool fails(const char* name, void* caller, std::span<const int> possible) noexcept {
    const int error = torture::strikes(name, reinterpret_cast<std::uintptr_t>(caller), possible);
    if (error == 0) return false;
    errno = error;
    return true;
}

/// A connection that was reset is no more, for the other end neither.
int end(int socket) noexcept {
    if (errno != ECONNRESET) return -1;
    (void)::syscall(SYS_shutdown, socket, SHUT_RDWR);
    errno = ECONNRESET;
    return -1;
}

}  // namespace

// The names are the linker's; reserved ones, which is why they are given as such.
#define TORTURE_WRAP(type, name, parameters, arguments, failed, ...)                       \
    extern "C" type real_##name parameters asm("__real_" #name);                           \
    extern "C" type wrapped_##name parameters asm("__wrap_" #name);                        \
    type wrapped_##name parameters {                                                       \
        if (fails(#name, __builtin_return_address(0), errors<__VA_ARGS__>)) return failed; \
        return real_##name arguments;                                                      \
    }

TORTURE_WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol), -1, EMFILE, ENOMEM)
TORTURE_WRAP(int, bind, (int socket, const sockaddr* where, socklen_t length), (socket, where, length), -1, EADDRINUSE, EACCES)
TORTURE_WRAP(int, listen, (int socket, int backlog), (socket, backlog), -1, EADDRINUSE)
TORTURE_WRAP(int, accept4, (int socket, sockaddr* who, socklen_t* length, int flags), (socket, who, length, flags), -1, EMFILE, ENOMEM,
             EINTR, ECONNABORTED)
TORTURE_WRAP(int, connect, (int socket, const sockaddr* where, socklen_t length), (socket, where, length), -1, ECONNREFUSED, ENETUNREACH,
             EAGAIN)
TORTURE_WRAP(int, setsockopt, (int socket, int level, int option, const void* value, socklen_t length),
             (socket, level, option, value, length), -1, ENOMEM)
TORTURE_WRAP(int, getsockopt, (int socket, int level, int option, void* value, socklen_t* length), (socket, level, option, value, length),
             -1, ENOMEM)
TORTURE_WRAP(int, getsockname, (int socket, sockaddr* where, socklen_t* length), (socket, where, length), -1, ENOBUFS)
TORTURE_WRAP(int, getpeername, (int socket, sockaddr* where, socklen_t* length), (socket, where, length), -1, ENOTCONN)
TORTURE_WRAP(ssize_t, recv, (int socket, void* bytes, std::size_t length, int flags), (socket, bytes, length, flags), end(socket),
             ECONNRESET, ENOMEM, EINTR)
TORTURE_WRAP(ssize_t, send, (int socket, const void* bytes, std::size_t length, int flags), (socket, bytes, length, flags), end(socket),
             ECONNRESET, ENOBUFS, EINTR)
TORTURE_WRAP(ssize_t, recvmsg, (int socket, msghdr* message, int flags), (socket, message, flags), -1, ECONNRESET, ENOMEM, EINTR)
TORTURE_WRAP(ssize_t, sendmsg, (int socket, const msghdr* message, int flags), (socket, message, flags), -1, EPIPE, ENOBUFS, ETOOMANYREFS)
TORTURE_WRAP(int, shutdown, (int socket, int how), (socket, how), -1, ENOTCONN)
TORTURE_WRAP(int, epoll_create1, (int flags), (flags), -1, EMFILE, ENOMEM)
TORTURE_WRAP(int, epoll_wait, (int epoll, epoll_event* events, int count, int milliseconds), (epoll, events, count, milliseconds), -1,
             EINTR)
TORTURE_WRAP(int, eventfd, (unsigned count, int flags), (count, flags), -1, EMFILE, ENOMEM)
TORTURE_WRAP(int, poll, (pollfd * sockets, nfds_t count, int milliseconds), (sockets, count, milliseconds), -1, EINTR, ENOMEM)
TORTURE_WRAP(int, unlink, (const char* path), (path), -1, EACCES)
TORTURE_WRAP(int, stat, (const char* path, struct stat* found), (path, found), -1, EACCES)
TORTURE_WRAP(int, lstat, (const char* path, struct stat* found), (path, found), -1, EACCES)
TORTURE_WRAP(int, fstat, (int file, struct stat* found), (file, found), -1, ENOMEM)
TORTURE_WRAP(int, fstatfs, (int file, struct statfs* found), (file, found), -1, EINTR, ENOMEM)
TORTURE_WRAP(int, memfd_create, (const char* name, unsigned flags), (name, flags), -1, EMFILE, ENOMEM)
TORTURE_WRAP(int, ftruncate, (int file, off_t length), (file, length), -1, EFBIG)
TORTURE_WRAP(int, madvise, (void* from, std::size_t length, int advice), (from, length, advice), -1, EAGAIN)
TORTURE_WRAP(ssize_t, getrandom, (void* bytes, std::size_t length, unsigned flags), (bytes, length, flags), -1, EINTR, ENOSYS)
TORTURE_WRAP(int, sigtimedwait, (const sigset_t* which, siginfo_t* found, const timespec* longest), (which, found, longest), -1, EINTR)

// Those that do what was asked for, and complain all the same.
extern "C" int real_close(int descriptor) asm("__real_close");
extern "C" int wrapped_close(int descriptor) asm("__wrap_close");
int wrapped_close(int descriptor) {
    const int closed = real_close(descriptor);
    return fails("close", __builtin_return_address(0), errors<EINTR, EIO>) ? -1 : closed;
}

extern "C" int real_epoll_ctl(int epoll, int what, int descriptor, epoll_event* event) asm("__real_epoll_ctl");
extern "C" int wrapped_epoll_ctl(int epoll, int what, int descriptor, epoll_event* event) asm("__wrap_epoll_ctl");
int wrapped_epoll_ctl(int epoll, int what, int descriptor, epoll_event* event) {
    if (what == EPOLL_CTL_DEL) {
        const int done = real_epoll_ctl(epoll, what, descriptor, event);
        return fails("epoll_ctl", __builtin_return_address(0), errors<ENOENT>) ? -1 : done;
    }
    if (fails("epoll_ctl", __builtin_return_address(0), errors<ENOMEM, ENOSPC>)) return -1;
    return real_epoll_ctl(epoll, what, descriptor, event);
}

// With a variable argument.
extern "C" int real_fcntl(int descriptor, int what, ...) asm("__real_fcntl");
extern "C" int wrapped_fcntl(int descriptor, int what, ...) asm("__wrap_fcntl");
int wrapped_fcntl(int descriptor, int what, ...) {
    std::va_list more;
    va_start(more, what);
    const long value = va_arg(more, long);
    va_end(more);
    if (fails("fcntl", __builtin_return_address(0), errors<EMFILE>)) return -1;
    return real_fcntl(descriptor, what, value);
}

extern "C" int real_ioctl(int descriptor, unsigned long what, ...) asm("__real_ioctl");
extern "C" int wrapped_ioctl(int descriptor, unsigned long what, ...) asm("__wrap_ioctl");
int wrapped_ioctl(int descriptor, unsigned long what, ...) {
    std::va_list more;
    va_start(more, what);
    void* const value = va_arg(more, void*);
    va_end(more);
    if (fails("ioctl", __builtin_return_address(0), errors<ENOMEM>)) return -1;
    return real_ioctl(descriptor, what, value);
}

extern "C" int real_open(const char* path, int flags, ...) asm("__real_open");
extern "C" int wrapped_open(const char* path, int flags, ...) asm("__wrap_open");
int wrapped_open(const char* path, int flags, ...) {
    std::va_list more;
    va_start(more, flags);
    const unsigned mode = va_arg(more, unsigned);
    va_end(more);
    if (fails("open", __builtin_return_address(0), errors<EMFILE, EACCES>)) return -1;
    return real_open(path, flags, mode);
}

// Of eight bytes they are about an eventfd: a read of one that rings can't fail; a write can find that it rings already.
extern "C" ssize_t real_read(int file, void* bytes, std::size_t length) asm("__real_read");
extern "C" ssize_t wrapped_read(int file, void* bytes, std::size_t length) asm("__wrap_read");
ssize_t wrapped_read(int file, void* bytes, std::size_t length) {
    if (length == sizeof(std::uint64_t)) {
        return fails("read", __builtin_return_address(0), {}) ? -1 : real_read(file, bytes, length);
    }
    if (fails("read", __builtin_return_address(0), errors<EIO, EINTR>)) return -1;
    return real_read(file, bytes, length);
}

extern "C" ssize_t real_write(int file, const void* bytes, std::size_t length) asm("__real_write");
extern "C" ssize_t wrapped_write(int file, const void* bytes, std::size_t length) asm("__wrap_write");
ssize_t wrapped_write(int file, const void* bytes, std::size_t length) {
    if (length == sizeof(std::uint64_t)) {
        const ssize_t given = real_write(file, bytes, length);
        return fails("write", __builtin_return_address(0), errors<EAGAIN>) ? -1 : given;
    }
    if (fails("write", __builtin_return_address(0), errors<ENOSPC, EINTR>)) return -1;
    return real_write(file, bytes, length);
}

extern "C" int real_getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) asm("__real_getaddrinfo");
extern "C" int wrapped_getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) asm("__wrap_getaddrinfo");
int wrapped_getaddrinfo(const char* host, const char* port, const addrinfo* hints, addrinfo** found) {
    if (fails("getaddrinfo", __builtin_return_address(0), errors<ENOMEM, EMFILE>)) return errno == ENOMEM ? EAI_MEMORY : EAI_SYSTEM;
    return real_getaddrinfo(host, port, hints, found);
}

// Pages.
extern "C" void* real_mmap(void* where, std::size_t length, int rights, int flags, int file, off_t offset) asm("__real_mmap");
extern "C" void* wrapped_mmap(void* where, std::size_t length, int rights, int flags, int file, off_t offset) asm("__wrap_mmap");
void* wrapped_mmap(void* where, std::size_t length, int rights, int flags, int file, off_t offset) {
    if (fails("mmap", __builtin_return_address(0), errors<ENOMEM>)) return MAP_FAILED;
    void* const mapped = real_mmap(where, length, rights, flags, file, offset);
    if (mapped != MAP_FAILED) torture::count_mapped(static_cast<std::int64_t>(length));
    return mapped;
}

extern "C" int real_munmap(void* from, std::size_t length) asm("__real_munmap");
extern "C" int wrapped_munmap(void* from, std::size_t length) asm("__wrap_munmap");
int wrapped_munmap(void* from, std::size_t length) {
    torture::count_mapped(-static_cast<std::int64_t>(length));
    return real_munmap(from, length);
}

extern "C" void* real_mremap(void* from, std::size_t before, std::size_t after, int flags, ...) asm("__real_mremap");
extern "C" void* wrapped_mremap(void* from, std::size_t before, std::size_t after, int flags, ...) asm("__wrap_mremap");
void* wrapped_mremap(void* from, std::size_t before, std::size_t after, int flags, ...) {
    if (fails("mremap", __builtin_return_address(0), errors<ENOMEM>)) return MAP_FAILED;
    void* const moved = real_mremap(from, before, after, flags);
    if (moved != MAP_FAILED) torture::count_mapped(static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before));
    return moved;
}

// std::thread's constructor ends in here, out of line in the standard library.
#define TORTURE_START_THREAD "_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE"
void real_start_thread(std::thread* fresh, std::unique_ptr<std::thread::_State> work, void (*depend)()) asm("__real_" TORTURE_START_THREAD);
void wrapped_start_thread(std::thread* fresh, std::unique_ptr<std::thread::_State> work,
                          void (*depend)()) asm("__wrap_" TORTURE_START_THREAD);
void wrapped_start_thread(std::thread* fresh, std::unique_ptr<std::thread::_State> work, void (*depend)()) {
    if (fails("std::thread", __builtin_return_address(0), errors<EAGAIN>)) {
        throw std::system_error(EAGAIN, std::generic_category());  // as the standard library says it
    }
    real_start_thread(fresh, std::move(work), depend);
}
