// When messages are due in an open loop, and how late each answer was: the same bookkeeping for every program that is measured. Message n of
// a run is due at start + n / rate, whatever happened to those before it, and belongs to client n % clients. Its latency counts from then on;
// so a sender that stalls, or that waits for an answer first, can't hide what its clients would have waited ("coordinated omission": Gil
// Tene, "How NOT to Measure Latency", 2013). Beside it, the service time counts from when the message was really written.
//
// The owner asks for the clients whose turn it may be, writes what `next` gives, and tells of each answer. Answers of one client come in
// the order of its messages. Memory is fixed: a client has at most `in_flight_max` messages out, and those beyond wait their turn, late.
#pragma once
#include "histogram.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace mnet::bench {

/// What the rounds of one program gave.
struct latencies {
    histogram response{};  // from when the message was due
    histogram service{};   // from when it was written
    std::uint64_t due = 0;
    std::uint64_t written_in_time = 0;  // before the end of the measured time
    std::uint64_t never_written = 0;    // given up
    std::uint64_t behind_max = 0;       // the most messages that were due and not written, at any moment
    std::uint64_t measured_ns = 0;

    /// Messages a second that were written while it was measured.
    double achieved_rate() const noexcept {
        return measured_ns == 0 ? 0.0 : static_cast<double>(written_in_time) * 1e9 / static_cast<double>(measured_ns);
    }
    /// Whether the sender wrote 99 of 100 messages within the time that they were due in.
    bool kept_rate() const noexcept { return static_cast<double>(written_in_time) >= 0.99 * static_cast<double>(due); }
};

/// A sender sleeps until so long before its next message is due, and polls from then on: sleeps end up to a millisecond late, and that would
/// be told as latency.
inline constexpr std::uint64_t polled_before_due_ns = 1'200'000;

class open_loop {
public:
    open_loop(double rate_per_second, std::size_t clients, std::chrono::nanoseconds duration, latencies& into)
        : nanoseconds_each_(1e9 / rate_per_second),
          duration_ns_(static_cast<std::uint64_t>(duration.count())),
          total_(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(static_cast<double>(duration_ns_) / nanoseconds_each_))),
          in_flight_max_(std::bit_ceil(std::max<std::uint64_t>(16, written_kept / clients))),
          clients_(clients),
          written_ns_(in_flight_max_ * clients),
          into_(into) {}

    /// Forgets the run before; `start` is what its times count from.
    void begin() noexcept {
        visited_ = due_ = written_ = answered_ = 0;
        closed_ = false;
        std::ranges::fill(clients_, client{});
        into_.due += total_;
        into_.measured_ns += duration_ns_;
    }

    void start(std::uint64_t now_ns) noexcept { start_ns_ = now_ns; }

    std::uint64_t total() const noexcept { return total_; }
    std::uint64_t written() const noexcept { return written_; }

    /// When the next message is due that was not due at the last `visit`; the end of writing when there is none.
    std::uint64_t next_due_ns() const noexcept { return due_ < total_ ? due_ns(due_) : closing_ns(); }

    /// How long there is nothing to do but to wait for answers.
    std::uint64_t quiet_until_ns() const noexcept { return written_ < due_ ? 0 : next_due_ns() - polled_before_due_ns; }

    /// Whoever is behind then, is given up: as much time again as was measured, and at least a second.
    std::uint64_t closing_ns() const noexcept { return start_ns_ + duration_ns_ + std::max<std::uint64_t>(duration_ns_, 1'000'000'000U); }

    /// Calls `each(client)` for the clients whose messages have become due since the last visit; for all, when some could not be written then.
    template <typename Each>
    void visit(std::uint64_t now_ns, Each each) {
        if (now_ns >= closing_ns()) closed_ = true;
        while (due_ < total_ && due_ns(due_) <= now_ns) ++due_;
        into_.behind_max = std::max(into_.behind_max, due_ - written_);
        const bool all = written_ < visited_ || due_ - visited_ > clients_.size();
        const std::uint64_t count = all ? clients_.size() : due_ - visited_;
        const std::uint64_t first = all ? 0 : visited_;
        visited_ = due_;
        for (std::uint64_t offset = 0; offset < count; ++offset) each(static_cast<std::size_t>((first + offset) % clients_.size()));
    }

    /// The next message of `client` among its own, where one is due and may be written.
    std::optional<std::uint64_t> next(std::size_t index) const noexcept {
        const client& asked = clients_[index];
        const bool is_due = number_of(index, asked.written) < due_;
        if (!is_due || closed_ || asked.written - asked.answered == in_flight_max_) return std::nullopt;
        return asked.written;
    }

    void wrote(std::size_t index, std::uint64_t now_ns) noexcept {
        written_ns_[slot_of(index, clients_[index].written++)] = now_ns;
        ++written_;
        if (now_ns < start_ns_ + duration_ns_) ++into_.written_in_time;
    }

    /// The next answer of `client` arrived; gives its number among the client's own.
    std::uint64_t answered(std::size_t index, std::uint64_t now_ns) noexcept {
        const std::uint64_t own = clients_[index].answered++;
        const std::uint64_t due = due_ns(number_of(index, own));
        into_.response.record(now_ns - std::min(now_ns, due));
        into_.service.record(now_ns - written_ns_[slot_of(index, own)]);
        ++answered_;
        return own;
    }

    std::uint64_t in_flight(std::size_t index) const noexcept { return clients_[index].written - clients_[index].answered; }

    /// Whether `client` is through: nothing is to be written any more, and all is answered.
    bool done(std::size_t index) const noexcept {
        return in_flight(index) == 0 && (closed_ || number_of(index, clients_[index].written) >= total_);
    }
    bool done() const noexcept { return answered_ == written_ && (closed_ || written_ == total_); }

    /// What was due and never written counts with the time that it has waited: at least so long would its answer have taken.
    void end(std::uint64_t now_ns) noexcept {
        into_.never_written += total_ - written_;
        for (std::size_t index = 0; index < clients_.size(); ++index)
            for (std::uint64_t own = clients_[index].written; number_of(index, own) < total_; ++own)
                into_.response.record(now_ns - std::min(now_ns, due_ns(number_of(index, own))));
    }

private:
    struct client {
        std::uint64_t written = 0;
        std::uint64_t answered = 0;
    };

    static constexpr std::uint64_t written_kept = std::uint64_t{1} << 17U;

    std::uint64_t number_of(std::size_t index, std::uint64_t own) const noexcept { return own * clients_.size() + index; }
    std::uint64_t due_ns(std::uint64_t number) const noexcept {
        return start_ns_ + static_cast<std::uint64_t>(static_cast<double>(number) * nanoseconds_each_);
    }
    std::size_t slot_of(std::size_t index, std::uint64_t own) const noexcept {
        return index * in_flight_max_ + static_cast<std::size_t>(own & (in_flight_max_ - 1));
    }

    double nanoseconds_each_;
    std::uint64_t duration_ns_;
    std::uint64_t total_;
    std::uint64_t in_flight_max_;
    std::vector<client> clients_;
    std::vector<std::uint64_t> written_ns_;
    latencies& into_;
    std::uint64_t start_ns_ = 0;
    std::uint64_t visited_ = 0;  // messages whose clients were visited
    std::uint64_t due_ = 0;      // messages due at the last visit
    std::uint64_t written_ = 0;
    std::uint64_t answered_ = 0;
    bool closed_ = false;
};

}  // namespace mnet::bench
