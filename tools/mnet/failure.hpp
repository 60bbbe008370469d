// How a command of the tool ends when it can't go on: an exit code with its meaning, and a line for people. Thrown as an exception to
// main, which prints it; the library itself throws nothing.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace mnet::tool {

/// What scripts rely on (mnet(1), EXIT STATUS).
enum class exit_code : int {
    done = 0,
    lost = 1,         // something was not delivered, not answered, or failed on the way
    usage = 2,        // the command line, an address text included
    unreachable = 3,  // could not listen, could not connect
};

class failure_exit : public std::runtime_error {
public:
    failure_exit(exit_code code, const std::string& text) : std::runtime_error(text), code_(code) {}
    exit_code code() const noexcept { return code_; }

private:
    exit_code code_;
};

/// The reason in the middle of a line: without the capital letter that the C library begins with.
std::string reason_text(std::error_code reason);

/// `ADDRESS: reason`, with the exit code `code`; and the particulars in brackets, if there are any.
[[noreturn]] void fail(exit_code code, std::string_view address, std::error_code reason, std::string_view words = {});

/// The same for a listen or a connect that failed: `usage` when the address text is wrong, else `unreachable`.
[[noreturn]] void fail_to_reach(std::string_view address, std::error_code reason, std::string_view words = {});

}  // namespace mnet::tool
