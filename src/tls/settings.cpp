// The public handles: what they say of contexts, with the wall clock's time.
#include <mnet/tls.hpp>

#include "base/assert.hpp"
#include "tls/client_context.hpp"
#include "tls/server_context.hpp"

namespace mnet::inline v1::tls {

namespace {

std::chrono::sys_seconds now() noexcept { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

}  // namespace

result<void> server_settings::reload(std::string* words) const {
    MNET_ASSERT(context_ != nullptr, "only settings that were made from options are loaded again");
    return told(context_->reload(now()), words);
}

result<bool> server_settings::reload_if_changed(std::string* words) const {
    MNET_ASSERT(context_ != nullptr, "only settings that were made from options are loaded again");
    return told(context_->reload_if_changed(now()), words);
}

std::chrono::sys_seconds server_settings::expires() const noexcept {
    MNET_ASSERT(context_ != nullptr, "only settings that were made from options have a certificate");
    return context_->expires();
}

result<server_settings> server(const server_options& options, std::string* words) {
    auto made = told(server_context::make(options, now()), words);
    if (!made) return failure(made.error());
    return server_settings(std::move(*made));
}

result<client_settings> client(const client_options& options, std::string* words) {
    auto made = told(client_context::make(options, now()), words);
    if (!made) return failure(made.error());
    return client_settings(std::move(*made));
}

}  // namespace mnet::inline v1::tls
