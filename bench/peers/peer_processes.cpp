// Forking, pinning, ending, and the texts between the processes: see peer_processes.hpp.
#include "peer_processes.hpp"

#include "peer_program.hpp"
#include "plain_sockets.hpp"
#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <stdexcept>
#include <utility>

namespace mnet::bench::peers {

namespace {

std::string errno_text() { return std::strerror(errno); }

/// From here on this process ends with its starter.
void end_with(pid_t starter, int signal) noexcept {
    ::prctl(PR_SET_PDEATHSIG, signal);
    if (::getppid() != starter) ::_exit(0);
}

/// Runs `function` and ends the process with what it gives: buffers are written, what the parent registered is not run twice.
[[noreturn]] void finish_child(std::string_view name, const std::function<int()>& function) {
    int status = 1;
    try {
        status = function();
    } catch (const std::exception& error) {
        fmt::print(stderr, "{}: {}\n", name, error.what());
    }
    std::fflush(nullptr);
    ::_exit(status);
}

pid_t forked() {
    std::fflush(nullptr);
    const pid_t process = ::fork();
    if (process < 0) fail("no process", errno_text());
    return process;
}

}  // namespace

void control_channel::send(std::string_view text) {
    if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size()))
        throw std::runtime_error("the other side of the benchmark has ended");
}

std::string control_channel::receive() {
    std::array<char, 4096> text{};
    for (;;) {
        const ssize_t bytes = ::recv(socket_.get(), text.data(), text.size(), 0);
        if (bytes > 0) return {text.data(), static_cast<std::size_t>(bytes)};
        if (bytes < 0 && errno == EINTR) continue;
        throw std::runtime_error(bytes == 0 ? "the other side of the benchmark has ended" : errno_text());
    }
}

server_end::server_end(bool spin, const std::function<void(control_channel&)>& serve) : control_(base::unique_fd{}) {
    std::array<int, 2> ends{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) fail("no socket pair", errno_text());
    control_ = control_channel(base::unique_fd(ends[0]));
    base::unique_fd other(ends[1]);

    const auto processors = tool::allowed_processors();
    const bool apart = spin && processors.size() >= 2;
    const pid_t starter = ::getpid();
    process_ = forked();
    if (process_ == 0) {
        end_with(starter, SIGKILL);
        control_ = control_channel(base::unique_fd{});
        if (apart) tool::pin_to(processors.front());
        control_channel control(std::move(other));
        finish_child("server", [&] {
            serve(control);
            return 0;
        });
    }
    if (apart) tool::pin_to(processors.back());
}

server_end::~server_end() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);  // nothing in it is worth an orderly end: what was measured has been told
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

std::uint64_t server_end::cpu_ns() const {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(process_, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
        throw std::runtime_error("the server has ended");
    return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(used.tv_nsec);
}

std::uint64_t own_cpu_ns() noexcept {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(used.tv_nsec);
}

int in_child(std::string_view name, std::chrono::nanoseconds seconds, const std::function<int()>& function) {
    const pid_t starter = ::getpid();
    const pid_t process = forked();
    if (process == 0) {
        end_with(starter, SIGKILL);
        const auto measured = std::chrono::duration_cast<std::chrono::seconds>(seconds);
        ::alarm(static_cast<unsigned>((plain::patience + 10 * measured).count()));
        finish_child(name, function);
    }
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    const int signal = WTERMSIG(status);
    if (signal == SIGALRM)
        fmt::print(stderr, "{}: nothing arrived for too long, given up\n", name);
    else
        fmt::print(stderr, "{}: ended by signal {}\n", name, signal);
    return 1;
}

companion::companion(const std::vector<std::string>& command, const std::string& ready_line) {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("no pipe", errno_text());
    output_.reset(ends[0]);
    const base::unique_fd write_end(ends[1]);
    const pid_t starter = ::getpid();
    process_ = forked();
    if (process_ == 0) {
        end_with(starter, SIGTERM);
        ::dup2(write_end.get(), STDOUT_FILENO);
        ::dup2(write_end.get(), STDERR_FILENO);
        std::vector<char*> words;
        words.reserve(command.size() + 1);
        for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
        words.push_back(nullptr);
        ::execvp(words.front(), words.data());
        ::_exit(127);
    }

    std::string said;
    while (said.find(ready_line) == std::string::npos) {
        pollfd waited{.fd = output_.get(), .events = POLLIN, .revents = 0};
        std::array<char, 1024> text{};
        const bool something = ::poll(&waited, 1, static_cast<int>(std::chrono::milliseconds(plain::patience).count())) > 0;
        const ssize_t bytes = something ? ::read(output_.get(), text.data(), text.size()) : 0;
        if (bytes > 0)
            said.append(text.data(), static_cast<std::size_t>(bytes));
        else
            fail(command.front(), said.empty() ? "did not start" : said);
    }
}

companion::~companion() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

}  // namespace mnet::bench::peers
