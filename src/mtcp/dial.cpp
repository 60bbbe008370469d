// Resolving and trying, written twice where waiting differs: running a private loop, and awaiting on a shared one.
#include "mtcp/dial.hpp"

#include "base/assert.hpp"
#include "mtcp/resolver.hpp"
#include "mtcp/sharing.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// Ids of connected clients, unique in the process: the one thing here that all of them share.
std::uint64_t next_client_id() noexcept {
    static std::atomic<std::uint64_t> last = 0;
    return ++last;
}

/// What the resolver's thread hands back; whoever asked may be gone by then.
struct resolution {
    std::optional<result<endpoints>> found{};
    wait* waiting = nullptr;
};

result<std::shared_ptr<resolution>> begin_resolving(worker& where, const address& what) {
    auto state = std::make_shared<resolution>();
    state->found = resolve_at_once(what, false);
    if (state->found) return state;
    auto asked = resolve_elsewhere(what, where.mail(), [state, &where](result<endpoints> found) {
        state->found = std::move(found);
        if (state->waiting != nullptr) state->waiting->finish(where, {});
    });
    if (!asked) return failure(asked.error());
    return state;
}

result<endpoints> resolve(worker& where, const address& what, std::chrono::nanoseconds due, const std::stop_token* stop) {
    auto begun = begin_resolving(where, what);
    if (!begun) return failure(begun.error());
    std::optional<std::stop_callback<stop_signal>> on_stop;
    if (stop != nullptr) on_stop.emplace(*stop, stop_signal{where.mail().get()});
    while (!(*begun)->found) {
        if (stop != nullptr && stop->stop_requested()) return failure(std::errc::operation_canceled);
        if (where.loop().now() >= due) return failure(std::errc::timed_out);
        where.loop().run_once(due);
    }
    return *std::move((*begun)->found);
}

/// Awaits a resolution; a class of its own, so that nothing is left behind when its coroutine is destroyed.
class resolving {
public:
    resolving(worker& where, std::shared_ptr<resolution> state, const operation& op) : state_(std::move(state)), op_(op), where_(where) {}
    resolving(const resolving&) = delete;
    resolving& operator=(const resolving&) = delete;
    ~resolving() {
        state_->waiting = nullptr;
        wait_.abandon();
    }

    bool await_ready() const noexcept { return state_->found.has_value(); }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        state_->waiting = &wait_;
        return wait_.begin(where_, handle, op_);
    }
    result<endpoints> await_resume() {
        state_->waiting = nullptr;
        if (!state_->found) return failure(wait_.outcome());
        return *std::move(state_->found);
    }

private:
    std::shared_ptr<resolution> state_;
    operation op_;
    worker& where_;
    wait wait_{};
};

/// Awaits one attempt to connect.
class opening {
public:
    opening(connection& target, const io::endpoint& where, const operation& op) noexcept : target_(target), where_(where), op_(op) {}
    opening(const opening&) = delete;
    opening& operator=(const opening&) = delete;
    ~opening() {
        if (handle_) target_.abandon(handle_);
    }

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> handle) noexcept {
        handle_ = handle;
        return target_.start_open(where_, handle, op_);
    }
    result<> await_resume() noexcept {
        handle_ = {};
        return target_.finish_open();
    }

private:
    connection& target_;
    const io::endpoint& where_;
    operation op_;
    std::coroutine_handle<> handle_{};
};

/// Whom to look for before connecting to `where`; nobody, when memory isn't wanted or can't be shared.
acquaintance beside(const io::endpoint& where, const worker& host, sharing wanted, const beside_tcp& beside) {
    if (wanted == sharing::off || !host.loop().has_descriptors()) return {};
    return acquaintance_at(where, beside.trusted_user);
}

result<acquaintance> acquaintance_named(const address& what, const beside_tcp& beside) {
    auto place = meeting_place_named(what.path);
    if (!place) return failure(place.error());
    return acquaintance{.places = {*place}, .address = what.text(), .trusted_user = beside.trusted_user};
}

constexpr std::string_view not_of_this_host = "the server is not on this host";

/// What TLS there is to be with the server of an address: none; that of the options; that of the dial before; or the system's authorities.
result<far_end> far_end_of(const address& what, const carrying& how, const far_end& before) {
    if (!how.tls && !what.tls) return far_end{};
    if (what.what == address::kind::shared_memory || how.beside.wanted == sharing::required) return failure(std::errc::invalid_argument);
    far_end end{.tls = how.tls ? how.tls : before.tls, .host = what.host, .place = what.text()};
    if (end.host.empty() && what.what == address::kind::tcp) end.host = "localhost";
    if (!end.tls) {
        auto settings = tls::client({}, how.words);
        if (!settings) return failure(settings.error());
        end.tls = settings->context();
    }
    return end;
}

/// Whether there is no use in trying the next endpoint.
bool is_final(const connection& attempt, std::error_code why) noexcept {
    return attempt.is_guarded() || why == std::errc::timed_out || why == std::errc::operation_canceled;
}

void tell(const carrying& how, std::string words) {
    if (how.words != nullptr) *how.words = std::move(words);
}

operation until(worker& where, std::chrono::nanoseconds due) noexcept { return {.deadline = within(due - where.loop().now())}; }

}  // namespace

limits limits_of(const connect_options& options) noexcept {
    return limits{.message_bytes_max = options.message_bytes_max,
                  .unsent_bytes_max = options.unsent_bytes_max,
                  .dead_after = options.dead_after,
                  .spin = options.spin,
                  .handshake_timeout = options.handshake_timeout}
        .in_range();
}

