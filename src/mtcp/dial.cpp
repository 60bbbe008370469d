// One coroutine dials, on any loop; who blocks runs his loop until it has ended.
#include "mtcp/dial.hpp"

#include "mtcp/race.hpp"
#include "mtcp/resolver.hpp"
#include "mtcp/sharing.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

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

/// Awaits the handshake, if there is one, over a handle that a race has won.
class opening {
public:
    opening(connection& target, int handle, const operation& op) noexcept : target_(target), handle_(handle), op_(op) {}
    opening(const opening&) = delete;
    opening& operator=(const opening&) = delete;
    ~opening() {
        if (waiting_) target_.abandon_opening();
    }

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) noexcept { return waiting_ = target_.start_open(handle_, waiting, op_); }
    result<> await_resume() noexcept {
        waiting_ = false;
        return target_.finish_open();
    }

private:
    connection& target_;
    int handle_;
    operation op_;
    bool waiting_ = false;
};

/// Awaits that nothing is left of an earlier attempt.
class starting_over {
public:
    explicit starting_over(connection& target) noexcept : target_(target) {}
    starting_over(const starting_over&) = delete;
    starting_over& operator=(const starting_over&) = delete;
    ~starting_over() {
        if (waiting_) target_.abandon_opening();
    }

    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<> waiting) noexcept { return waiting_ = target_.start_leaving(waiting); }
    void await_resume() noexcept {
        waiting_ = false;
        target_.start_over();
    }

private:
    connection& target_;
    bool waiting_ = false;
};

/// Whom to look for before connecting to `where`; nobody, when memory isn't wanted or can't be shared.
acquaintance beside(const io::endpoint& where, const worker& host, sharing wanted, const beside_tcp& beside) {
    if (wanted == sharing::off || !host.loop().has_descriptors()) return {};
    auto whom = acquaintance_at(where, beside.trusted_user);
    whom.or_nobody = wanted == sharing::required;
    return whom;
}

result<acquaintance> acquaintance_named(const address& what, const beside_tcp& beside) {
    auto place = meeting_place_named(what.path);
    if (!place) return failure(place.error());
    return acquaintance{.places = {*place}, .address = what.text(), .trusted_user = beside.trusted_user, .or_nobody = true};
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

void tell(const carrying& how, std::string words) {
    if (how.words != nullptr) *how.words = std::move(words);
}

operation until(worker& where, std::chrono::nanoseconds due) noexcept { return {.deadline = within(due - where.loop().now())}; }

/// The addresses of a list, in the order in which they are to be tried.
result<std::vector<address>> addresses_of(std::string_view text, address_order order, io::loop& dice) {
    std::vector<address> all;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        auto parsed = address::parse(text.substr(begin, end - begin));
        if (!parsed) return failure(parsed.error());
        all.push_back(*std::move(parsed));
        begin = end + 1;
    }
    for (std::size_t left = all.size(); order == address_order::shuffled && left > 1; --left) {
        std::swap(all[left - 1], all[dice.random() % left]);
    }
    return all;
}

task<result<>> share_memory(connection& target, acquaintance whom, std::chrono::nanoseconds due, std::string& why) {
    task<result<met>> meeting = meet(target.host(), std::move(whom), due, why);
    result<met> together = co_await std::move(meeting);
    if (!together) co_return failure(together.error());
    co_return target.share(*std::move(together));
}

