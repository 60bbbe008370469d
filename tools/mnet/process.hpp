// This process as the system sees it: descriptors, signals, lines on its standard streams.
#pragma once
#include <csignal>
#include <cstddef>
#include <string_view>
#include <vector>

namespace mnet::tool {

/// Raises the soft bound on open descriptors to the hard one, as far as the system lets it; gives the bound in force.
std::size_t raise_descriptor_limit() noexcept;

/// The processors that this thread may run on, by number.
std::vector<int> allowed_processors();

/// From here on this thread, and what it starts, runs on that processor only. Safe between fork and exec.
void pin_to(int processor) noexcept;

/// SIGINT and SIGTERM, held back from this thread and from those that it starts, until `wait` takes one of them.
class held_signals {
public:
    held_signals() noexcept;
    held_signals(const held_signals&) = delete;
    held_signals& operator=(const held_signals&) = delete;
    ~held_signals() { release(); }

    int wait() const noexcept;

    /// From here on they do what they did before: a second Ctrl-C ends a drain that takes too long.
    void release() noexcept;

private:
    sigset_t held_{};
    sigset_t before_{};
    bool holds_ = true;
};

/// A whole line to stdout, at once: who reads it through a pipe doesn't wait for a buffer to fill.
void print_line(std::string_view line);

/// `mnet: text` to stderr.
void print_error(std::string_view text);

}  // namespace mnet::tool
