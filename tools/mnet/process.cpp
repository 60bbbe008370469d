// Descriptors, signals, standard streams: see process.hpp.
#include "process.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include <fmt/format.h>

#include <cstdio>

namespace mnet::tool {

std::size_t raise_descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
    return limit.rlim_cur;
}

std::vector<int> allowed_processors() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    std::vector<int> numbers;
    if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return numbers;
    for (int number = 0; number < CPU_SETSIZE; ++number)
        if (CPU_ISSET(number, &allowed)) numbers.push_back(number);
    return numbers;
}

void pin_to(int processor) noexcept {
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(processor, &only);
    ::sched_setaffinity(0, sizeof(only), &only);
}

held_signals::held_signals() noexcept {
    ::sigemptyset(&held_);
    ::sigaddset(&held_, SIGINT);
    ::sigaddset(&held_, SIGTERM);
    ::pthread_sigmask(SIG_BLOCK, &held_, &before_);
}

int held_signals::wait() const noexcept {
    int taken = 0;
    while (::sigwait(&held_, &taken) != 0) {
    }
    return taken;
}

void held_signals::release() noexcept {
    if (holds_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    holds_ = false;
}

void print_line(std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

void print_error(std::string_view text) { fmt::print(stderr, "mnet: {}\n", text); }

}  // namespace mnet::tool
