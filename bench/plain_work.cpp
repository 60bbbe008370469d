// Stream and ping-pong over one plain blocking connection, both ends: see plain_sockets.hpp.
#include "plain_sockets.hpp"
#include "stamp.hpp"
#include "trip_clock.hpp"

#include <cstring>

namespace mnet::bench::plain {

namespace {

std::string_view text_of(std::span<const std::byte> payload) noexcept {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

/// Announces the work and waits until the server is ready for it.
result<> begin(connection& connection, const request& request) {
    if (auto sent = connection.send_text(to_text(request)); !sent) return sent;
    const auto ready = connection.read();
    if (!ready) return std::unexpected(ready.error());
    if (text_of(*ready) != ready_text) return failure(std::errc::protocol_error);
    return {};
}

template <stamping Stamping>
result<> send_stream(connection& connection, std::uint64_t count, std::span<const std::byte> source) noexcept {
    const std::size_t size = source.size();
    for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
        std::byte* const target = connection.room(size);
        if (target == nullptr) [[unlikely]]
            return std::unexpected(connection.error());
        if (size != 0) std::memcpy(target, source.data(), size);
        stamp<Stamping>({target, size}, sequence);
        connection.commit(size);
    }
    return connection.flush();
}

struct receipt {
    std::uint64_t delivered = 0;
    std::uint64_t bytes = 0;
};

template <stamping Stamping>
result<receipt> receive_messages(connection& connection, std::uint64_t count, std::size_t size) noexcept {
    receipt received;
    for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
        const auto payload = connection.read();
        if (!payload) [[unlikely]]
            return std::unexpected(payload.error());
        received.bytes += payload->size();
        received.delivered += intact<Stamping>(*payload, size, sequence) ? 1 : 0;
    }
    return received;
}

}  // namespace

result<answer> ask(connection& connection, const request& request) {
    if (auto sent = connection.send_text(to_text(request)); !sent) return std::unexpected(sent.error());
    const auto reply = connection.read();
    if (!reply) return std::unexpected(reply.error());
    auto parsed = parse_answer(text_of(*reply));
    if (!parsed) return failure(std::errc::protocol_error);
    return *parsed;
}

result<measurement> measure_stream(connection& connection, std::uint64_t count, std::size_t size) {
    const std::vector<std::byte> source(size, std::byte{0x5a});
    if (auto begun = begin(connection, {.work = work::stream, .count = count, .size = size}); !begun) return std::unexpected(begun.error());

    const usage before = usage_now(connection.system_calls());
    const std::uint64_t start = now_ns();
    const auto sent = with_stamping(size, [&](auto stamping) { return send_stream<stamping.value>(connection, count, source); });
    if (!sent) return std::unexpected(sent.error());
    const auto report = connection.read();
    const std::uint64_t end = now_ns();
    const usage used = usage_now(connection.system_calls()) - before;

    if (!report) return std::unexpected(report.error());
    const auto told = parse_answer(text_of(*report));
    if (!told) return failure(std::errc::protocol_error);
    return measurement{.messages = count,
                       .delivered = told->delivered,
                       .bytes = told->bytes,
                       .elapsed_ns = end - start,
                       .sender = used,
                       .receiver = told->usage};
}

result<measurement> measure_pingpong(connection& connection, std::uint64_t count, std::size_t size,
                                     std::vector<std::uint64_t>& latencies_ns) {
    const std::vector<std::byte> source(size, std::byte{0x5a});
    if (auto begun = begin(connection, {.work = work::pingpong, .count = count, .size = size}); !begun)
        return std::unexpected(begun.error());

    measurement measured{.messages = count};
    const usage before = usage_now(connection.system_calls());
    const trip_clock clock;
    const std::uint64_t start = now_ns();
    std::uint64_t begun_at = clock.now();
    for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
        std::byte* const target = connection.room(size);
        if (target == nullptr) return std::unexpected(connection.error());
        if (size != 0) std::memcpy(target, source.data(), size);
        stamp({target, size}, sequence);
        connection.commit(size);
        if (auto flushed = connection.flush(); !flushed) return std::unexpected(flushed.error());
        const auto reply = connection.read();
        if (!reply) return std::unexpected(reply.error());
        const std::uint64_t now = clock.now();
        latencies_ns.push_back(now - begun_at);
        begun_at = now;
        if (!intact(*reply, size, sequence)) continue;
        ++measured.delivered;
        measured.bytes += size;
    }
    measured.elapsed_ns = now_ns() - start;
    measured.sender = usage_now(connection.system_calls()) - before;
    clock.to_ns(std::span(latencies_ns).last(count));

    const auto report = connection.read();
    if (!report) return std::unexpected(report.error());
    const auto told = parse_answer(text_of(*report));
    if (!told) return failure(std::errc::protocol_error);
    measured.receiver = told->usage;
    return measured;
}

result<> receive_stream(connection& connection, const request& request) {
    if (auto sent = connection.send_text(ready_text); !sent) return sent;
    const usage before = usage_now(connection.system_calls());
    const auto received = with_stamping(
        request.size, [&](auto stamping) { return receive_messages<stamping.value>(connection, request.count, request.size); });
    if (!received) return std::unexpected(received.error());
    const usage used = usage_now(connection.system_calls()) - before;
    return connection.send_text(to_text(answer{.delivered = received->delivered, .bytes = received->bytes, .usage = used}));
}

result<> answer_pingpong(connection& connection, const request& request) {
    if (auto sent = connection.send_text(ready_text); !sent) return sent;
    const usage before = usage_now(connection.system_calls());
    answer told;
    for (std::uint64_t sequence = 0; sequence < request.count; ++sequence) {
        const auto payload = connection.read();
        if (!payload) return std::unexpected(payload.error());
        std::byte* const target = connection.room(payload->size());
        if (target == nullptr) return std::unexpected(connection.error());
        if (!payload->empty()) std::memcpy(target, payload->data(), payload->size());
        connection.commit(payload->size());
        if (auto flushed = connection.flush(); !flushed) return flushed;
        told.delivered += intact(*payload, request.size, sequence) ? 1 : 0;
        told.bytes += payload->size();
    }
    told.usage = usage_now(connection.system_calls()) - before;
    return connection.send_text(to_text(told));
}

}  // namespace mnet::bench::plain
