// An error of this room with its particulars: the code is for programs, the words are for people.
#pragma once
#include <mnet/error.hpp>

#include <expected>
#include <string>
#include <system_error>
#include <utility>

namespace mnet::inline v1::tls {

struct problem {
    std::error_code code{};
    std::string words{};
};

template <typename T>
using outcome = std::expected<T, problem>;

inline std::unexpected<problem> trouble(std::error_code code, std::string words) {
    return std::unexpected(problem{code, std::move(words)});
}

/// What a public function gives: the code alone, and the words where somebody asked for them.
template <typename T>
result<T> told(outcome<T> given, std::string* words) {
    if (given) {
        if constexpr (std::is_void_v<T>)
            return {};
        else
            return std::move(*given);
    }
    if (words != nullptr) *words = std::move(given.error().words);
    return failure(given.error().code);
}

}  // namespace mnet::inline v1::tls
