// Starting and ending a server process: see server_process.hpp.
#include "server_process.hpp"

#include "failure.hpp"
#include "process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

namespace mnet::tool {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds start_timeout = 30s;
constexpr std::chrono::milliseconds stop_timeout = 10s;

/// The servers that run, for the signal handler. 0: a free place.
constinit std::array<std::atomic<pid_t>, 8> running{};
static_assert(std::atomic<pid_t>::is_always_lock_free);  // a signal handler reads them

void remember(pid_t process) noexcept {
    for (auto& place : running) {
        pid_t expected = 0;
        if (place.compare_exchange_strong(expected, process)) return;
    }
}
void forget(pid_t process) noexcept {
    for (auto& place : running) {
        pid_t expected = process;
        place.compare_exchange_strong(expected, 0);
    }
}

/// Waits for the end of a child by asking again and again: the way with a bound that is safe in a signal handler too.
bool ended_within(pid_t process, std::chrono::milliseconds limit, int& status) noexcept {
    constexpr auto step = 2ms;
    for (auto waited = 0ms; waited < limit; waited += step) {
        const pid_t found = ::waitpid(process, &status, WNOHANG);
        if (found == process || (found < 0 && errno != EINTR)) return true;
        const timespec pause{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(step).count()};
        ::nanosleep(&pause, nullptr);
    }
    return false;
}

void end_all(int signal) noexcept {
    for (auto& place : running)
        if (const pid_t process = place.load(); process > 0) ::kill(process, SIGTERM);
    for (auto& place : running) {
        const pid_t process = place.load();
        int status = 0;
        if (process <= 0 || ended_within(process, 2s, status)) continue;
        ::kill(process, SIGKILL);
        ::waitpid(process, &status, 0);  // so that none is left when this process is gone
    }
    constexpr std::string_view clear_line = "\r\x1b[K";
    if (::isatty(STDERR_FILENO) != 0 && ::write(STDERR_FILENO, clear_line.data(), clear_line.size()) < 0) {
    }
    ::_exit(128 + signal);
}

std::string no_process() { return fmt::format("no server process: {}", reason_text({errno, std::system_category()})); }

/// The child's part of the start: never returns.
[[noreturn]] void become_server(std::vector<char*>& arguments, std::optional<int> processor, pid_t starter, int lines,
                                int errors) noexcept {
    ::setpgid(0, 0);  // a Ctrl-C at the terminal is for the starter, who ends this process in order
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (processor) pin_to(*processor);
    if (::getppid() != starter) ::_exit(0);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing >= 0) ::dup2(nothing, STDIN_FILENO);
    ::dup2(lines, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    ::execv("/proc/self/exe", arguments.data());
    ::_exit(127);
}

}  // namespace

server_process::server_process(const std::vector<std::string>& arguments, std::optional<int> processor) {
    std::vector<std::string> words{"mnet", "serve", "--json"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    pointers.reserve(words.size() + 1);
    for (std::string& word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);

    std::array<int, 2> ends{-1, -1};
    errors_.reset(::memfd_create("mnet-serve-stderr", MFD_CLOEXEC));
    if (!errors_ || ::pipe2(ends.data(), O_CLOEXEC) != 0) throw failure_exit(exit_code::unreachable, no_process());
    lines_.reset(ends[0]);
    base::unique_fd write_end(ends[1]);

    const pid_t starter = ::getpid();
    process_ = ::fork();
    if (process_ == 0) become_server(pointers, processor, starter, write_end.get(), errors_.get());
    if (process_ < 0) throw failure_exit(exit_code::unreachable, no_process());
    remember(process_);
    write_end.reset();

    address_ = read_address();
    if (!address_.empty()) return;
    const std::string reason = stop();
    throw failure_exit(exit_code::unreachable, reason.empty() ? "the server process did not say where it listens" : reason);
}

server_process::server_process(server_process&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      errors_(std::move(other.errors_)),
      lines_(std::move(other.lines_)),
      address_(std::move(other.address_)) {}

server_process::~server_process() {
    if (const std::string wrong = stop(); !wrong.empty()) print_error(wrong);
}

std::string server_process::read_address() {
    const auto until = std::chrono::steady_clock::now() + start_timeout;
    std::string line;
    while (line.find('\n') == std::string::npos) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd waited{.fd = lines_.get(), .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || (::poll(&waited, 1, static_cast<int>(left.count())) < 0 && errno != EINTR)) return {};
        std::array<char, 1024> buffer{};
        const ssize_t bytes = ::read(lines_.get(), buffer.data(), buffer.size());
        if (bytes == 0 || (bytes < 0 && errno != EINTR)) return {};
        line.append(buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
    }
    const auto object = nlohmann::json::parse(line, nullptr, false);
    return object.is_object() ? object.value("listening", std::string()) : std::string();
}

std::string server_process::said() const {
    std::array<char, 64U << 10> text{};
    const ssize_t bytes = ::pread(errors_.get(), text.data(), text.size(), 0);
    std::string_view all(text.data(), static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
    constexpr std::string_view prefix = "mnet: ";
    if (all.starts_with(prefix)) all.remove_prefix(prefix.size());
    while (all.ends_with('\n')) all.remove_suffix(1);
    return std::string(all);
}

std::string server_process::stop() {
    if (process_ < 0) return {};
    const pid_t process = std::exchange(process_, -1);
    ::kill(process, SIGTERM);
    int status = 0;
    const bool ended = ended_within(process, stop_timeout, status);
    if (!ended) {
        ::kill(process, SIGKILL);
        ::waitpid(process, &status, 0);
    }
    forget(process);
    if (!ended) return "the server process did not end when it was told to, and was killed";
    if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM)) return {};
    std::string text = said();
    if (!text.empty()) return text;
    if (WIFSIGNALED(status)) return fmt::format("the server process was ended by signal {}", WTERMSIG(status));
    return fmt::format("the server process ended with status {}", WEXITSTATUS(status));
}

void end_servers_on_signals() {
    struct sigaction action{};
    action.sa_handler = end_all;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
}

}  // namespace mnet::tool
