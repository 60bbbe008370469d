// Bytes as people write them in specifications: `hex("00000001 61")`.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

namespace support {

/// Two digits a byte, blanks anywhere between bytes; anything else aborts the test.
inline std::vector<std::byte> hex(std::string_view text) {
    const auto digit = [](char letter) -> unsigned {
        if (letter >= '0' && letter <= '9') return static_cast<unsigned>(letter - '0');
        if (letter >= 'a' && letter <= 'f') return static_cast<unsigned>(letter - 'a') + 10;
        if (letter >= 'A' && letter <= 'F') return static_cast<unsigned>(letter - 'A') + 10;
        std::abort();
    };
    std::vector<std::byte> result;
    for (std::size_t index = 0; index < text.size();) {
        if (text[index] == ' ') {
            ++index;
            continue;
        }
        if (index + 1 == text.size()) std::abort();
        result.push_back(static_cast<std::byte>(digit(text[index]) << 4U | digit(text[index + 1])));
        index += 2;
    }
    return result;
}

inline std::vector<std::byte> to_bytes(std::string_view text) {
    const auto view = std::as_bytes(std::span(text));
    return {view.begin(), view.end()};
}

}  // namespace support
