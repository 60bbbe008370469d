// Counting, checking and echoing for a benchmark: see bench_server.hpp. An idle client is one coroutine frame, kept
// small: so `serve_bench` reads in one place, and what lasts longer than a message is a coroutine of its own.
#include "bench_server.hpp"

#include "measurement.hpp"
#include "protocol.hpp"
#include "stamp.hpp"

#include <mnet/allocation_counter.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace mnet::tool {

namespace {

using bench::stamping;

struct receipt {
    std::uint64_t arrived = 0;
    std::uint64_t delivered = 0;
    std::uint64_t bytes = 0;

    template <stamping Stamping>
    void take(const message& message, std::size_t size) noexcept {
        const std::span<const std::byte> payload = message.bytes();
        bytes += payload.size();
        delivered += bench::intact<Stamping>(payload, size, arrived++) ? 1 : 0;
    }
};

/// What has arrived by now, without waiting: a plain function, so that the counts stay in registers.
template <stamping Stamping>
std::error_code take_arrived(client& client, const bench::request& request, receipt& receipt) noexcept {
    const std::size_t size = request.size;
    auto counts = receipt;
    std::error_code why{};
    while (counts.arrived < request.count) {
        const auto message = client.try_read();
        if (!message) [[unlikely]] {
            if (message.error() != errc::no_data_yet) why = message.error();
            break;
        }
        counts.take<Stamping>(*message, size);
    }
    receipt = counts;
    return why;
}

template <stamping Stamping>
task<result<>> receive_messages(client& client, bench::request request) {
    if (auto sent = client.send(bench::ready_text); !sent) co_return sent;
    const bench::usage before = bench::usage_now(client.system_calls());
    receipt received;
    while (received.arrived < request.count) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        received.take<Stamping>(*message, request.size);
        if (const auto why = take_arrived<Stamping>(client, request, received)) co_return failure(why);
    }
    const bench::usage used = bench::usage_now(client.system_calls()) - before;
    co_return client.send(bench::to_text(bench::answer{.delivered = received.delivered, .bytes = received.bytes, .usage = used}));
}

task<result<>> receive_stream(client& client, const bench::request& request) {
    return bench::with_stamping(request.size, [&](auto stamping) { return receive_messages<stamping.value>(client, request); });
}

task<result<>> answer_pingpong(client& client, bench::request request) {
    if (auto sent = client.send(bench::ready_text); !sent) co_return sent;
    const bench::usage before = bench::usage_now(client.system_calls());
    bench::answer told;
    for (std::uint64_t sequence = 0; sequence < request.count; ++sequence) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        if (auto sent = client.send(message->bytes()); !sent) co_return sent;
        told.delivered += bench::intact(message->bytes(), request.size, sequence) ? 1 : 0;
        told.bytes += message->size();
    }
    told.usage = bench::usage_now(client.system_calls()) - before;
    co_return client.send(bench::to_text(told));
}

result<> answer_counters(client& client, const std::string& plain_address) {
    const diagnostics::uncounted_allocations pause;
    return client.send(bench::to_text(bench::answer{.usage = bench::usage_now(client.system_calls()),
                                                    .resident_bytes = bench::resident_bytes(),
                                                    .plain_address = plain_address,
                                                    .engine = std::string(client.engine())}));
}

std::optional<bench::request> understood(const message& message) {
    const diagnostics::uncounted_allocations pause;
    return bench::parse_request(message.text());
}

/// What a client has got to.
struct session {
    bool echoes = false;
    task<result<>> part{};  // what has to be awaited next, if anything
};

task<result<>> echo_patiently(client& client, message message) {
    for (;;) {
        if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
        auto sent = client.send(message.bytes());
        if (sent || sent.error() != errc::would_block) co_return sent;
    }
}

/// Does what can be done without waiting, and leaves the rest in `session.part`.
result<> answer(client& client, const message& message, const std::string& plain_address, session& session) {
    if (session.echoes) {
        auto sent = client.send(message.bytes());
        if (sent || sent.error() != errc::would_block) return sent;
        session.part = echo_patiently(client, message);
        return {};
    }
    const auto request = understood(message);
    if (!request) return failure(std::errc::protocol_error);
    switch (request->work) {
        case bench::work::stream:
            session.part = receive_stream(client, *request);
            break;
        case bench::work::pingpong:
            session.part = answer_pingpong(client, *request);
            break;
        case bench::work::counters:
            return answer_counters(client, plain_address);
        case bench::work::echo:
            session.echoes = true;
            return client.send(bench::ready_text);
    }
    return {};
}

}  // namespace

task<result<>> serve_bench(client& client, const std::string& plain_address) {
    session session;
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        result<> done = answer(client, *message, plain_address, session);
        if (done && session.part) done = co_await std::exchange(session.part, {});
        if (!done) co_return done;
    }
}

}  // namespace mnet::tool
