// How a network stops: every loop, and every thread of a blocking client, is asked to; whoever has not ended by the deadline is left behind.
#include "mtcp/connection.hpp"
#include "mtcp/network_core.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// The loops cut what is left a little before the deadline, so that `stop` can return by it.
std::chrono::nanoseconds cut_after(std::chrono::nanoseconds span) noexcept {
    return span - std::min<std::chrono::nanoseconds>(span / 10, std::chrono::milliseconds(100));
}

}  // namespace

void network_core::add_up(worker& ended) noexcept {
    farewell_.clients_drained += ended.parted().clients_drained;
    farewell_.clients_cut += ended.parted().clients_cut;
    farewell_.bytes_cut += ended.parted().bytes_cut;
    farewell_.messages_cut += ended.parted().messages_cut;
    farewell_.messages_unacknowledged += ended.parted().messages_unacknowledged;
    farewell_.bytes_unread += ended.parted().bytes_unread;
}

bool network_core::all_ended() const noexcept {
    const bool loops_ended = std::ranges::all_of(stations_, [](const station& each) { return each.ended || !each.thread.joinable(); });
    return loops_ended && blocking_workers_.empty();
}

/// The clients over `stop_over_` from the call on. What is posted is small enough to need no memory.
void network_core::ask_to_stop() {
    for (station& each : stations_) {
        const auto stop_station = [this, &each] {
            if (tls_ && *tls_ && &each == &stations_.front()) each.work->loop().cancel(certificates_timer_);
            if (each.door) each.door->close();
            if (each.side_door) each.side_door->close();
            tell_to_stop(*each.work, {}, stop_over_);
        };
        if (world_.threads()) {
            (void)each.work->mail()->post(stop_station);
        } else {
            stop_station();
        }
    }
    const auto share = stop_over_ / std::max<std::size_t>(blocking_workers_.size(), 1);
    for (auto delay = std::chrono::nanoseconds(0); worker* const each : blocking_workers_) {
        (void)each->mail()->post([this, each, delay] { tell_to_stop(*each, delay, {}); });
        delay += share;
    }
}

/// A worker that hears of it late has so much less time.
void network_core::tell_to_stop(worker& work, std::chrono::nanoseconds delay, std::chrono::nanoseconds over) noexcept {
    work.stop(stop_asked_ + delay, over, stop_span_ == io::never ? io::never : stop_asked_ + cut_after(stop_span_));
}

farewell network_core::stop(const stop_options& how) {
    std::unique_lock lock(mutex_);
    if (stopping_) {
        changed_.wait(lock, [this] { return stopped_; });
        return farewell_;
    }
    stopping_ = true;
    stop_asked_ = stations_.front().work->loop().now();
    const auto due = how.deadline.from(stop_asked_);
    stop_span_ = due == io::never ? io::never : std::max(due - stop_asked_, std::chrono::nanoseconds(0));
    stop_over_ = std::clamp(how.over, std::chrono::nanoseconds(0), stop_span_ / 4 * 3);
    ask_to_stop();
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
    fall_silent();
    stopped_ = true;
    changed_.notify_all();
    return farewell_;
}

}  // namespace mnet::inline v1::mtcp::detail
