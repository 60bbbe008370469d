// The running server behind a `network`: its workers and their threads, its handler, the register of its clients, and how it stops.
//
// Thread: `admit` from a worker's loop; `enter`, `unlist` and `forget` from a client's own thread; the rest from any.
#pragma once
#include "mtcp/acceptor.hpp"
#include "mtcp/environment.hpp"
#include "mtcp/handshakes.hpp"
#include "mtcp/ledger.hpp"
#include "mtcp/memory.hpp"
#include "mtcp/worker.hpp"

#include <mnet/address.hpp>
#include <mnet/mtcp/network.hpp>
#include <mnet/observer.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

class network_core : public std::enable_shared_from_this<network_core> {
public:
    network_core(const environment& world, const listen_options& options, any_handler handler);
    ~network_core();

    /// Opens the listening sockets and starts the workers. Errors: as `mtcp::listen`.
    result<> start(const listen_options& options);

    std::string address() const { return address_; }
    std::string_view engine() const noexcept { return engine_; }
    std::string_view engine_reason() const noexcept { return engine_reason_; }
    network_statistics statistics() const;
    std::size_t broadcast(std::span<const std::byte> bytes);
    farewell stop(const stop_options& how);
    result<> wait(const operation& op);

    /// A turn of each of its loops, until then at most, where the world has no threads.
    void run_once(std::chrono::nanoseconds until) noexcept {
        for (station& each : stations_) each.work->run_once(until);
    }

    /// How clients of this host come, in words.
    std::string_view sharing_reason() const noexcept { return sharing_reason_; }

    /// A new connection: a client of `where`, or of a thread of its own, or turned away.
    void admit(worker& where, int handle) noexcept;
    /// The same of a process that shares memory, if it may.
    void admit_beside(worker& where, int handle) noexcept;

    /// Whether somebody wants to know what happens, and telling him: `event` gets the observer. From any thread, until the network has stopped.
    bool is_observed() const noexcept { return limits_.observer != nullptr; }
    template <typename Event>
    void tell(Event event) noexcept {
        const std::shared_lock lock(observing_);
        if (!silent_) event(*limits_.observer);
    }
    void tell_refused(const observed& who, std::error_code why) noexcept {
        if (is_observed()) tell([&](observer& told) { told.refused(who, why); });
    }

    /// The register of the clients that others can reach: those that are open. A mailbox is made when somebody first asks for it.
    void enter(connection& client);
    void unlist(connection& client) noexcept;
    std::shared_ptr<mnet::detail::mailbox> box_of(connection& client);
    std::vector<std::shared_ptr<mnet::detail::mailbox>> boxes_but(std::uint64_t id);

    /// A client that was admitted is gone.
    void forget(connection& client) noexcept;
    void forget_parked() noexcept { clients_.fetch_sub(1, std::memory_order_relaxed); }

    /// A client that waited on `where` may shake hands now, on a thread of its own; else it is turned away. It gives its handle.
    void serve_parked(worker& where, int handle, parked_client& before) noexcept { serve_on_thread(where, handle, nullptr, &before); }

    /// The certificates. Errors: as network::reload_certificates.
    result<> reload_certificates(std::string* words);
    std::string reload_error() const;
    std::string handshake_error() const;
    void tell_handshake_failed(const std::string& peer, std::error_code why, const std::string& words) noexcept;

    /// How long `where` has to wait before it accepts another client, as far as handshakes go.
    std::chrono::nanoseconds wait_to_accept(worker& where);
    /// Whether a client that has spoken may shake hands now; else accepting waits, too, until it may.
    bool may_begin_handshake(worker& where, newcomer& who) noexcept;
    /// There is no descriptor left for another client: one that never said a byte gives its own.
    void make_room(worker& where);

    message_handler& on_message() noexcept { return *std::get_if<message_handler>(&handler_); }
    coroutine_handler& coroutine() noexcept { return *std::get_if<coroutine_handler>(&handler_); }
    blocking_handler& blocking() noexcept { return *std::get_if<blocking_handler>(&handler_); }

private:
    /// One of the loops that accept.
    struct station {
        explicit station(const handshakes::bounds& within) noexcept : shaking(within) {}

