// getaddrinfo(3), and what can be known without it.
#include "mtcp/resolver.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <netdb.h>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

std::error_code resolver_error(int code) noexcept {
    switch (code) {
        case EAI_SYSTEM:
            return {errno, std::system_category()};
        case EAI_MEMORY:
            return std::make_error_code(std::errc::not_enough_memory);
        default:
            return std::make_error_code(std::errc::host_unreachable);
    }
}

}  // namespace

std::optional<result<endpoints>> resolve_at_once(const address& what, bool to_listen) {
    const auto only = [](result<io::endpoint> where) -> result<endpoints> {
        if (!where) return failure(where.error());
        return endpoints{*where};
    };
    if (what.what == address::kind::unix_path) return only(io::endpoint::unix_socket(what.path));
    if (what.what == address::kind::unix_abstract) return only(io::endpoint::unix_socket("@" + what.path));
    if (what.what == address::kind::shared_memory) return only(failure(std::errc::operation_not_supported));  // mtcp/sharing.hpp
    if (what.host.empty() || what.host == "localhost") {
        // localhost is always this host (RFC 6761, section 6.3), also where no hosts file says so. Without a host, :: listens on every
        // address of both families (ipv6(7)); 0.0.0.0 is for hosts without IPv6.
        const bool everywhere = what.host.empty() && to_listen;
        const std::string_view first = everywhere ? "::" : "127.0.0.1";
        const std::string_view second = everywhere ? "0.0.0.0" : "::1";
        return result<endpoints>(endpoints{*io::endpoint::numeric(first, what.port), *io::endpoint::numeric(second, what.port)});
    }
    if (auto numeric = io::endpoint::numeric(what.host, what.port)) return only(numeric);
    return std::nullopt;
}

result<endpoints> resolve_slowly(const address& what, bool to_listen) {
    if (auto known = resolve_at_once(what, to_listen)) return *std::move(known);
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | (to_listen ? AI_PASSIVE : AI_ADDRCONFIG);
    addrinfo* found = nullptr;
    int code = ::getaddrinfo(what.host.c_str(), std::to_string(what.port).c_str(), &hints, &found);
    if (code != 0 && !to_listen) {  // AI_ADDRCONFIG finds nothing on a host that has only loopback addresses
        hints.ai_flags = AI_NUMERICSERV;
        code = ::getaddrinfo(what.host.c_str(), std::to_string(what.port).c_str(), &hints, &found);
    }
    if (code != 0) return failure(resolver_error(code));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> given_back(found, ::freeaddrinfo);
    endpoints all;
    for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
        const io::endpoint where(entry->ai_addr, entry->ai_addrlen);
        bool known = false;
        for (const auto& other : all) known = known || other == where;
        if (!known) all.push_back(where);
    }
    if (all.empty()) return failure(std::errc::host_unreachable);
    // A listener takes one: of `localhost`, the one that clients are more likely to name by number.
    if (to_listen) std::ranges::sort(all, {}, [](const io::endpoint& where) { return where.family() != AF_INET; });
    return all;
}

result<> resolve_elsewhere(const address& what, std::shared_ptr<inbox> inbox, std::move_only_function<void(result<endpoints>)> done) {
    struct answer {  // made ahead: to tell that there is no memory takes none
        std::move_only_function<void(result<endpoints>)> done;
        result<endpoints> found = failure(std::errc::not_enough_memory);
    };
    // Detached, because nothing can interrupt the system's resolver: a loop that ends meanwhile leaves it behind, and its answer is dropped.
    try {
        auto told = std::make_shared<answer>(answer{.done = std::move(done)});
        std::thread([what, inbox = std::move(inbox), told = std::move(told)]() mutable {
            try {
                told->found = resolve_slowly(what, false);
            } catch (const std::bad_alloc&) {
                told->found = failure(std::errc::not_enough_memory);
            }
            inbox->post_patiently([told = std::move(told)] { told->done(std::move(told->found)); });
        }).detach();
    } catch (const std::system_error& refused) {
        return failure(refused.code());
    } catch (const std::bad_alloc&) {
        return failure(std::errc::not_enough_memory);
    }
    return {};
}

}  // namespace mnet::inline v1::mtcp::detail