/// One address: memory where it can be shared, else the first of its endpoints that answers.
task<result<>> dial_one(connection& target, const address& what, std::chrono::nanoseconds due, const carrying& how) {
    worker& where = target.host();
    auto end = far_end_of(what, how, target.aimed_at());
    if (!end) co_return failure(end.error());
    const auto sharing = sharing_in_force(end->tls ? sharing::off : how.beside.wanted);
    if (!sharing) co_return failure(sharing.error());
    target.aim(*std::move(end));
    std::string why;
    if (what.what == address::kind::shared_memory) {
        auto whom = acquaintance_named(what, how.beside);
        if (!whom) co_return failure(whom.error());
        task<result<>> meeting = share_memory(target, *std::move(whom), due, why);
        const result<> shared = co_await std::move(meeting);
        if (!shared) tell(how, why);
        co_return shared;
    }
    auto begun = begin_resolving(where, what);
    if (!begun) co_return failure(begun.error());
    resolving resolved(where, *begun, until(where, due));
    const result<endpoints> found = co_await resolved;
    if (!found) co_return failure(found.error());
    result<> opened = failure(std::errc::host_unreachable);
    why = not_of_this_host;
    auto left = static_cast<int>(found->size());
    for (const io::endpoint& endpoint : *found) {
        auto whom = beside(endpoint, where, *sharing, how.beside);
        const auto now = where.loop().now();
        const auto share = (due - now) / left--;  // who is waited for as long as there is time takes none of those behind it
        if (whom.places.empty()) continue;
        const auto answer_due = whom.or_nobody ? now + share : due;
        task<result<>> meeting = share_memory(target, std::move(whom), answer_due, why);
        opened = co_await std::move(meeting);
        if (opened) co_return opened;
    }
    if (*sharing == sharing::required) {
        tell(how, why);
        co_return opened;
    }
    if (*sharing == sharing::automatic) target.remember_why_not_shared(why);
    race first(where, interleaved(*found), until(where, due));
    const result<int> handle = co_await first;
    if (!handle) co_return failure(handle.error());
    opening greeting(target, *handle, until(where, due));
    opened = co_await greeting;
    if (!opened) tell(how, target.tls_words());
    co_return opened;
}

}  // namespace

carrying carrying_of(const connect_options& options) noexcept {
    return {.beside = {.wanted = options.shared_memory, .trusted_user = options.shared_memory_user},
            .tls = options.tls != nullptr ? options.tls->context() : nullptr,
            .words = options.words,
            .order = options.order,
            .again = options.reconnect};
}

std::chrono::nanoseconds dial_span(const connect_options& options) noexcept {
    return options.dead_after.count() > 0 ? std::min(options.dial_timeout, options.dead_after) : options.dial_timeout;
}

task<result<>> dial(connection& target, std::string text, std::chrono::nanoseconds span, carrying how) {
    worker& where = target.host();
    const auto due = where.loop().now() + span;
    const auto all = addresses_of(text, how.order, where.loop());
    if (!all) co_return failure(all.error());
    result<> opened = failure(std::errc::host_unreachable);
    auto left = static_cast<int>(all->size());
    for (const address& each : *all) {
        starting_over fresh(target);
        co_await fresh;
        const auto now = where.loop().now();
        task<result<>> attempt = dial_one(target, each, now + (due - now) / left--, how);  // none takes the time of those behind it
        opened = co_await std::move(attempt);
        if (opened) break;
    }
    co_return opened;
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
    const auto span = dial_span(options);
    target->remember_dial(std::string(text), span, how);
    const auto now = target->host().loop().now();
    task<result<>> dialing = dial(*target, std::string(text), span, how);
    if (auto opened = target->run_here(std::move(dialing), std::min(now + span, op.deadline.from(now)), op.stop); !opened)
        return failure(opened.error());
    return fresh;
}

task<result<client>> dial_on(worker& where, std::string text, limits limits, std::chrono::nanoseconds span, carrying how) {
    auto* const target = new connection(where, next_client_id(), connection::role::owned, connection::shape::direct, limits);
    client fresh = client_access::make(*target);
    target->remember_dial(text, span, how);
    task<result<>> dialing = dial(*target, std::move(text), span, std::move(how));
    const result<> opened = co_await std::move(dialing);
    if (!opened) co_return failure(opened.error());
    co_return fresh;
}

}  // namespace mnet::inline v1::mtcp::detail
