// How a loop stops: its connections are told to end, all at once or one after the other; what is left at the deadline is cut.
#include "mtcp/connection.hpp"
#include "mtcp/parked_client.hpp"
#include "mtcp/worker.hpp"

#include <algorithm>
#include <new>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// Between two looks whose turn it is to be told.
constexpr std::chrono::milliseconds telling_step{10};

}  // namespace

void worker::stop(std::chrono::nanoseconds begin, std::chrono::nanoseconds over, std::chrono::nanoseconds due) noexcept {
    const turn turn(*this);
    stopping_ = true;
    stop_due_ = due;
    if (due != io::never) loop_->set(stop_timer_, due);
    telling_from_ = begin;
    telling_over_ = over;
    to_tell_ = members_count_;
    stop_parked();
    tell_to_stop();
}

/// At once: they have said nothing that could be answered.
void worker::stop_parked() noexcept {
    for (parked_client& each : parked_) each.stop();
}

/// Ids grow, and members stand in the order of their coming: so those that are to be told are the first ones that weren't.
void worker::tell_to_stop() noexcept {
    const turn turn(*this);
    const auto now = loop_->now();
    const bool all = now >= telling_from_ + telling_over_;
    std::size_t number = 0;
    if (!all && now > telling_from_) {
        const auto share = std::chrono::duration<double>(now - telling_from_) / std::chrono::duration<double>(telling_over_);
        number = static_cast<std::size_t>(share * static_cast<double>(to_tell_));
    }
    std::uint64_t up_to = told_up_to_;
    for (const connection& member : members_) {
        if (all || told_to_end_ >= number) break;
        if (!member.is_served() || member.id() <= up_to) continue;
        up_to = member.id();
        ++told_to_end_;
    }
    const std::uint64_t before = told_up_to_;
    told_up_to_ = all ? everybody : up_to;
    auto everyone = members_.take_all();
    while (connection* const member = everyone.pop_front()) {
        members_.push_back(*member);
        const bool due = member->is_served() ? member->id() > before && member->id() <= told_up_to_ : all;
        if (due) member->stop();
    }
    if (!all) loop_->set(telling_timer_, std::min(std::max(now, telling_from_) + telling_step, telling_from_ + telling_over_));
}

void worker::cut_all() noexcept {
    const turn turn(*this);
    stop_parked();
    auto all = members_.take_all();
    while (connection* const member = all.pop_front()) {
        members_.push_back(*member);
        member->cut();
    }
}

void worker::part(const delivery& account) noexcept {
    if (!stopping_) return;
    farewell_.messages_cut += account.messages_unsent;
    farewell_.messages_unacknowledged += account.messages_unacknowledged;
    farewell_.bytes_unread += account.bytes_unread;
    // The rest of a frame may be with io_uring, all of it: nothing is unsent then.
    const bool in_doubt = account.messages_unacknowledged > 0 && loop_->now() >= stop_due_;
    if (account.bytes_unsent == 0 && !in_doubt) {
        ++farewell_.clients_drained;
    } else {
        ++farewell_.clients_cut;
        farewell_.bytes_cut += account.bytes_unsent;
    }
}

std::span<std::byte> worker::room_for_waste() noexcept {
    if (!waste_) waste_.reset(new (std::nothrow) waste);
    if (!waste_) return {};
    return *waste_;
}

}  // namespace mnet::inline v1::mtcp::detail
