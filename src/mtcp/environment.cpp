// The kernel's world. The one place that names the engines, and that chooses among them.
#include "mtcp/environment.hpp"

#include "io/epoll/epoll_loop.hpp"
#include "io/uring/uring_loop.hpp"

#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// What MNET_ENGINE says to a program that does not choose itself.
result<engine> engine_of_the_environment() noexcept {
    const char* const text = ::secure_getenv("MNET_ENGINE");
    const std::string_view name = text != nullptr ? text : "auto";
    if (name == "auto") return engine::automatic;
    if (name == "epoll") return engine::epoll;
    if (name == "uring") return engine::uring;
    return failure(std::errc::invalid_argument);
}

result<made_loop> make_epoll(std::string reason) {
    auto made = io::make_epoll_loop();
    if (!made) return failure(made.error());
    return made_loop{*std::move(made), std::move(reason)};
}

result<made_loop> make_uring(job what, std::string reason) {
    std::string without;
    auto made = io::make_uring_loop(what == job::many_clients ? io::uring_for_many : io::uring_for_one, &without);
    if (!made) return failure(made.error());
    if (!without.empty()) reason += "; without " + without + ", which this kernel refuses";
    return made_loop{*std::move(made), std::move(reason)};
}

class kernel_environment final : public environment {
public:
    result<made_loop> make_loop(job what, engine wanted) const override {
        std::string reason = "asked for";
        if (wanted == engine::automatic) {
            const auto named = engine_of_the_environment();
            if (!named) return failure(named.error());
            wanted = *named;
            reason = "MNET_ENGINE asks for it";
        }
        if (wanted == engine::epoll) return make_epoll(std::move(reason));
        if (wanted == engine::uring) return make_uring(what, std::move(reason));
        if (what == job::one_client) return make_epoll("the faster one for a single client");
        auto preferred = make_uring(what, "the faster one for many clients");
        return preferred ? std::move(preferred) : make_epoll("no io_uring: " + preferred.error().message());
    }

    bool threads() const noexcept override { return true; }
};

}  // namespace

const environment& kernel() noexcept {
    static const kernel_environment only{};
    return only;
}

}  // namespace mnet::inline v1::mtcp::detail
