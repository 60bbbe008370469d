// A server's certificates, as a snapshot that connections hold and a reload replaces: who began with the old one keeps it to the end, who
// comes later gets the new one. Nothing is dropped, and a file that is no good changes nothing.
#pragma once
#include <mnet/tls.hpp>

#include <chrono>
#include <memory>
#include <mutex>
#include <vector>

#include "tls/problem.hpp"

namespace mnet::inline v1::tls {

class server_snapshot;
struct file_stamp;

/// Thread: any, at the same time.
class server_context {
public:
    /// Errors: as `tls::server`.
    static outcome<std::shared_ptr<server_context>> make(const server_options& options, std::chrono::sys_seconds now);

    server_context(const server_context&) = delete;
    server_context& operator=(const server_context&) = delete;
    ~server_context();

    /// `now` is the wall clock's time, against which the certificates' dates are held.
    outcome<void> reload(std::chrono::sys_seconds now);
    outcome<bool> reload_if_changed(std::chrono::sys_seconds now);

    /// What a new connection takes. Never null.
    std::shared_ptr<const server_snapshot> snapshot() const noexcept;

    std::chrono::sys_seconds expires() const noexcept;

private:
    explicit server_context(const server_options& options);

    std::vector<file_stamp> look_at_files() const;

    const server_options options_;
    std::mutex reloading_;             // one reload at a time; guards the stamps
    std::vector<file_stamp> stamps_;   // of the files when they were last read, well or not
    mutable std::mutex current_lock_;  // guards `current_`, held for a copy of the pointer
    std::shared_ptr<const server_snapshot> current_;
};

}  // namespace mnet::inline v1::tls
