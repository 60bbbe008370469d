// Why io_uring can't be had: the kernel's error, with the step that it refused, as an error code whose message says both and what to do.
#pragma once
#include <system_error>

namespace mnet::inline v1::io::uring {

enum class step : int { set_up = 1, wake_up = 2 };

/// Compares equal to the std::errc of `error`, an errno.
std::error_code refusal(step at, int error) noexcept;

}  // namespace mnet::inline v1::io::uring
