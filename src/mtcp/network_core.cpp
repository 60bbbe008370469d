// Starting. Threads share the core, so that one whose handler never ends leaves nothing dangling.
#include "mtcp/network_core.hpp"

#include "base/assert.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/resolver.hpp"
#include "mtcp/sharing.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>

namespace mnet::inline v1::mtcp::detail {

namespace {

shm::geometry shared_sizes_of(const listen_options& options) noexcept {
    constexpr std::uint32_t small_bytes = 256U << 10U;
    const std::size_t large = std::min(options.shared_memory_bytes_max, shm::side_bytes_max - small_bytes);
    return {.small_bytes = small_bytes, .large_bytes = static_cast<std::uint32_t>(large / shm::page_bytes * shm::page_bytes)};
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
      handshakes_{.at_a_time_max = std::max<std::size_t>(options.handshakes_max, 1),
                  .per_second_max = options.handshakes_per_second_max,
                  .clients_max = clients_max_},
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
            (void)stop({.deadline = within(std::chrono::seconds(0))});
            return failure(refused.code());
        } catch (const std::bad_alloc&) {
            (void)stop({.deadline = within(std::chrono::seconds(0))});
            return failure(std::errc::not_enough_memory);
        }
    }
    return {};
}

result<> network_core::open_stations(const listen_options& options, const io::endpoint& where) {
    unsigned loops = options.loops != 0 ? options.loops : std::max(std::thread::hardware_concurrency(), 1U);
    loops = std::min(loops, 1024U);
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
        station& fresh = stations_.emplace_back(handshakes_);
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

// Waiting -------------------------------------------------------------------------------------------------------------------------

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
