// Facts about the machine and this build: see machine.hpp.
#include "machine.hpp"

#include <sys/utsname.h>

#include <fmt/format.h>

#include <fstream>
#include <string_view>
#include <thread>

namespace mnet::tool {

namespace {

/// The first "model name" of proc(5) cpuinfo; other architectures than x86 have none.
std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("model name")) continue;
        const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
        return start == std::string::npos ? "unknown processor" : line.substr(start);
    }
    return "unknown processor";
}

constexpr std::string_view compiler() {
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "g++ " __VERSION__;
#endif
}

std::string build() {
    std::string text;
#if !defined(__OPTIMIZE__)
    text += ", not optimised";
#endif
#if MNET_CHECKED
    text += ", rules of use checked";
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    text += ", sanitized";
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    text += ", sanitized";
#endif
#endif
    return text.empty() ? text : text + ": no figures to compare with";
}

}  // namespace

std::vector<std::string> machine_lines() {
    utsname system{};
    ::uname(&system);
    return {fmt::format("{} x {}, {} {}", std::thread::hardware_concurrency(), processor(), system.sysname, system.release),
            fmt::format("mnet {}, {}{}", MNET_VERSION, compiler(), build())};
}

}  // namespace mnet::tool
