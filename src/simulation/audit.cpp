// See audit.hpp.
#include "simulation/audit.hpp"

#include "io/simulated/socket.hpp"
#include "mtcp/race.hpp"

#include <mnet/client.hpp>

#include <algorithm>

namespace mnet::inline v1::simulation {
namespace {

std::uint64_t committed_bytes(const client_statistics& of) noexcept {
    return of.payload_bytes_sent + of.messages_sent * wire::header_bytes;
}

}  // namespace

audit::end* audit::find(const io::simulated::socket& of) {
    const auto found = ends_.find(of.handle);
    if (found == ends_.end() || found->second.of->is_guarded()) return nullptr;  // of TLS the library counts records
    touched_.insert(of.handle);
    return &found->second;
}

void audit::opened(const io::simulated::socket& fresh) {
    if (mtcp::detail::race::runs(*fresh.stream)) return;  // the connection that takes it over comes next
    auto& connection = mtcp::detail::connection::of(*fresh.stream);
    ends_.emplace(
        fresh.handle,
        end{.of = &connection, .socket = &fresh, .before = connection.statistics(), .kept_messages = connection.unsent_messages()});
    workers_[&connection.host().loop()] = &connection.host();
    ++connections_;
}

void audit::taken(const io::simulated::socket& from, std::span<const std::byte> bytes) {
    end* const sender = find(from);
    if (sender == nullptr) return;
    sender->taken_bytes += bytes.size();
    sender->leaving.feed(bytes, [&](std::uint32_t length) {
        ++sender->frames_taken;
        judged_ = from.handle;
        require(*sender, length <= sender->of->limits_in_force().message_bytes_max,
                "no message leaves that is longer than message_bytes_max");
    });
}

void audit::given(const io::simulated::socket& to, std::span<const std::byte> bytes) {
    end* const receiver = find(to);
    if (receiver == nullptr) return;
    receiver->given_bytes += bytes.size();
    receiver->arriving.feed(bytes, [&](std::uint32_t length) {
        receiver->arrived.push_back(length);
        ++frames_;
    });
}

void audit::left(const io::simulated::socket& gone) {
    if (end* const subject = find(gone)) judge(gone.handle, *subject);
    touched_.erase(gone.handle);
    ends_.erase(gone.handle);
    some_left_ = true;
}

void audit::ended(const io::loop& loop) { workers_.erase(&loop); }

void audit::stepped() {
    for (const int handle : touched_) judge(handle, ends_.at(handle));
    touched_.clear();
    if (!std::exchange(some_left_, false)) return;
    for (const auto& [loop, worker] : workers_) {
        if (!worker->deserted() || worker->pool().bytes_in_use() == 0) continue;
        complain_("a loop without clients has no block of its pool in use");
    }
}

void audit::judge(int handle, end& subject) {
    judged_ = handle;
    const client_statistics now = subject.of->statistics();
    judge_output(subject, now);
    judge_input(subject, now);
}

void audit::judge_output(end& subject, const client_statistics& now) {
    const std::uint64_t answered_bytes = subject.taken_bytes - subject.socket->sent_unanswered;
    require(subject, now.wire_bytes_sent - subject.before.wire_bytes_sent == answered_bytes, "what the kernel took is counted as sent");
    const std::uint64_t dropped = now.messages_dropped - subject.before.messages_dropped;
    require(subject, now.messages_sent - subject.before.messages_sent + subject.kept_messages >= subject.frames_taken + dropped,
            "no more messages leave than were committed and not dropped");
    const std::size_t one_message = subject.of->limits_in_force().message_bytes_max + wire::header_bytes;
    require(subject, now.unsent_bytes <= subject.of->unsent_bytes_max() + one_message + subject.of->marker_frame_bytes(),
            "unsent bytes keep to unsent_bytes_max and one message");
    if (!subject.of->sends()) return;
    const std::uint64_t committed = committed_bytes(now) - committed_bytes(subject.before) + subject.before.unsent_bytes;
    const std::uint64_t dropped_bytes = now.payload_bytes_dropped - subject.before.payload_bytes_dropped + dropped * wire::header_bytes;
    require(subject, committed == answered_bytes + now.unsent_bytes + dropped_bytes,
            "every byte that was committed is with the kernel, unsent or dropped, once");
}

void audit::judge_input(end& subject, const client_statistics& now) {
    require(subject, now.wire_bytes_received - subject.before.wire_bytes_received == subject.given_bytes,
            "what the kernel gave is counted as received");
    const std::uint64_t messages = now.messages_received - subject.before.messages_received;
    require(subject, messages <= subject.messages_given + subject.arrived.size(),
            "no message is given to the program that has not arrived");
    while (subject.messages_given < messages && !subject.arrived.empty()) {
        ++subject.messages_given;
        subject.payload_bytes_given += subject.arrived.front();
        subject.arrived.pop_front();
    }
    require(subject, now.payload_bytes_received - subject.before.payload_bytes_received == subject.payload_bytes_given,
            "messages are given to the program as they arrived, one after the other");
}

void audit::require(end& subject, bool holds, const char* rule) {
    if (holds || std::exchange(subject.broken, true)) return;
    complain_("handle " + std::to_string(judged_) + ": " + rule);
}

int audit::handle_of(client& of) const noexcept {
    auto* const wanted = dynamic_cast<mtcp::detail::connection*>(&client_access::transport(of));
    const auto found = std::ranges::find(ends_, wanted, [](const auto& entry) { return entry.second.of; });
    return found == ends_.end() ? -1 : found->first;
}

}  // namespace mnet::inline v1::simulation