carrying carrying_of(const connect_options& options) noexcept {
    return {.beside = {.wanted = options.shared_memory, .trusted_user = options.shared_memory_user},
            .tls = options.tls != nullptr ? options.tls->context() : nullptr,
            .words = options.words};
}

std::chrono::nanoseconds dial_span(const connect_options& options) noexcept {
    return options.dead_after.count() > 0 ? std::min(options.dial_timeout, options.dead_after) : options.dial_timeout;
}

result<> dial(connection& target, std::string_view text, std::chrono::nanoseconds span, const carrying& how, const operation& op) {
    auto parsed = address::parse(text);
    if (!parsed) return failure(parsed.error());
    worker& where = target.host();
    const auto now = where.loop().now();
    const auto due = std::min(now + span, op.deadline.from(now));
    auto end = far_end_of(*parsed, how, target.aimed_at());
    if (!end) return failure(end.error());
    const auto sharing = sharing_in_force(end->tls ? sharing::off : how.beside.wanted);
    if (!sharing) return failure(sharing.error());
    target.aim(*std::move(end));
    std::string why;
    const auto open_beside = [&](const acquaintance& whom) -> result<> {
        auto together = meet(whom, where.loop(), due, op.stop, why);
        if (!together) return failure(together.error());
        return target.share(*std::move(together));
    };
    if (parsed->what == address::kind::shared_memory) {
        const auto whom = acquaintance_named(*parsed, how.beside);
        auto opened = whom ? open_beside(*whom) : failure(whom.error());
        if (!opened) tell(how, why);
        return opened;
    }
    auto found = resolve(where, *parsed, due, op.stop);
    if (!found) return failure(found.error());
    result<> opened = failure(std::errc::host_unreachable);
    for (const io::endpoint& endpoint : *found) {
        why = not_of_this_host;
        if (const auto whom = beside(endpoint, where, *sharing, how.beside); !whom.places.empty()) {
            opened = open_beside(whom);
            if (opened || opened.error() == std::errc::operation_canceled) return opened;
        }
        if (*sharing == sharing::required) continue;
        if (*sharing == sharing::automatic) target.remember_why_not_shared(why);
        opened = target.open(endpoint, due, op.stop);
        if (opened || is_final(target, opened.error())) break;
    }
    if (!opened) tell(how, *sharing == sharing::required ? why : target.tls_words());
    return opened;
}

result<client> dial_blocking(const environment& world, std::string_view text, const connect_options& options, const operation& op) {
    auto made = world.make_loop(job::one_client, options.engine);
    if (!made) return failure(made.error());
    const limits limits = limits_of(options);
    auto own = std::make_unique<worker>(std::move(made->loop), worker::kind::private_loop, limits, nullptr);
    auto* const target = new connection(*own, next_client_id(), connection::role::owned, connection::shape::direct, limits);
    target->adopt(std::move(own));
    client fresh = client_access::make(*target);
    const carrying how = carrying_of(options);
    target->remember_dial(std::string(text), dial_span(options), how);
    if (auto opened = dial(*target, text, dial_span(options), how, op); !opened) return failure(opened.error());
    return fresh;
}

task<result<client>> dial_on(worker& where, std::string text, limits limits, std::chrono::nanoseconds span, carrying how) {
    auto parsed = address::parse(text);
    if (!parsed) co_return failure(parsed.error());
    const auto due = where.loop().now() + span;
    const result<far_end> end = far_end_of(*parsed, how, {});
    if (!end) co_return failure(end.error());
    const auto sharing = sharing_in_force(end->tls ? sharing::off : how.beside.wanted);
    if (!sharing) co_return failure(sharing.error());
    const auto make = [&where, &limits] {
        return new connection(where, next_client_id(), connection::role::owned, connection::shape::direct, limits);
    };
    std::string why;
    if (parsed->what == address::kind::shared_memory) {
        auto whom = acquaintance_named(*parsed, how.beside);
        if (!whom) co_return failure(whom.error());
        task<result<met>> meeting = meet_on(where, *std::move(whom), due, why);
        result<met> together = co_await std::move(meeting);
        if (!together) {
            tell(how, why);
            co_return failure(together.error());
        }
        auto* const target = make();
        client fresh = client_access::make(*target);
        if (auto shared = target->share(*std::move(together)); !shared) co_return failure(shared.error());
        co_return fresh;
    }
    auto begun = begin_resolving(where, *parsed);
    if (!begun) co_return failure(begun.error());
    resolving resolved(where, *begun, until(where, due));
    const result<endpoints> found = co_await resolved;
    if (!found) co_return failure(found.error());
    result<> opened = failure(std::errc::host_unreachable);
    for (const io::endpoint& endpoint : *found) {
        why = not_of_this_host;
        if (auto whom = beside(endpoint, where, *sharing, how.beside); !whom.places.empty()) {
            task<result<met>> meeting = meet_on(where, std::move(whom), due, why);
            result<met> together = co_await std::move(meeting);
            if (together) {
                auto* const target = make();
                client fresh = client_access::make(*target);
                opened = target->share(*std::move(together));
                if (opened) co_return fresh;
            } else {
                opened = failure(together.error());
            }
        }
        if (*sharing == sharing::required) {
            tell(how, why);
            continue;
        }
        auto* const target = make();
        client fresh = client_access::make(*target);
        if (*sharing == sharing::automatic) target->remember_why_not_shared(why);
        target->aim(*end);
        opening attempt(*target, endpoint, until(where, due));
        opened = co_await attempt;
        if (opened) co_return fresh;
        tell(how, target->tls_words());
        if (is_final(*target, opened.error())) break;
    }
    co_return failure(opened.error());
}

}  // namespace mnet::inline v1::mtcp::detail
