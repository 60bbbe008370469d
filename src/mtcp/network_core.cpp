// Starting, admitting, and stopping. Threads share the core, so that one whose handler never ends leaves nothing dangling.
#include "mtcp/network_core.hpp"

#include "base/assert.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/resolver.hpp"
#include "mtcp/sharing.hpp"
#include "tls/thread.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>

namespace mnet::inline v1::mtcp::detail {

namespace {

limits limits_of(const listen_options& options) noexcept {
    return limits{.message_bytes_max = options.message_bytes_max,
                  .unsent_bytes_max = options.unsent_bytes_max,
                  .dead_after = options.dead_after,
                  .spin = options.spin,
                  .handshake_timeout = options.handshake_timeout}
        .in_range();
}

shm::geometry shared_sizes_of(const listen_options& options) noexcept {
    constexpr std::uint32_t small_bytes = 256U << 10U;
    const std::size_t large = std::min(options.shared_memory_bytes_max, shm::side_bytes_max - small_bytes);
    return {.small_bytes = small_bytes, .large_bytes = static_cast<std::uint32_t>(large / shm::page_bytes * shm::page_bytes)};
}

/// The loops cut what is left a little before the deadline, so that `stop` can return by it.
std::chrono::nanoseconds cut_after(std::chrono::nanoseconds span) noexcept {
    return span - std::min<std::chrono::nanoseconds>(span / 10, std::chrono::milliseconds(100));
}

}  // namespace

network_core::network_core(const environment& world, const listen_options& options, any_handler handler)
    : world_(world),
      handler_(std::move(handler)),
      limits_(limits_of(options)),
      clients_max_(std::max<std::size_t>(options.clients_max, 1)),
      wanted_engine_(options.engine),
      wanted_sharing_(options.shared_memory),
      shared_sizes_(shared_sizes_of(options)),
      sharing_clients_max_(options.shared_memory_clients_max),
      trusted_users_(options.shared_memory_users),
      tls_(options.tls),
      handshakes_max_(std::max<std::size_t>(options.handshakes_max, 1)),
      handshakes_per_second_max_(options.handshakes_per_second_max),
      certificates_timer_(this, [](void* self) noexcept { static_cast<network_core*>(self)->look_for_new_certificates(); }) {}

network_core::~network_core() {
    for (station& each : stations_) {
        MNET_ASSERT(!each.thread.joinable(), "a network is stopped before it ends");
        each.door.reset();
        each.side_door.reset();
    }
}

result<> network_core::start(const listen_options& options) {
    auto parsed = address::parse(options.address);
    if (!parsed) return failure(parsed.error());
    if (auto sound = check_security(*parsed); !sound) return sound;
    const bool secured = static_cast<bool>(*tls_);
    const auto sharing = sharing_in_force(secured ? sharing::off : wanted_sharing_);
    if (!sharing) return failure(sharing.error());
    const bool only_sharing = parsed->what == address::kind::shared_memory;
    const auto found = only_sharing ? result<endpoints>(endpoints{io::endpoint()}) : resolve_slowly(*parsed, true);
    if (!found) return failure(found.error());
    result<> opened = failure(std::errc::host_unreachable);
    for (const io::endpoint& where : *found) {
        opened = open_stations(options, where);
        if (opened) break;
        stations_.clear();
    }
    if (!opened) return opened;
    address_ = only_sharing ? parsed->text() : bound_.text();
    if (secured && !bound_.is_unix()) address_ = "tls://" + address_;
    if (only_sharing) {
        const auto place = meeting_place_named(parsed->path);
        opened = place ? open_side_doors(*place) : failure(place.error());
    } else if (*sharing == sharing::off || !stations_.front().work->loop().has_descriptors()) {
        sharing_reason_ = secured ? "over the network: with TLS" : "over the network: shared memory is off";
    } else if (const auto place = meeting_place_of(bound_)) {
        const auto beside = open_side_doors(*place);
        if (!beside && *sharing == sharing::required) opened = beside;
    }
    if (opened && secured) watch_certificates();
    if (!opened || !world_.threads()) return opened;
    for (station& each : stations_) {
        try {
            each.thread = std::thread([core = shared_from_this(), &each] { core->run(each); });
        } catch (const std::system_error& refused) {
            (void)stop(within(std::chrono::seconds(0)));
            return failure(refused.code());
        }
    }
    return {};
}

result<> network_core::open_stations(const listen_options& options, const io::endpoint& where) {
    unsigned loops = options.loops != 0 ? options.loops : std::max(std::thread::hardware_concurrency(), 1U);
    loops = std::min(loops, 1024U);
    stations_.reserve(loops);  // threads hold references into it
    io::endpoint target = where;
    mtcp::engine wanted = wanted_engine_;  // of loops that share a socket, one and the same
    for (unsigned index = 0; index < loops; ++index) {
        auto made = world_.make_loop(job::many_clients, wanted);
        if (!made) return failure(made.error());
        if (index == 0) {
            engine_ = made->loop->name();
            engine_reason_ = made->reason;
            if (wanted == mtcp::engine::automatic && loops > 1) wanted = engine_ == "uring" ? mtcp::engine::uring : mtcp::engine::epoll;
        }
        station& fresh = stations_.emplace_back(station{.work = {}, .shaking = handshakes(handshakes_max_, handshakes_per_second_max_)});
        fresh.work = std::make_unique<worker>(std::move(made->loop), worker::kind::shared_loop, limits_, this);
        if (where.length() == 0) continue;
        fresh.door = std::make_unique<acceptor>(*fresh.work, *this, acceptor::door::front);
        const bool along = index > 0 && where.is_unix();
        const auto bound = fresh.door->listen(target, {.reuse_port = loops > 1, .along = along ? stations_.front().door.get() : nullptr});
        if (!bound) return failure(bound.error());
        if (index == 0) bound_ = target = *bound;
    }
    return {};
}

/// Opens the place where processes of this host meet the network.
result<> network_core::open_side_doors(const io::endpoint& place) {
    for (station& each : stations_) {
        each.side_door = std::make_unique<acceptor>(*each.work, *this, acceptor::door::side);
        const bool along = &each != &stations_.front();
        const auto bound = each.side_door->listen(place, {.along = along ? stations_.front().side_door.get() : nullptr});
        if (bound) continue;
        sharing_reason_ = "over the network: no " + place.text() + ": " + bound.error().message();
        for (station& opened : stations_) opened.side_door.reset();
        return failure(bound.error());
    }
    sharing_reason_ = "in shared memory, those of the same user";
    return {};
}

void network_core::run(station& mine) noexcept {
    worker& work = *mine.work;
    while (!work.stopping() || !work.deserted()) work.run_once(io::never);
    const std::scoped_lock lock(mutex_);
    mine.ended = true;
    changed_.notify_all();
}

// Clients -------------------------------------------------------------------------------------------------------------------------

void network_core::admit(worker& where, int handle) noexcept {
    if (take_client(where, handle, nullptr)) serve(where, handle, nullptr);
}

void network_core::admit_beside(worker& where, int handle) noexcept {
    const auto refuse = [&](std::string_view why) {
        shm::refuse(handle, why);
        where.loop().discard(handle);
    };
    const auto who = shm::peer_of(handle);
    if (!who || !shm::is_trusted(who->user, trusted_users_)) {
        refuse("its user is not trusted with shared memory");
        return;
    }
    if (sharing_clients_.fetch_add(1, std::memory_order_relaxed) >= sharing_clients_max_) {
        sharing_clients_.fetch_sub(1, std::memory_order_relaxed);
        refuse("as many clients share memory already as may (shared_memory_clients_max)");
        return;
    }
    auto shared = shm::offer(handle, shared_sizes_);
    if (!shared) {
        sharing_clients_.fetch_sub(1, std::memory_order_relaxed);
        refuse("the server can't make shared memory: " + shared.error().message());
        return;
    }
    met beside{.bell = {}, .shared = *std::move(shared), .with = *who, .address = address_};
    if (take_client(where, handle, &beside)) serve(where, handle, &beside);
}

bool network_core::take_client(worker& where, int handle, const met* beside) noexcept {
    if (clients_.fetch_add(1, std::memory_order_relaxed) < clients_max_) return true;
    turn_away(where, handle, beside);
    return false;
}

/// A client that was taken; `beside`: that shares memory, with its bell as the handle.
void network_core::serve(worker& where, int handle, met* beside) noexcept {
    if (std::holds_alternative<blocking_handler>(handler_)) {
        serve_on_thread(where, handle, beside);
    } else {
        serve_on_loop(where, handle, beside);
    }
}

void network_core::turn_away(worker& where, int handle, const met* beside) noexcept {
    clients_.fetch_sub(1, std::memory_order_relaxed);
    if (beside != nullptr) sharing_clients_.fetch_sub(1, std::memory_order_relaxed);
    where.accounts().add(entry::clients_refused, 1);
    where.loop().discard(handle);
}

void network_core::serve_on_loop(worker& where, int handle, met* beside) noexcept {
    const auto shape = std::holds_alternative<message_handler>(handler_) ? connection::shape::messages : connection::shape::coroutine;
    auto* const fresh = new (std::nothrow) connection(where, next_id_.fetch_add(1), connection::role::served, shape, limits_);
    if (fresh == nullptr) {
        turn_away(where, handle, beside);
        return;
    }
    if (!begin(*fresh, where, handle, beside)) {
        where.accounts().add(entry::clients_refused, 1);
        fresh->let_go();
        return;
    }
    where.accounts().add(entry::clients_accepted, 1);
    if (fresh->is_guarded()) {
        fresh->greet();
    } else if (beside == nullptr) {
        fresh->serve();  // else when it greets
    }
}

void network_core::serve_on_thread(worker& where, int handle, met* beside) noexcept {
    auto made = world_.make_loop(job::one_client, wanted_engine_);
    if (!made) {
        turn_away(where, handle, beside);
        return;
    }
    std::unique_ptr<worker> own;
    connection* fresh = nullptr;
    try {
        own = std::make_unique<worker>(std::move(made->loop), worker::kind::private_loop, limits_, this);
        fresh = new connection(*own, next_id_.fetch_add(1), connection::role::served, connection::shape::direct, limits_);
    } catch (const std::bad_alloc&) {
        turn_away(where, handle, beside);
        return;
    }
    if (!begin(*fresh, where, handle, beside)) {
        where.accounts().add(entry::clients_refused, 1);
        fresh->let_go();
        return;
    }
    worker* const working = own.get();
    if (!enlist(*working)) return;  // stopping: the worker takes its connection with it
    try {
        // Detached: a handler that doesn't end can't be made to, and `stop` returns without it.
        std::thread([core = shared_from_this(), own = std::move(own), fresh, leaving = leaving_]() mutable {
            fresh->serve_blocking();
            core->run_blocking(*own);
            own.reset();
            core.reset();
            tls::leave_thread();
            leaving->fetch_sub(1);
            leaving->notify_all();
        }).detach();
        where.accounts().add(entry::clients_accepted, 1);
    } catch (const std::system_error&) {  // no thread to be had
        where.accounts().add(entry::clients_refused, 1);
        const std::scoped_lock lock(mutex_);
        blocking_workers_.remove(working);
    }
}

bool network_core::enlist(worker& blocking) {
    const std::scoped_lock lock(mutex_);
    if (!stopping_) blocking_workers_.push_back(&blocking);
    return !stopping_;
}

void network_core::run_blocking(worker& own) noexcept {
    while (!own.deserted()) own.run_once(io::never);
    own.tell_costs();
    const std::scoped_lock lock(mutex_);
    leaving_->fetch_add(1);
    add_up(own);
    ended_accounts_.absorb(own.accounts());
    blocking_workers_.remove(&own);
    changed_.notify_all();
}

// Stopping ------------------------------------------------------------------------------------------------------------------------

void network_core::add_up(worker& ended) noexcept {
    farewell_.clients_drained += ended.parted().clients_drained;
    farewell_.clients_cut += ended.parted().clients_cut;
    farewell_.bytes_cut += ended.parted().bytes_cut;
}

bool network_core::all_ended() const noexcept {
    const bool loops_ended = std::ranges::all_of(stations_, [](const station& each) { return each.ended || !each.thread.joinable(); });
    return loops_ended && blocking_workers_.empty();
}

void network_core::ask_to_stop(std::chrono::nanoseconds span) {
    const auto stop_worker = [span](worker& work) {
        const auto now = work.loop().now();
        work.stop(span > io::never - now ? io::never : now + cut_after(span));
    };
    for (station& each : stations_) {
        const auto stop_station = [this, stop_worker, &each] {
            if (tls_ && *tls_ && &each == &stations_.front()) each.work->loop().cancel(certificates_timer_);
            if (each.door) each.door->close();
            if (each.side_door) each.side_door->close();
            stop_worker(*each.work);
        };
        if (world_.threads()) {
            (void)each.work->mail()->post(stop_station);
        } else {
            stop_station();
        }
    }
    for (worker* const each : blocking_workers_) (void)each->mail()->post([stop_worker, each] { stop_worker(*each); });
}

farewell network_core::stop(mnet::deadline deadline) {
    std::unique_lock lock(mutex_);
    if (stopping_) {
        changed_.wait(lock, [this] { return stopped_; });
        return farewell_;
    }
    stopping_ = true;
    const auto now = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
    const auto due = deadline.from(now);
    ask_to_stop(due == io::never ? io::never : std::max(due - now, std::chrono::nanoseconds(0)));
    if (world_.threads()) {
        const auto ended = [this] { return all_ended(); };
        if (due == io::never) {
            changed_.wait(lock, ended);
        } else {
            changed_.wait_until(lock, std::chrono::steady_clock::time_point(due), ended);
        }
        for (station& each : stations_) {
            if (!each.thread.joinable()) continue;
            if (each.ended) {
                lock.unlock();
                each.thread.join();
                lock.lock();
                add_up(*each.work);
            } else {
                each.thread.detach();  // a handler holds it; it keeps this core
                ++farewell_.handlers_left;
            }
        }
        farewell_.handlers_left += blocking_workers_.size();
        lock.unlock();
        // What those threads free last, OpenSSL's part of it above all, must not be freed while the process ends.
        for (unsigned left = leaving_->load(); left != 0; left = leaving_->load()) leaving_->wait(left);
        lock.lock();
    } else {
        lock.unlock();
        for (station& each : stations_) {
            while (!each.work->deserted()) each.work->loop().run_once(io::never);
        }
        lock.lock();
        for (station& each : stations_) add_up(*each.work);
    }
    stopped_ = true;
    changed_.notify_all();
    return farewell_;
}

result<> network_core::wait(const operation& op) {
    std::unique_lock lock(mutex_);
    const auto stopped = [this] { return stopped_; };
    const std::stop_token token = op.stop != nullptr ? *op.stop : std::stop_token();
    const auto now = std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
    const auto due = op.deadline.from(now);
    if (due == io::never) {
        changed_.wait(lock, token, stopped);
    } else {
        changed_.wait_until(lock, token, std::chrono::steady_clock::time_point(due), stopped);
    }
    if (stopped_) return {};
    return token.stop_requested() ? failure(std::errc::operation_canceled) : failure(std::errc::timed_out);
}

result<std::shared_ptr<network_core>> open_network(const environment& world, const listen_options& options, any_handler handler) {
    auto core = std::make_shared<network_core>(world, options, std::move(handler));
    if (auto started = core->start(options); !started) return failure(started.error());
    return core;
}

}  // namespace mnet::inline v1::mtcp::detail
