// Counting, checking and echoing for a benchmark: see bench_server.hpp. An idle client that echoes is one coroutine frame, so that loop
// stands in `serve_bench` itself.
#include "bench_server.hpp"

#include "measurement.hpp"
#include "protocol.hpp"
#include "stamp.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

namespace mnet::tool {

namespace {

using bench::stamping;

template <stamping Stamping>
task<result<>> receive_messages(client& client, bench::request request) {
    if (auto sent = client.send(bench::ready_text); !sent) co_return sent;
    const bench::usage before = bench::usage_now(client.system_calls());
    const std::uint64_t count = request.count;
    const std::size_t size = request.size;
    std::uint64_t delivered = 0;
    std::uint64_t bytes = 0;
    for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
        const auto message = co_await client.async_read();
        if (!message) [[unlikely]]
            co_return failure(message.error());
        const std::span<const std::byte> payload = message->bytes();
        bytes += payload.size();
        delivered += bench::intact<Stamping>(payload, size, sequence) ? 1 : 0;
    }
    const bench::usage used = bench::usage_now(client.system_calls()) - before;
    co_return client.send(bench::to_text(bench::answer{.delivered = delivered, .bytes = bytes, .usage = used}));
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
    return client.send(bench::to_text(bench::answer{.usage = bench::usage_now(client.system_calls()),
                                                    .resident_bytes = bench::resident_bytes(),
                                                    .plain_address = plain_address}));
}

/// Does what can be done without waiting; gives the part that waits, or none.
result<task<result<>>> begin(client& client, const bench::request& request, const std::string& plain_address) {
    result<> sent;
    switch (request.work) {
        case bench::work::stream:
            return receive_stream(client, request);
        case bench::work::pingpong:
            return answer_pingpong(client, request);
        case bench::work::counters:
            sent = answer_counters(client, plain_address);
            break;
        case bench::work::echo:
            sent = client.send(bench::ready_text);
            break;
    }
    if (!sent) return std::unexpected(sent.error());
    return task<result<>>();
}

}  // namespace

task<result<>> serve_bench(client& client, const std::string& plain_address) {
    bool echoes = false;
    while (!echoes) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        const auto request = bench::parse_request(message->text());
        if (!request) co_return failure(std::errc::protocol_error);
        auto part = begin(client, *request, plain_address);
        if (!part) co_return failure(part.error());
        if (*part) {
            const auto done = co_await std::move(*part);
            if (!done) co_return done;
        }
        echoes = request->work == bench::work::echo;
    }
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return failure(message.error());
        auto sent = client.send(message->bytes());
        while (!sent && sent.error() == errc::would_block) {
            if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
            sent = client.send(message->bytes());
        }
        if (!sent) co_return sent;
    }
}

}  // namespace mnet::tool
