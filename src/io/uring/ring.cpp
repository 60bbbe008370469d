// Setting up, and entering the kernel.
#include "io/uring/ring.hpp"

#include "base/assert.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace mnet::inline v1::io::uring {

namespace {

/// Orders each ring behind those that ended before it. The kernel does so already, by giving their addresses away anew; but it is liburing
/// that asks it, by system calls of its own, and the thread sanitizer would take two rings of two threads for one.
std::atomic<unsigned> ended = 0;

}  // namespace

/// A number that no other thread ever has, unlike its std::thread::id.
std::uint64_t ring::this_thread() noexcept {
    static std::atomic<std::uint64_t> last = nobody;
    static thread_local std::uint64_t mine = nobody;
    if (mine == nobody) mine = ++last;
    return mine;
}

int ring::open(const sizes& wanted) noexcept {
    MNET_ASSERT(!open_, "a ring is opened once");
    io_uring_params parameters{};
    // Without these, Linux 6.1, completions come about at any moment and not only in `enter`, on which the loop's order of bytes rests.
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED | IORING_SETUP_TASKRUN_FLAG |
                       IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    parameters.cq_entries = wanted.completions;
    // See `await_notice`: the maker is a thread that does not live on.
    int outcome = 0;
    try {
        std::thread([&] { outcome = io_uring_queue_init_params(wanted.requests, &io_, &parameters); }).join();
    } catch (const std::system_error& refused) {
        return refused.code().value();
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
    if (outcome < 0) return -outcome;
    (void)ended.load(std::memory_order_acquire);
    open_ = true;
    runner_ = nobody;
    return 0;
}

void ring::close() noexcept {
    if (!open_) return;
    const bool ran_here = runner_ == this_thread();
    if (ran_here) {
        io_uring_sqe& everything = prepare();
        io_uring_prep_cancel64(&everything, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
        (void)io_uring_submit_and_get_events(&io_);
    }
    open_ = false;
    ended.fetch_add(1, std::memory_order_release);
    io_uring_queue_exit(&io_);
    if (ran_here) await_notice();
}

/// Some milliseconds after a ring's end the kernel interrupts each thread that has had to do with it, in whatever it waits then, as SIGCONT
/// would (signal(7), the last section). Programs take that for a failure, so it shall hit a wait of ours. The bound is for what could keep the
/// kernel from it.
void ring::await_notice() noexcept {
    sigset_t none;
    sigemptyset(&none);
    const timespec patience{.tv_sec = 0, .tv_nsec = 200'000'000};
    (void)::sigtimedwait(&none, nullptr, &patience);
}

void ring::enable() noexcept {
    if (runner_ != nobody) return;
    ++counted_.system_calls;
    // liburing 2.3 has io_uring_enable_rings(3), but not in its shared form.
    (void)io_uring_register(static_cast<unsigned>(io_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    runner_ = this_thread();
}

io_uring_sqe& ring::prepare() noexcept {
    static thread_local io_uring_sqe nowhere;
    if (!open_) return nowhere;
    for (;;) {
        if (io_uring_sqe* const free = io_uring_get_sqe(&io_)) return *free;
        enable();
        ++counted_.system_calls;
        (void)io_uring_submit(&io_);
    }
}

void ring::enter(std::chrono::nanoseconds span) noexcept {
    MNET_ASSERT(is_mine(), "a ring has one thread");
    enable();
    ++counted_.system_calls;
    ++counted_.waits;
    // Whatever it says (EINTR, ETIME, EAGAIN for want of memory): what was not done is done next time.
    if (span <= std::chrono::nanoseconds(0)) {
        (void)io_uring_submit_and_get_events(&io_);
    } else if (span == never) {
        (void)io_uring_submit_and_wait(&io_, 1);
    } else {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(span);
        __kernel_timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (span - seconds).count()};
        io_uring_cqe* first = nullptr;
        (void)io_uring_submit_and_wait_timeout(&io_, &first, 1, &timeout, nullptr);
    }
}

const io_uring_cqe* ring::peek() noexcept {
    if (!open_) return nullptr;
    unsigned head = 0;
    io_uring_cqe* found = nullptr;
    io_uring_for_each_cqe(&io_, head, found) return found;
    return nullptr;
}

}  // namespace mnet::inline v1::io::uring
