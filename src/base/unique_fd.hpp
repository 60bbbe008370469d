// The owner of one file descriptor: closes it when it goes. Opens nothing and knows no kind of descriptor.
#pragma once
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace mnet::inline v1::base {

class [[nodiscard]] unique_fd {
public:
    unique_fd() noexcept = default;
    explicit unique_fd(int descriptor) noexcept : descriptor_(descriptor) {}
    unique_fd(unique_fd&& other) noexcept : descriptor_(other.release()) {}
    unique_fd& operator=(unique_fd&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~unique_fd() { reset(); }

    /// The descriptor, or -1 for none.
    int get() const noexcept { return descriptor_; }
    explicit operator bool() const noexcept { return descriptor_ >= 0; }

    /// Gives the descriptor to the caller, who closes it.
    [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

    /// Closes what was owned and owns `descriptor` from now on. Keeps errno, so that the error that led here can still be read. A close that
    /// is interrupted is not tried again: Linux has freed the number by then (close(2), "Dealing with error returns").
    void reset(int descriptor = -1) noexcept {
        const int previous = std::exchange(descriptor_, descriptor);
        if (previous < 0 || previous == descriptor) return;
        const int kept = errno;
        ::close(previous);
        errno = kept;
    }

private:
    int descriptor_ = -1;
};

}  // namespace mnet::inline v1::base
