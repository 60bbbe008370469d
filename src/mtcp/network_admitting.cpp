// Who comes in: clients that were accepted get a connection on their loop or on a thread of their own, or are turned away. Whatever the system has no
// more of, the network goes on, and counts who it turned away.
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"
#include "mtcp/parked_client.hpp"
#include "mtcp/sharing.hpp"
#include "tls/thread.hpp"

#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

void network_core::admit(worker& where, int handle) noexcept {
    if (take_client(where, handle, nullptr)) serve(where, handle, nullptr);
}

void network_core::admit_beside(worker& where, int handle) noexcept {
    try {
        meet(where, handle);
    } catch (const std::bad_alloc&) {
        where.accounts().add(entry::clients_refused, 1);
        where.loop().discard(handle);
    }
}

void network_core::meet(worker& where, int handle) {
    const auto refuse = [&](std::string_view why) {
        shm::refuse(handle, why);
        where.loop().discard(handle);
    };
    const auto who = shm::peer_of(handle);
    if (!who) {
        refuse("the server can't see who asks: " + who.error().message());
        return;
    }
    if (!shm::is_trusted(who->user, trusted_users_)) {
        refuse("its user is not trusted with shared memory");
        return;
    }
    auto address = address_;  // what throws comes before what is counted
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
    met beside{.bell = {}, .shared = *std::move(shared), .with = *who, .address = std::move(address)};
    if (take_client(where, handle, &beside)) serve(where, handle, &beside);
}

bool network_core::take_client(worker& where, int handle, const met* beside) noexcept {
    if (clients_.fetch_add(1, std::memory_order_relaxed) < clients_max_) return true;
    turn_away(where, handle, beside, make_error_code(errc::too_many_clients));
    return false;
}

/// A client that was taken; `beside`: that shares memory, with its bell as the handle.
void network_core::serve(worker& where, int handle, met* beside) noexcept {
    if (!std::holds_alternative<blocking_handler>(handler_)) {
        serve_on_loop(where, handle, beside);
    } else if (*tls_) {
        park(where, handle);
    } else {
        serve_on_thread(where, handle, beside, nullptr);
    }
}

void network_core::turn_away(worker& where, int handle, const met* beside, std::error_code why) noexcept {
    clients_.fetch_sub(1, std::memory_order_relaxed);
    if (beside != nullptr) sharing_clients_.fetch_sub(1, std::memory_order_relaxed);
    where.accounts().add(entry::clients_refused, 1);
    tell_refused(where.loop(), handle, beside, why);
    where.loop().discard(handle);
}

void network_core::fail_to_begin(worker& where, connection& fresh, std::error_code why) noexcept {
    where.accounts().add(entry::clients_refused, 1);
    tell_refused({.transport = fresh.name()}, why);
    fresh.let_go();
}

void network_core::serve_on_loop(worker& where, int handle, met* beside) noexcept {
    const auto shape = std::holds_alternative<message_handler>(handler_) ? connection::shape::messages : connection::shape::coroutine;
    auto* const fresh = new (std::nothrow) connection(where, next_id_.fetch_add(1), connection::role::served, shape, limits_);
    if (fresh == nullptr) {
        turn_away(where, handle, beside, std::make_error_code(std::errc::not_enough_memory));
        return;
    }
    if (const auto begun = begin(*fresh, where, handle, beside, nullptr); !begun) {
        fail_to_begin(where, *fresh, begun.error());
        return;
    }
    where.accounts().add(entry::clients_accepted, 1);
    if (fresh->is_guarded()) {
        fresh->begin_handshake();
    } else if (beside == nullptr) {
        fresh->serve();  // else when it greets
    }
}

/// With TLS, a client of a blocking handler waits for its thread until it has spoken.
void network_core::park(worker& where, int handle) noexcept {
    auto* const fresh = new (std::nothrow) parked_client(where);
    if (fresh == nullptr) {
        turn_away(where, handle, nullptr, std::make_error_code(std::errc::not_enough_memory));
        return;
    }
    if (const auto attached = fresh->attach(handle); !attached) {
        where.accounts().add(entry::clients_refused, 1);
        tell_refused({.transport = "tls"}, attached.error());
        fresh->let_go();
        return;
    }
    where.accounts().add(entry::clients_accepted, 1);
    station_of(where).shaking.enter(*fresh, where.loop().now());
}

/// `before`: what the client was until now, counted as accepted.
void network_core::serve_on_thread(worker& where, int handle, met* beside, parked_client* before) noexcept {
    std::unique_ptr<worker> own;
    connection* fresh = nullptr;
    try {
        auto made = world_.make_loop(job::one_client, wanted_engine_);
        if (!made) {
            turn_away(where, handle, beside, made.error());
            return;
        }
        own = std::make_unique<worker>(std::move(made->loop), worker::kind::private_loop, limits_, this);
        fresh = new connection(*own, next_id_.fetch_add(1), connection::role::served, connection::shape::direct, limits_);
    } catch (const std::bad_alloc&) {
        turn_away(where, handle, beside, std::make_error_code(std::errc::not_enough_memory));
        return;
    }
    if (const auto begun = begin(*fresh, where, handle, beside, before); !begun) {
        fail_to_begin(where, *fresh, begun.error());
        return;
    }
    worker* const working = own.get();
    const auto no_thread = [&](std::error_code why) {
        where.accounts().add(entry::clients_refused, 1);
        fresh->leave_unserved(why);
        const std::scoped_lock lock(mutex_);
        blocking_workers_.remove(working);
    };
    try {
        if (!enlist(*working)) return;  // stopping: the worker takes its connection with it
        // Detached: a handler that doesn't end can't be made to, and `stop` returns without it. The worker is the thread's once there is one: till then
        // `stop` can see it, and it must not go with what a thread that never was would have run.
        std::thread([core = shared_from_this(), working, fresh, leaving = leaving_]() mutable {
            fresh->serve_blocking();
            core->run_blocking(*working);
            delete working;
            core.reset();
            tls::leave_thread();
            leaving->fetch_sub(1);  // run_blocking counted it
            leaving->notify_all();
        }).detach();
        (void)own.release();
        if (before == nullptr) where.accounts().add(entry::clients_accepted, 1);
    } catch (const std::system_error& refused) {
        no_thread(refused.code());
    } catch (const std::bad_alloc&) {
        no_thread(std::make_error_code(std::errc::not_enough_memory));
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
    leaving_->fetch_add(1);  // before `stop` can see that it is done; the thread itself takes it off, last of all
    add_up(own);
    ended_accounts_.absorb(own.accounts());
    blocking_workers_.remove(&own);
    changed_.notify_all();
}

}  // namespace mnet::inline v1::mtcp::detail
