// One thread's share of the work: an event loop, the memory that its connections borrow, and the connections. A network has one for each of
// its loops; a blocking client has one to itself, which its own thread runs while it waits.
//
// Windows are lent: a connection that reads or writes takes a window from the pool, and at the end of the turn (an answer of the engine,
// a timer, a wake-up) what is committed is sent and the windows go back. The pool hands out last what it got first, so they stay warm. A
// private worker's connection keeps its windows.
#pragma once
#include "base/block_pool.hpp"
#include "base/intrusive_list.hpp"
#include "io/loop.hpp"
#include "mnet/unsent_account.hpp"
#include "mtcp/begun_frame.hpp"
#include "mtcp/inbox.hpp"
#include "mtcp/ledger.hpp"
#include "mtcp/milestones.hpp"
#include "mtcp/overload.hpp"
#include "mtcp/wait.hpp"

#include <mnet/observer.hpp>
#include <mnet/statistics.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

class connection;
class network_core;
class parked_client;
struct memory;

struct member_tag;
struct parked_tag;
struct borrower_tag;
struct register_tag;

/// How many messages of one client are handled in a row; then the others have their turn.
inline constexpr std::uint64_t messages_a_turn_max = 256;

/// What every connection of a worker keeps to (mnet/mtcp/options.hpp).
struct limits {
    std::size_t message_bytes_max;
    std::size_t unsent_bytes_max;
    std::chrono::milliseconds dead_after;
    std::optional<std::chrono::microseconds> spin;
    std::chrono::milliseconds handshake_timeout{10'000};
    std::optional<std::chrono::milliseconds> keep_alive{};  // these three: of dead_after, once they are in range
    std::optional<std::chrono::milliseconds> user_timeout{};
    std::optional<std::chrono::milliseconds> message_timeout{};
    mnet::observer* observer = nullptr;
    overload_rules overload{};
    std::shared_ptr<mnet::detail::unsent_account> budget{};

    /// Each brought to the nearest value inside its range.
    limits in_range() const noexcept;
};

/// Of listen_options and of connect_options, which say the same by the same names.
template <typename Options>
limits limits_of(const Options& options) {
    return limits{.message_bytes_max = options.message_bytes_max,
                  .unsent_bytes_max = options.unsent_bytes_max,
                  .dead_after = options.dead_after,
                  .spin = options.spin,
                  .handshake_timeout = options.handshake_timeout,
                  .keep_alive = options.keep_alive,
                  .user_timeout = options.user_timeout,
                  .message_timeout = options.message_timeout,
                  .observer = options.observer,
                  .overload = {options.overload, options.message_bytes_max, options.unsent_bytes_max},
                  .budget = budget_access::account(options.budget)}
        .in_range();
}

/// How long to poll before sleeping, for a loop with so many clients.
std::chrono::nanoseconds spin_for(const limits& limits, std::size_t clients) noexcept;

class worker {
public:
    enum class kind : std::uint8_t { shared_loop, private_loop };

    /// `network` is null for clients that connected; else it outlives the worker.
    worker(std::unique_ptr<io::loop> loop, kind what, const limits& limits, network_core* network);
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    /// Cuts the connections that are still there.
    ~worker();

    io::loop& loop() noexcept { return *loop_; }
    const io::loop& loop() const noexcept { return *loop_; }
    base::block_pool& pool() noexcept { return pool_; }
    const std::shared_ptr<inbox>& mail() const noexcept { return inbox_; }
    ledger& accounts() noexcept { return ledger_; }
    milestones& ends_of_messages() noexcept { return milestones_; }
    const milestones& ends_of_messages() const noexcept { return milestones_; }
    const limits& bounds() const noexcept { return limits_; }
    network_core* network() const noexcept { return network_; }
    bool is_private() const noexcept { return kind_ == kind::private_loop; }
    /// The thread that may use its clients now; none, when a private worker's client was moved.
    std::atomic<std::thread::id>& owner() noexcept { return owner_; }

    void join(connection& member) noexcept;
    /// Its last connection may end a stopping worker.
    void leave(connection& member) noexcept;
    /// The same of a client that has no connection yet.
    void join(parked_client& waiting) noexcept;
    void leave(parked_client& waiting) noexcept;

    /// A connection that shares memory has no events of the kernel: it is polled, and asked before the loop sleeps.
    void share(memory& shared) noexcept;
    /// It would poll for its only connection: that may as well wait where it is, for a moment.
    bool polls_for_one() const noexcept { return members_count_ == 1 && spin_.count() > 0; }

    /// Answers what can be answered, polls for a moment where that is wanted, then sleeps until `until` at most.
    void run_once(std::chrono::nanoseconds until) noexcept;

    /// Attempts to connect, that have a stream on the loop (race.hpp).
    void runner_came() noexcept { ++runners_; }
    void runner_went() noexcept { --runners_; }

