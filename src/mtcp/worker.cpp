// Turns and their end, posts from other threads, and stopping.
#include "mtcp/worker.hpp"

#include "base/assert.hpp"
#include "mtcp/connection.hpp"
#include "mtcp/memory.hpp"
#include "mtcp/parked_client.hpp"

#include <algorithm>
#include <iterator>
#include <new>
#include <thread>

namespace mnet::inline v1::mtcp::detail {

namespace {

constexpr std::size_t window_bytes = (std::size_t{256} << 10) - sizeof(base::block);

constexpr std::size_t smallest_block_bytes = 128;  // with its header, still the pool's smallest class

/// Released memory that a loop keeps for the next client: enough for a window each way and a few large messages in a row.
constexpr std::size_t retained_bytes_max = std::size_t{4} << 20;

/// Of a private loop's one connection there may be two, of TLS (connection::milestone).
constexpr std::size_t streams_of(bool one_connection) noexcept { return one_connection ? 2 : 512; }

}  // namespace

limits limits::in_range() const noexcept {
    using namespace std::chrono_literals;
    limits kept = *this;
    kept.message_bytes_max = std::min<std::size_t>(message_bytes_max, wire::length_max);
    kept.dead_after = dead_after.count() > 0 ? std::max(dead_after, std::chrono::milliseconds(1s)) : 0ms;
    kept.handshake_timeout = std::max(handshake_timeout, 1ms);
    if (kept.dead_after > 0ms) kept.handshake_timeout = std::min(kept.handshake_timeout, kept.dead_after);
    const auto derived = [&kept](const auto& own, std::chrono::milliseconds least) {
        const auto span = own.value_or(kept.dead_after);
        return span > 0ms ? std::max(span, least) : 0ms;
    };
    kept.keep_alive = derived(keep_alive, 1s);
    kept.user_timeout = derived(user_timeout, 1ms);
    kept.message_timeout = derived(message_timeout, 20ms);
    if (spin) kept.spin = std::clamp<std::chrono::microseconds>(*spin, 0us, 1s);
    return kept;
}

std::chrono::nanoseconds spin_for(const limits& limits, std::size_t clients) noexcept {
    using namespace std::chrono_literals;
    constexpr std::size_t few_clients = 8;
    static const bool peers_run_meanwhile = std::thread::hardware_concurrency() > 1;
    if (limits.spin) return *limits.spin;
    return peers_run_meanwhile && clients <= few_clients ? 50us : 0us;
}

worker::worker(std::unique_ptr<io::loop> loop, kind what, const limits& limits, network_core* network)
    : limits_(limits),
      kind_(what),
      network_(network),
      loop_(std::move(loop)),
      pool_(window_bytes, retained_bytes_max),
      inbox_(std::make_shared<inbox>(*loop_)),
      milestones_(streams_of(what == kind::private_loop)),
      stop_timer_(this, [](void* self) noexcept { static_cast<worker*>(self)->cut_all(); }),
      telling_timer_(this, [](void* self) noexcept { static_cast<worker*>(self)->tell_to_stop(); }) {
    loop_->on_wake(this, [](void* self) noexcept { static_cast<worker*>(self)->woken(); });
    if (!is_private()) warm_up();
}

/// One block of every size that a half frame can move to, so that no client allocates the first of its kind later.
void worker::warm_up() noexcept {
    base::block* kept = nullptr;
    for (std::size_t bytes = window_bytes; bytes >= smallest_block_bytes; bytes /= 2) {
        base::block* const fresh = pool_.acquire(bytes);
        if (fresh == nullptr) break;
        fresh->next = kept;
        kept = fresh;
    }
    while (kept != nullptr) pool_.release(std::exchange(kept, kept->next));
}

worker::~worker() {
    inbox_->shut();
    cut_all();
    const auto is_closing = [](const connection& member) { return member.is_closing(); };
    while (runners_ > 0 || !parked_.empty() || std::ranges::any_of(members_, is_closing)) loop_->run_once(io::never);
    MNET_ASSERT(members_.empty(), "the clients of a loop end before it");
    while (alarm* const spare = spare_alarms_.pop_front()) delete spare;
    while (begun_frame* const spare = spare_begun_frames_.pop_front()) delete spare;
}

void worker::join(connection& member) noexcept {
    members_.push_back(member);
    ++members_count_;
    set_spin();
}

/// A private loop's connection spins on its own socket, which costs half the system calls (connection::fill).
void worker::set_spin() noexcept {
    spin_ = spin_for(limits_, members_count_);
    if (!is_private()) loop_->spin(sharing_.empty() ? spin_ : std::chrono::nanoseconds(0));
}

// Shared memory -------------------------------------------------------------------------------------------------------------------

void worker::share(memory& shared) noexcept {
    sharing_.push_back(shared);
    set_spin();
}

/// Asks each of them, and whether one had something to do. Most often none has: that is found out without moving any.
bool worker::poll_memory() noexcept {
    const auto found = std::ranges::find_if(sharing_, [](memory& each) { return each.of.memory_has_news(); });
    if (found == sharing_.end()) return false;
    if (std::next(found) == sharing_.end()) {  // nobody is left to be asked
        found->of.memory_came();
        return true;
    }
    sharing_.rotate_to(*found);
    bool is_known = true;
    auto all = sharing_.take_all();
    while (memory* const each = all.pop_front()) {
        sharing_.push_back(*each);
        if (std::exchange(is_known, false) || each->of.memory_has_news()) each->of.memory_came();
    }
    return true;
}

bool worker::may_sleep() noexcept {
    bool may = true;
    for (memory& each : sharing_) may = each.of.may_sleep(false) && may;
    return may;
}

void worker::run_once(std::chrono::nanoseconds until) noexcept {
    // Polls of memory cost nanoseconds, looks for events a system call, looks at the clock something between.
    constexpr unsigned polls_a_look_at_the_clock = 64;
    constexpr unsigned polls_an_event = 1024;
    if (sharing_.empty()) {
        loop_->run_once(until);
        return;
    }
    const bool unfinished = resume_unfinished();
    if (poll_memory() || unfinished) {
        idle_polls_ = 0;
        if (++busy_polls_ % polls_a_look_at_the_clock == 0) look_for_events(loop_->now());
        return;
    }
    if (spin_.count() > 0) {
        if (++idle_polls_ % polls_a_look_at_the_clock != 0) return;
        const auto now = loop_->now();
        if (idle_polls_ == polls_a_look_at_the_clock) polls_until_ = now + spin_;
        if (now < polls_until_ && now < until) {
            if (events_expected_ > 0 || idle_polls_ % polls_an_event == 0) {
                look_for_events(now);
                if (events_expected_ == 0) loop_->give_way();
            }
            return;
        }
        idle_polls_ = 0;
    }
    if (may_sleep()) look_for_events(until);
    for (memory& each : sharing_) each.of.woke();
}

/// Where some came, more are expected for a while, and looked for as often as memory allows: clients that don't share it are served by this loop, too.
void worker::look_for_events(std::chrono::nanoseconds until) noexcept {
    constexpr unsigned looks_in_vain = 16;
    settled_ = false;
    loop_->run_once(until);
    events_expected_ = settled_ ? looks_in_vain : events_expected_ - std::min(events_expected_, 1U);
}

void worker::leave(connection& member) noexcept {
    members_.erase(member);
    --members_count_;
    set_spin();
    if (on_leave_) on_leave_();
}

void worker::join(parked_client& waiting) noexcept { parked_.push_back(waiting); }

void worker::leave(parked_client& waiting) noexcept {
    parked_.erase(waiting);
    if (on_leave_) on_leave_();
}

void worker::borrowed(connection& borrower) noexcept {
    if (!static_cast<base::list_hook<borrower_tag>&>(borrower).linked()) borrowers_.push_back(borrower);
}

alarm* worker::lend_alarm() noexcept {
    alarm* const spare = spare_alarms_.pop_front();
    return spare != nullptr ? spare : new (std::nothrow) alarm(*this);
}

begun_frame* worker::lend_begun_frame() noexcept {
    begun_frame* const spare = spare_begun_frames_.pop_front();
    return spare != nullptr ? spare : new (std::nothrow) begun_frame(*this);
}

void worker::close_member(std::uint64_t id) noexcept {
    for (connection& member : members_) {
        if (member.id() != id) continue;
        const turn turn(*this);
        member.end(make_error_code(errc::already_closed));
        return;
    }
}

void worker::settle() noexcept {
    settled_ = true;
    auto borrowers = borrowers_.take_all();
    while (connection* const borrower = borrowers.pop_front()) {
        borrower->settle();
        if (borrower->is_unfinished()) {
            unfinished_.push_back(*borrower);
        } else if (borrower->send.writer_open) {
            borrowed(*borrower);  // its commit comes in a later turn
        }
    }
    tell_costs();
}

void worker::tell_costs() noexcept {
    const costs now{.system_calls = loop_->counted().system_calls,
                    .memory_requests = pool_.requests(),
                    .memory_in_use_bytes = pool_.bytes_in_use(),
                    .memory_retained_bytes = pool_.bytes_retained()};
    ledger_.add(entry::system_calls, now.system_calls - told_.system_calls);
    if (now.memory_requests != told_.memory_requests) ledger_.add(entry::memory_requests, now.memory_requests - told_.memory_requests);
    if (now.memory_in_use_bytes != told_.memory_in_use_bytes)
        ledger_.add(entry::memory_in_use_bytes, now.memory_in_use_bytes - told_.memory_in_use_bytes);
    if (now.memory_retained_bytes != told_.memory_retained_bytes)
        ledger_.add(entry::memory_retained_bytes, now.memory_retained_bytes - told_.memory_retained_bytes);
    told_ = now;
}

void worker::woken() {
    const turn turn(*this);
    inbox_->run();
    (void)resume_unfinished();
    auto all = stoppable_.take_all();
    while (alarm* const stoppable = all.pop_front()) {
        stoppable_.push_back(*stoppable);
        if (stoppable->stop_requested()) stoppable->of->finish(*this, std::make_error_code(std::errc::operation_canceled));
    }
}

/// Those whose turn ended with messages left.
bool worker::resume_unfinished() noexcept {
    if (unfinished_.empty()) return false;
    auto unfinished = unfinished_.take_all();
    while (connection* const member = unfinished.pop_front()) member->resume();
    return true;
}

}  // namespace mnet::inline v1::mtcp::detail