        handshakes shaking;  // outlives the connections
        std::unique_ptr<worker> work{};
        std::unique_ptr<acceptor> door{};
        std::unique_ptr<acceptor> side_door{};
        std::thread thread{};
        bool ended = false;
    };

    result<> open_stations(const listen_options& options, const io::endpoint& where);
    result<> open_side_doors(const io::endpoint& place);
    void meet(worker& where, int handle);
    bool take_client(worker& where, int handle, const met* beside) noexcept;
    result<> check_security(const mnet::address& where) const noexcept;
    result<> begin(connection& fresh, worker& door, int handle, met* beside, parked_client* before) noexcept;
    station& station_of(const worker& where) noexcept;
    void watch_certificates() noexcept;
    void look_for_new_certificates() noexcept;
    result<> reloaded(result<bool> outcome, const std::string& words);
    void run(station& mine) noexcept;
    void serve(worker& where, int handle, met* beside) noexcept;
    void serve_on_loop(worker& where, int handle, met* beside) noexcept;
    void serve_on_thread(worker& where, int handle, met* beside, parked_client* before) noexcept;
    void park(worker& where, int handle) noexcept;
    bool enlist(worker& blocking);
    void run_blocking(worker& own) noexcept;
    void fall_silent() noexcept;
    void tell_refused(const io::loop& loop, int handle, const met* beside, std::error_code why) noexcept;
    void fail_to_begin(worker& where, connection& fresh, std::error_code why) noexcept;
    void turn_away(worker& where, int handle, const met* beside, std::error_code why) noexcept;
    void add_up(worker& ended) noexcept;
    bool all_ended() const noexcept;
    void ask_to_stop();
    void tell_to_stop(worker& work, std::chrono::nanoseconds delay, std::chrono::nanoseconds over) noexcept;

    const environment& world_;
    any_handler handler_;
    const limits limits_;
    const std::size_t clients_max_;
    io::endpoint bound_{};
    const mtcp::engine wanted_engine_;
    std::string engine_{};
    std::string engine_reason_{};
    const sharing wanted_sharing_;
    const shm::geometry shared_sizes_;
    const std::size_t sharing_clients_max_;
    const std::vector<unsigned> trusted_users_;
    std::string sharing_reason_{};
    std::string address_{};
    const result<tls::server_settings> tls_;
    const handshakes::bounds handshakes_;
    std::shared_mutex observing_{};
    bool silent_ = false;             // who observes is told nothing any more
    std::deque<station> stations_{};  // threads hold references into it
    base::timer certificates_timer_;

    std::atomic<std::uint64_t> next_id_ = 1;
    std::atomic<std::size_t> clients_ = 0;
    std::atomic<std::size_t> sharing_clients_ = 0;  // of them
    std::mutex register_mutex_{};
    base::intrusive_list<connection, register_tag> register_{};

    mutable std::mutex mutex_{};  // of all that follows
    std::condition_variable_any changed_{};
    std::list<worker*> blocking_workers_{};
    /// Threads of blocking clients that are done, and have not ended yet. Theirs too: the last of them may be the last to know this core.
    const std::shared_ptr<std::atomic<unsigned>> leaving_ = std::make_shared<std::atomic<unsigned>>(0U);
    ledger ended_accounts_{};  // of blocking workers that are gone
    farewell farewell_{};
    std::chrono::nanoseconds stop_asked_{0};  // set once, before the loops are told; so are the next two
    std::chrono::nanoseconds stop_span_{0};
    std::chrono::nanoseconds stop_over_{0};
    std::uint64_t reloads_ = 0;
    std::uint64_t reloads_failed_ = 0;
    std::string reload_error_{};
    std::string handshake_error_{};
    bool stopping_ = false;
    bool stopped_ = false;
};

/// `listen` in a world of one's choice, which outlives the network.
result<std::shared_ptr<network_core>> open_network(const environment& world, const listen_options& options, any_handler handler);

}  // namespace mnet::inline v1::mtcp::detail
