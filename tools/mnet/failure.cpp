// Lines about failures: see failure.hpp.
#include "failure.hpp"

#include <mnet/error.hpp>

#include <fmt/format.h>

namespace mnet::tool {

std::string reason_text(std::error_code reason) {
    std::string text = reason.message();
    const auto upper = [](char letter) { return letter >= 'A' && letter <= 'Z'; };
    if (text.size() > 1 && upper(text[0]) && !upper(text[1])) text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

void fail(exit_code code, std::string_view address, std::error_code reason, std::string_view words) {
    std::string text = fmt::format("{}: {}", address, reason_text(reason));
    if (!words.empty()) text += fmt::format(" ({})", words);
    throw failure_exit(code, text);
}

void fail_to_reach(std::string_view address, std::error_code reason, std::string_view words) {
    fail(reason == errc::invalid_address ? exit_code::usage : exit_code::unreachable, address, reason, words);
}

}  // namespace mnet::tool
