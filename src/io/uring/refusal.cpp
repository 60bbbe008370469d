// The category behind `refusal`: a value is a step and an errno.
#include "io/uring/refusal.hpp"

#include <cerrno>
#include <string>

namespace mnet::inline v1::io::uring {

namespace {

constexpr int errors_max = 4096;  // an errno is below

class refusals final : public std::error_category {
public:
    const char* name() const noexcept override { return "io_uring"; }

    std::error_condition default_error_condition(int value) const noexcept override {
        return std::system_category().default_error_condition(value % errors_max);
    }

    std::string message(int value) const override {
        const int error = value % errors_max;
        const auto at = static_cast<step>(value / errors_max);
        const std::string why = std::system_category().message(error);
        if (at == step::wake_up) return "io_uring: no eventfd for its wake-ups: " + why;
        return "io_uring_setup: " + why + hint(error);
    }

private:
    static const char* hint(int error) noexcept {
        switch (error) {
            case ENOSYS:
                return " (the kernel is older than Linux 5.1, or a sandbox hides it)";
            case EPERM:
                return " (forbidden by kernel.io_uring_disabled or by a seccomp filter)";
            case EINVAL:
                return " (it needs Linux 6.1)";
            case ENOMEM:
                return " (memory, or RLIMIT_MEMLOCK)";
            default:
                return "";
        }
    }
};

}  // namespace

std::error_code refusal(step at, int error) noexcept {
    static const refusals category{};
    return {static_cast<int>(at) * errors_max + error, category};
}

}  // namespace mnet::inline v1::io::uring
