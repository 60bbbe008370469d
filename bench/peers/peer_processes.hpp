// The processes of a peer's program: one for each row, its server, and what the library wants to run beside them. Each ends with its starter,
// however that ends.
#pragma once
#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::bench::peers {

/// What client and server say to each other around the measured messages, each text as a whole. Throws std::runtime_error when the other
/// side is gone or silent for too long.
class control_channel {
public:
    explicit control_channel(base::unique_fd socket) noexcept : socket_(std::move(socket)) {}
    void send(std::string_view text);
    std::string receive();

private:
    base::unique_fd socket_;
};

/// A server in a child process.
class server_end {
public:
    /// Where both sides spin and there are two processors, the server gets one and this process the other, as with `mnet bench --spin`.
    server_end(bool spin, const std::function<void(control_channel&)>& serve);
    server_end(const server_end&) = delete;
    server_end& operator=(const server_end&) = delete;
    ~server_end();

    control_channel& control() noexcept { return control_; }
    pid_t id() const noexcept { return process_; }

    /// CPU time of all its threads.
    std::uint64_t cpu_ns() const;

private:
    control_channel control_;
    pid_t process_ = -1;
};

std::uint64_t own_cpu_ns() noexcept;

/// Runs `function` in a child process and gives what it returned; 1 when it threw or was ended. The child is given up when it takes far
/// longer than `seconds`, the measured time.
int in_child(std::string_view name, std::chrono::nanoseconds seconds, const std::function<int()>& function);

/// Another program beside this one, its standard output and errors thrown away; SIGTERM when the object goes. `ready` is asked until it says
/// so; throws std::runtime_error when it doesn't.
class companion {
public:
    companion(const std::vector<std::string>& command, const std::string& ready_line);
    companion(const companion&) = delete;
    companion& operator=(const companion&) = delete;
    ~companion();

private:
    pid_t process_ = -1;
    base::unique_fd output_{};
};

}  // namespace mnet::bench::peers
