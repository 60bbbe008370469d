// The two queues shared with the kernel: requests out, completions in. Set up for one thread (SINGLE_ISSUER), that alone lets the kernel work
// on requests (DEFER_TASKRUN): so between two calls of `enter` nothing is received, sent or completed behind its back.
//
// The thread is the one that enters first, not the one that opens: a loop is made on one thread and run on another.
#pragma once
#include "io/loop.hpp"

#include <liburing.h>

#include <chrono>
#include <cstdint>

namespace mnet::inline v1::io::uring {

/// A copy of what the kernel told: its place in the queue is free again.
struct completion {
    std::uint64_t user_data;
    std::int32_t result;
    std::uint32_t flags;

    bool more() const noexcept { return (flags & IORING_CQE_F_MORE) != 0; }
};

class ring {
public:
    struct sizes {
        unsigned requests;     // prepared at a time
        unsigned completions;  // what exceeds them costs an allocation in the kernel
    };

    explicit ring(counters& counted) noexcept : counted_(counted) {}
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    ~ring() { close(); }

    /// 0, or the errno of io_uring_setup.
    int open(const sizes& wanted) noexcept;

    /// The kernel cancels what it still holds.
    void close() noexcept;

    /// Whether the calling thread may enter: it was the first, or nobody was yet.
    bool is_mine() const noexcept { return open_ && (runner_ == nobody || runner_ == this_thread()); }

    bool is_open() const noexcept { return open_; }

    /// A request to fill in, that goes out with the next `enter`. Enters itself where all places are taken. Of a ring that is not open it goes
    /// nowhere.
    io_uring_sqe& prepare() noexcept;

    bool nothing_prepared() const noexcept { return !open_ || io_uring_sq_ready(&io_) == 0; }

    /// Hands over what was prepared, lets the kernel complete what it can, and sleeps first, for `span` at most, while there is nothing.
    void enter(std::chrono::nanoseconds span) noexcept;

    /// Whether an `enter` that does not sleep would find anything to do.
    bool has_work() const noexcept {
        return open_ && (__atomic_load_n(io_.sq.kflags, __ATOMIC_RELAXED) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
    }
    bool overflown() const noexcept { return open_ && io_uring_cq_has_overflow(&io_); }

    unsigned completions() const noexcept { return open_ ? io_uring_cq_ready(&io_) : 0; }

    /// The oldest completion, or nullptr. It stays until `drop`.
    const io_uring_cqe* peek() noexcept;
    void drop() noexcept { io_uring_cq_advance(&io_, 1); }

    io_uring& raw() noexcept { return io_; }

private:
    static constexpr std::uint64_t nobody = 0;
    static std::uint64_t this_thread() noexcept;
    static void await_notice() noexcept;
    void enable() noexcept;

    counters& counted_;
    io_uring io_{};
    bool open_ = false;
    std::uint64_t runner_ = nobody;
};

}  // namespace mnet::inline v1::io::uring
