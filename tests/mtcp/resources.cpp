// Descriptors, memory, sleep: see resources.hpp.
#include "resources.hpp"

#include "channel.hpp"

#include <algorithm>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace mtcp_test {

namespace {

const std::size_t open_at_start = open_descriptors();

}  // namespace

std::size_t open_descriptors() {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) count += entry.path().empty() ? 0 : 1;
    return count - 1;  // the iterator's own
}

bool descriptors_of_earlier_tests_are_closed() {
    return eventually([] { return open_descriptors() <= open_at_start; });
}

std::size_t resident_bytes() {
    (void)::malloc_trim(0);
    std::size_t total_pages = 0;
    std::size_t resident_pages = 0;
    std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
    return resident_pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t voluntary_switches() {
    rusage used{};
    if (::getrusage(RUSAGE_SELF, &used) != 0) std::abort();
    return static_cast<std::uint64_t>(used.ru_nvcsw);
}

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) std::abort();
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) std::abort();
    return limit.rlim_cur;
}

no_descriptors::no_descriptors() {
    // All are taken. A lower limit would not do: an accept that the kernel already holds keeps to the one of when it was asked for.
    for (;;) {
        mnet::base::unique_fd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        if (!next) break;
        taken_.push_back(std::move(next));
    }
}

}  // namespace mtcp_test
