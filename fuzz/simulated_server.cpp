// A whole server and two clients in a simulated world, in which the fuzzer throws the dice: which answer comes when, what is cut where, what is
// refused, reset or parted. Whatever it throws, the rules of mnet/simulation.hpp hold, answers are the questions in their order, and no
// loss is without an error.
//
// The input: two bytes that choose the shape of the handler, the bounds and the faults; two bytes a client that choose what it sends; the
// rest are throws, a byte each.
#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
namespace simulation = mnet::simulation;

struct plan {
    bool coroutine;
    std::size_t message_bytes_max;
    std::size_t unsent_bytes_max;
    simulation::faults luck;
};

plan plan_of(std::uint8_t shape, std::uint8_t trouble) {
    plan chosen{.coroutine = (shape & 1U) != 0,
                .message_bytes_max = (shape & 2U) != 0 ? 64U : 5000U,
                .unsent_bytes_max = (shape & 4U) != 0 ? shape >> 3U : 8000U,
                .luck = simulation::lossless_faults()};
    if ((trouble & 1U) != 0) chosen.luck.resets = 0.02;
    if ((trouble & 2U) != 0) chosen.luck.vanishings = 0.01;
    if ((trouble & 4U) != 0) chosen.luck.partitions = 0.02;
    if ((trouble & 8U) != 0) chosen.luck.refusals = 0.2;
    if ((trouble & 16U) != 0) chosen.luck.accept_failures = chosen.luck.attach_failures = 0.2;
    if ((trouble & 32U) != 0) chosen.luck.slow_readers = 0.5;
    if ((trouble & 64U) != 0) chosen.luck.clock_jumps = 0.01;
    if ((trouble & 128U) != 0) chosen.luck.send_buffer_bytes = chosen.luck.receive_buffer_bytes = 50;
    return chosen;
}

mnet::task<mnet::result<>> echo(mnet::client& client) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        while (!client.send(message->bytes())) {
            if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
        }
    }
}

void echo_message(mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); }

struct asker {
    simulation::world& world;
    mnet::mtcp::loop& loop;
    std::string address;
    plan chosen;
    std::uint8_t count;
    std::uint8_t bytes;
};

mnet::task<void> ask(asker self) {
    const mnet::mtcp::connect_options options{
        .dead_after = 5s, .message_bytes_max = self.chosen.message_bytes_max, .unsent_bytes_max = self.chosen.unsent_bytes_max};
    auto connected = co_await mnet::mtcp::async_connect(self.loop, self.address, options);
    if (!connected) co_return;
    mnet::client client = *std::move(connected);
    const std::string question(std::min<std::size_t>(std::size_t{self.bytes} * 20, self.chosen.message_bytes_max - 1), 'q');
    const auto numbered = [&question](std::size_t number) { return question + static_cast<char>('0' + number % 10); };
    std::size_t asked = 0;
    for (std::size_t answered = 0; answered < self.count;) {
        while (asked < self.count) {
            if (client.send(numbered(asked))) {
                ++asked;
                continue;
            }
            // With an answer to all, the queue may be full all the same: an engine tells later than the peer that the last question has left.
            if (asked > answered || !client.live() || !co_await client.async_wait_for_room({.deadline = mnet::within(5min)})) break;
        }
        const auto since = self.world.elapsed();
        const auto answer = co_await client.async_read({.deadline = mnet::within(5min)});
        self.world.expect_within(since, 5min, "a read ends by its deadline");
        if (!answer) {
            self.world.expect(asked > answered || !client.live(), "there is no error without a reason");
            co_return;
        }
        self.world.expect(answer->text() == numbered(answered), "the answers are the questions, in their order");
        self.world.expect(++answered <= asked, "there is an answer for a question only");
    }
    (void)co_await client.async_close();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t header_bytes = 6;
    if (size < header_bytes) return 0;
    const plan chosen = plan_of(data[0], data[1]);
    simulation::world world({.seed = 1, .faults = chosen.luck, .throws = std::as_bytes(std::span(data, size).subspan(header_bytes))});
    {
        const mnet::mtcp::listen_options options{
            .dead_after = 5s, .message_bytes_max = chosen.message_bytes_max, .unsent_bytes_max = chosen.unsent_bytes_max};
        auto server = chosen.coroutine ? world.listen(options, echo) : world.listen(options, echo_message);
        for (std::size_t client = 0; client < 2 && server; ++client) {
            world.start("client " + std::to_string(client), ask({.world = world,
                                                                 .loop = world.make_loop(simulation::machine{static_cast<int>(client) + 1}),
                                                                 .address = server->address(),
                                                                 .chosen = chosen,
                                                                 .count = data[2 + 2 * client],
                                                                 .bytes = data[3 + 2 * client]}));
        }
        (void)world.run(24h);
    }
    const auto verdict = world.finish();
    if (verdict) return 0;
    std::fputs(verdict.report.c_str(), stderr);
    std::abort();
}