    void borrowed(connection& borrower) noexcept;
    /// For a wait; nullptr when the system has no memory. Those taken back are lent again.
    alarm* lend_alarm() noexcept;
    void take_back(alarm& lent) noexcept { spare_alarms_.push_back(lent); }
    /// For a frame that has begun; as alarms.
    begun_frame* lend_begun_frame() noexcept;
    void take_back(begun_frame& lent) noexcept { spare_begun_frames_.push_back(lent); }
    void watch_stop(alarm& stoppable) noexcept { stoppable_.push_back(stoppable); }
    /// Closes the connection of that id, if it is still there.
    void close_member(std::uint64_t id) noexcept;
    /// By its own thread.
    network_statistics statistics() noexcept {
        tell_costs();
        network_statistics now{};
        std::chrono::nanoseconds overloaded_at{0};
        ledger_.add_to(now, overloaded_at);
        return now;
    }
    /// Brings the ledger up to what the loop and the pool have done.
    void tell_costs() noexcept;
    /// Called when a connection has left, or a client that is parked; for an acceptor that waits for a descriptor, memory, or a handshake's place.
    void on_leave(std::move_only_function<void()> call) noexcept { on_leave_ = std::move(call); }

    /// Tells its connections to end, evenly from `begin` on, over `over`; cuts at `due` what is left.
    void stop(std::chrono::nanoseconds begin, std::chrono::nanoseconds over, std::chrono::nanoseconds due) noexcept;
    bool stopping() const noexcept { return stopping_; }
    /// Whether all of its connections were told.
    bool all_told_to_stop() const noexcept { return stopping_ && told_up_to_ == everybody; }
    /// Whether a served one was, by its id.
    bool told_to_stop(std::uint64_t id) const noexcept { return stopping_ && id <= told_up_to_; }
    /// When connections that are closing now have to be done.
    std::chrono::nanoseconds stop_due() const noexcept { return stop_due_; }
    bool deserted() const noexcept { return members_.empty() && parked_.empty(); }
    const farewell& parted() const noexcept { return farewell_; }
    void part(const delivery& account) noexcept;

    /// Where what arrives for nobody goes; empty when the system has no memory.
    std::span<std::byte> room_for_waste() noexcept;

private:
    friend class turn;
    using waste = std::array<std::byte, 16384>;
    static constexpr std::uint64_t everybody = ~std::uint64_t{0};

    /// What the ledger knows of loop and pool.
    struct costs {
        std::uint64_t system_calls = 0;
        std::uint64_t memory_requests = 0;
        std::uint64_t memory_in_use_bytes = 0;
        std::uint64_t memory_retained_bytes = 0;
    };

    void warm_up() noexcept;
    void set_spin() noexcept;
    bool poll_memory() noexcept;
    void look_for_events(std::chrono::nanoseconds until) noexcept;
    bool resume_unfinished() noexcept;
    bool may_sleep() noexcept;
    void settle() noexcept;
    void woken();
    void tell_to_stop() noexcept;
    void cut_all() noexcept;
    void stop_parked() noexcept;

    const limits limits_;
    const kind kind_;
    network_core* const network_;
    std::unique_ptr<io::loop> loop_;
    base::block_pool pool_;
    std::shared_ptr<inbox> inbox_;
    ledger ledger_{};
    milestones milestones_;
    std::unique_ptr<waste> waste_{};
    base::intrusive_list<connection, member_tag> members_{};
    std::size_t members_count_ = 0;
    base::intrusive_list<parked_client, parked_tag> parked_{};
    std::size_t runners_ = 0;
    base::intrusive_list<connection, borrower_tag> borrowers_{};
    base::intrusive_list<connection, borrower_tag> unfinished_{};  // settled, with messages for the next turn
    base::intrusive_list<memory> sharing_{};
    std::chrono::nanoseconds spin_{0};
    std::chrono::nanoseconds polls_until_{0};
    unsigned idle_polls_ = 0;
    unsigned busy_polls_ = 0;
    unsigned events_expected_ = 0;  // so many more looks for them, soon
    bool settled_ = false;          // a turn has ended, since this was last set
    base::intrusive_list<alarm, stoppable_tag> stoppable_{};
    base::intrusive_list<alarm, stoppable_tag> spare_alarms_{};
    base::intrusive_list<begun_frame> spare_begun_frames_{};
    base::timer stop_timer_;
    base::timer telling_timer_;
    std::chrono::nanoseconds telling_from_{0};
    std::chrono::nanoseconds telling_over_{0};
    std::uint64_t told_up_to_ = 0;  // served connections up to this id were told to end
    std::size_t to_tell_ = 0;       // so many there were to tell
    std::size_t told_to_end_ = 0;   // and so many were
    std::chrono::nanoseconds stop_due_ = io::never;
    farewell farewell_{};
    std::atomic<std::thread::id> owner_{};
    unsigned turns_ = 0;  // depth
    bool stopping_ = false;
    std::move_only_function<void()> on_leave_{};
    costs told_{};
};

/// Everything that runs a user's code or touches a window on a loop runs inside a turn; the outermost one settles.
class turn {
public:
    explicit turn(worker& worker) noexcept : worker_(worker) { ++worker_.turns_; }
    turn(const turn&) = delete;
    turn& operator=(const turn&) = delete;
    ~turn() {
        if (worker_.turns_ == 1) worker_.settle();
        --worker_.turns_;
    }

private:
    worker& worker_;
};

}  // namespace mnet::inline v1::mtcp::detail
