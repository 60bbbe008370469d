// See server_context.hpp.
#include "tls/server_context.hpp"

#include <utility>

#include "tls/pem.hpp"
#include "tls/server_snapshot.hpp"

namespace mnet::inline v1::tls {

server_context::server_context(const server_options& options) : options_(options) {}

server_context::~server_context() = default;

outcome<std::shared_ptr<server_context>> server_context::make(const server_options& options, std::chrono::sys_seconds now) {
    std::shared_ptr<server_context> context(new server_context(options));
    if (auto loaded = context->reload(now); !loaded) return std::unexpected(std::move(loaded.error()));
    return context;
}

std::vector<file_stamp> server_context::look_at_files() const {
    std::vector<file_stamp> stamps;
    const auto look_at = [&stamps](const std::string& path) {
        if (!path.empty()) stamps.push_back(stamp_of(path));
    };
    look_at(options_.certificate);
    look_at(options_.key);
    for (const certificate_files& more : options_.more_certificates) {
        look_at(more.certificate);
        look_at(more.key);
    }
    look_at(options_.client_authority);
    look_at(options_.revocation_list);
    return stamps;
}

outcome<void> server_context::reload(std::chrono::sys_seconds now) {
    const std::scoped_lock one_at_a_time(reloading_);
    stamps_ = look_at_files();  // before they are read: what changes meanwhile is another change
    auto fresh = server_snapshot::make(options_, now);
    if (!fresh) return std::unexpected(std::move(fresh.error()));
    const std::scoped_lock lock(current_lock_);
    current_ = std::move(*fresh);
    return {};
}

outcome<bool> server_context::reload_if_changed(std::chrono::sys_seconds now) {
    {
        const std::scoped_lock one_at_a_time(reloading_);
        if (look_at_files() == stamps_) return false;
    }
    if (auto loaded = reload(now); !loaded) return std::unexpected(std::move(loaded.error()));
    return true;
}

std::shared_ptr<const server_snapshot> server_context::snapshot() const noexcept {
    const std::scoped_lock lock(current_lock_);
    return current_;
}

std::chrono::sys_seconds server_context::expires() const noexcept { return snapshot()->expires(); }

}  // namespace mnet::inline v1::tls
