// io_uring: setting up, entering, and each request that is handed over. A request that has to fail leaves as one that does nothing but fail
// (IORING_OP_NOP with a result of ours, io_uring_enter(2); Linux 6.10), so that its completion comes from the kernel as every other does.
//
// Not touched: what cancels, which can only be too late, and enabling a ring, which fails by our own mistakes alone.
#include "torture/strikes.hpp"

#include <liburing.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <span>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr std::array of_receiving{ECONNRESET, ENOMEM, EINTR, ENOBUFS};
constexpr std::array of_sending{ECONNRESET, ENOMEM, EINTR, EAGAIN};
constexpr std::array of_accepting{EMFILE, ENOMEM, EINTR, ECONNABORTED};
constexpr std::array of_polling{ENOMEM, ECANCELED};
constexpr std::array of_entering{EINTR, EAGAIN};
constexpr std::array of_setting_up{ENOMEM, EPERM, EMFILE};
constexpr std::array of_registering{ENOMEM, EINVAL};

constexpr std::uint32_t inject_result = 1;  // IORING_NOP_INJECT_RESULT, newer than Debian 12's headers

struct kind {
    const char* name = nullptr;
    std::span<const int> errors{};
};

kind kind_of(const io_uring_sqe& request) noexcept {
    switch (request.opcode) {
        case IORING_OP_RECV:
            return {"io_uring: recv", of_receiving};
        case IORING_OP_SEND:
            return {"io_uring: send", of_sending};
        case IORING_OP_ACCEPT:
            return {"io_uring: accept", of_accepting};
        case IORING_OP_POLL_ADD:
            return {"io_uring: poll", of_polling};
        default:
            return {};
    }
}

void spoil(io_uring_sqe& request, int error) noexcept {
    const std::uint64_t user_data = request.user_data;
    if (error == ECONNRESET) (void)::syscall(SYS_shutdown, request.fd, SHUT_RDWR);  // and it is no more, for the other end neither
    request = {};
    request.opcode = IORING_OP_NOP;
    request.user_data = user_data;
    request.rw_flags = static_cast<int>(inject_result);
    request.len = static_cast<std::uint32_t>(-error);
}

/// A 0 is the code's address: what a request is asked for by is its kind and what it waits for.
void look_at_requests(io_uring& ring) noexcept {
    for (unsigned at = ring.sq.sqe_head; at != ring.sq.sqe_tail; ++at) {
        io_uring_sqe& request = ring.sq.sqes[at & ring.sq.ring_mask];
        const kind what = kind_of(request);
        if (what.name == nullptr) continue;
        const std::uintptr_t waits_for = request.opcode == IORING_OP_POLL_ADD ? request.poll32_events : request.opcode;
        if (const int error = torture::strikes(what.name, waits_for, what.errors); error != 0) spoil(request, error);
    }
}

int refused(const char* name, void* caller, std::span<const int> errors) noexcept {
    return -torture::strikes(name, reinterpret_cast<std::uintptr_t>(caller), errors);
}

}  // namespace

extern "C" {
int real_init(unsigned entries, io_uring* ring, io_uring_params* parameters) asm("__real_io_uring_queue_init_params");
int wrapped_init(unsigned entries, io_uring* ring, io_uring_params* parameters) asm("__wrap_io_uring_queue_init_params");
int real_register(io_uring* ring, io_uring_buf_reg* what, unsigned flags) asm("__real_io_uring_register_buf_ring");
int wrapped_register(io_uring* ring, io_uring_buf_reg* what, unsigned flags) asm("__wrap_io_uring_register_buf_ring");
int real_submit(io_uring* ring) asm("__real_io_uring_submit");
int wrapped_submit(io_uring* ring) asm("__wrap_io_uring_submit");
int real_get_events(io_uring* ring) asm("__real_io_uring_submit_and_get_events");
int wrapped_get_events(io_uring* ring) asm("__wrap_io_uring_submit_and_get_events");
int real_wait(io_uring* ring, unsigned count) asm("__real_io_uring_submit_and_wait");
int wrapped_wait(io_uring* ring, unsigned count) asm("__wrap_io_uring_submit_and_wait");
int real_wait_for(io_uring* ring, io_uring_cqe** first, unsigned count, __kernel_timespec* longest,
                  sigset_t* signals) asm("__real_io_uring_submit_and_wait_timeout");
int wrapped_wait_for(io_uring* ring, io_uring_cqe** first, unsigned count, __kernel_timespec* longest,
                     sigset_t* signals) asm("__wrap_io_uring_submit_and_wait_timeout");
}

int wrapped_init(unsigned entries, io_uring* ring, io_uring_params* parameters) {
    const int error = refused("io_uring_setup", __builtin_return_address(0), of_setting_up);
    return error != 0 ? error : real_init(entries, ring, parameters);
}

int wrapped_register(io_uring* ring, io_uring_buf_reg* what, unsigned flags) {
    const int error = refused("io_uring_register_buf_ring", __builtin_return_address(0), of_registering);
    return error != 0 ? error : real_register(ring, what, flags);
}

int wrapped_submit(io_uring* ring) {
    look_at_requests(*ring);
    const int error = refused("io_uring_enter", __builtin_return_address(0), of_entering);
    return error != 0 ? error : real_submit(ring);
}

int wrapped_get_events(io_uring* ring) {
    look_at_requests(*ring);
    const int error = refused("io_uring_enter", __builtin_return_address(0), of_entering);
    return error != 0 ? error : real_get_events(ring);
}

int wrapped_wait(io_uring* ring, unsigned count) {
    look_at_requests(*ring);
    const int error = refused("io_uring_enter", __builtin_return_address(0), of_entering);
    return error != 0 ? error : real_wait(ring, count);
}

int wrapped_wait_for(io_uring* ring, io_uring_cqe** first, unsigned count, __kernel_timespec* longest, sigset_t* signals) {
    look_at_requests(*ring);
    const int error = refused("io_uring_enter", __builtin_return_address(0), of_entering);
    return error != 0 ? error : real_wait_for(ring, first, count, longest, signals);
}
