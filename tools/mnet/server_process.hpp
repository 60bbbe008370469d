// A server in a process of its own: this program again, as `mnet serve ...`, for as long as the object lives. It ends with its starter,
// however that ends.
#pragma once
#include "base/unique_fd.hpp"

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace mnet::tool {

class server_process {
public:
    /// Runs `mnet serve ARGUMENTS... --json`, on that processor only when one is given, and waits until it listens. Throws failure_exit with
    /// what it said when it doesn't.
    explicit server_process(const std::vector<std::string>& arguments, std::optional<int> processor = std::nullopt);

    server_process(server_process&& other) noexcept;
    server_process& operator=(server_process&&) = delete;

    /// As `stop`, and prints what it says.
    ~server_process();

    /// Where it listens.
    const std::string& address() const noexcept { return address_; }
    pid_t id() const noexcept { return process_; }

    /// SIGTERM, then SIGKILL when that did not end it in time. Gives what went wrong with it, empty when nothing did.
    std::string stop();

private:
    std::string read_address();
    std::string said() const;

    pid_t process_ = -1;
    base::unique_fd errors_{};  // what it wrote to stderr: shown only when it fails
    base::unique_fd lines_{};
    std::string address_{};
};

/// From now on SIGINT, SIGTERM and SIGHUP end the servers of this process first, then the process, with 128 + the signal's number.
void end_servers_on_signals();

}  // namespace mnet::tool
