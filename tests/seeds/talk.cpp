// See talk.hpp.
#include "seeds/talk.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>

namespace seeds {
namespace {

using namespace std::chrono_literals;
using mnet::client;
using mnet::errc;
using mnet::within;

std::size_t any_size(choices& dice, std::size_t most) noexcept {
    switch (dice.below(6)) {
        case 0:
            return 0;
        case 1:
            return dice.below(std::min<std::size_t>(most, 16) + 1);
        case 2:
        case 3:
            return dice.below(std::min<std::size_t>(most, 2000) + 1);
        case 4:
            return most;
        default:
            return dice.below(most + 1);
    }
}

/// Mostly long, and now and then so short that it has passed before the answer can be there.
std::chrono::nanoseconds any_span(choices& dice) noexcept {
    switch (dice.below(8)) {
        case 0:
            return std::chrono::nanoseconds(dice.below(1'500'000));
        case 1:
            return std::chrono::milliseconds(dice.below(50));
        default:
            return 60s;
    }
}

mnet::mtcp::connect_options options_of(const setting& all) noexcept {
    return {.dial_timeout = 5s,
            .dead_after = all.dead_after,
            .message_bytes_max = all.limits.message_bytes_max,
            .unsent_bytes_max = all.limits.unsent_bytes_max,
            .tls = all.tls};
}

class talker {
public:
    talker(setting& all, std::uint64_t number, client& client, outcome& told)
        : all_(all), world_(all.world), client_(client), told_(told), name_(std::to_string(number)), dice_(all.seed * 31 + number) {
        messages_ = 1 + dice_.below(dice_.one_in(10) ? 600 : 40);
    }

    mnet::task<void> run() {
        while (!told_.error && told_.echoed < messages_) {
            const bool may_send = told_.sent.size() < messages_;
            if (may_send && (told_.sent.size() == told_.echoed || !dice_.one_in(3)) && send()) {
                if (dice_.one_in(8)) co_await flush();
                if (dice_.one_in(30)) co_await mnet::simulation::pause(all_.loop, std::chrono::milliseconds(dice_.below(100)));
                continue;
            }
            // No room although every answer is here: an engine may be late to say that the last bytes have left.
            if (may_send && told_.sent.size() == told_.echoed) {
                co_await flush();
            } else {
                co_await read();
            }
        }
        if (!dice_.one_in(4)) co_await close();
        told_.finished = true;
    }

private:
    /// One message; false where there is no room for it.
    bool send() {
        if (dice_.one_in(50)) {
            const auto refused = client_.send(std::string(all_.limits.message_bytes_max + 1, '!'));
            world_.expect(!refused, "a message longer than message_bytes_max is refused");
        }
        std::string text = text_of(name_, told_.sent.size(), any_size(dice_, all_.limits.message_bytes_max));
        if (text.size() > all_.limits.message_bytes_max) text.resize(all_.limits.message_bytes_max);
        const auto sent = client_.send(text);
        const std::uint64_t unsent = client_.unsent_bytes();
        if (sent) {
            const std::uint64_t frame_bytes = text.size() + mnet::wire::header_bytes;
            world_.expect(unsent < frame_bytes || unsent - frame_bytes <= all_.limits.unsent_bytes_max,
                          "nothing is committed above unsent_bytes_max");
            told_.sent.push_back(std::move(text));
            return true;
        }
        if (sent.error() == errc::would_block) {
            world_.expect(unsent > all_.limits.unsent_bytes_max, "a write is refused only above unsent_bytes_max");
        } else {
            told_.error = sent.error();
        }
        return false;
    }

    mnet::task<void> flush() {
        // Not for long: a server that is not read takes no more, and only reading helps.
        const auto since = world_.elapsed();
        const auto flushed = co_await client_.async_flush({.deadline = within(10ms)});
        world_.expect_within(since, 10ms, "a flush ends by its deadline");
        if (!flushed && flushed.error() != std::errc::timed_out) told_.error = flushed.error();
        if (flushed) world_.expect(client_.unsent_bytes() == 0, "a flush that says so has sent all");
    }

    mnet::task<void> read() {
        const auto span = any_span(dice_);
        const auto since = world_.elapsed();
        const auto message = co_await client_.async_read({.deadline = within(span)});
        world_.expect_within(since, span, "a read ends by its deadline");
        if (!message) {
            if (message.error() != std::errc::timed_out || span == 60s) told_.error = message.error();
            co_return;
        }
        if (message->text().starts_with('!')) {
            const std::uint64_t broadcast = std::stoull(std::string(message->text().substr(1)));
            world_.expect(broadcast >= told_.told, "what was broadcast comes in order, once");
            told_.told = broadcast + 1;
            co_return;
        }
        if (!world_.expect(told_.echoed < told_.sent.size(), "there is an answer for a question only")) co_return;
        world_.expect(message->text() == told_.sent[told_.echoed], "the answers are the questions, in their order");
        ++told_.echoed;
    }

    mnet::task<void> close() {
        const auto counted = client_.statistics();
        const std::uint64_t committed_bytes = counted.payload_bytes_sent + mnet::wire::header_bytes * counted.messages_sent;
        const auto since = world_.elapsed();
        const mnet::delivery account = co_await client_.async_close({.deadline = within(10s)});
        world_.expect_within(since, 10s, "a close ends by its deadline");
        const std::uint64_t told_bytes = account.bytes_acknowledged + account.bytes_unacknowledged + account.bytes_unsent;
        const bool all_told = all_.tls != nullptr ? told_bytes >= committed_bytes : told_bytes == committed_bytes;  // records are longer
        world_.expect(all_told, "a close accounts for every byte that was committed");
    }

    setting& all_;
    mnet::simulation::world& world_;
    client& client_;
    outcome& told_;
    std::string name_;
    choices dice_;
    std::uint64_t messages_ = 0;
};

}  // namespace

mnet::task<void> talk(setting& all, std::uint64_t number, outcome& told) {
    const auto since = all.world.elapsed();
    auto connected = co_await mnet::mtcp::async_connect(all.loop, all.address, options_of(all));
    all.world.expect_within(since, 5s, "a connect ends by its deadline");
    if (!connected) {
        told.error = connected.error();
        told.finished = true;
        co_return;
    }
    client client = *std::move(connected);
    talker talker(all, number, client, told);
    co_await talker.run();
}

void ask_again_and_again(setting& all, mnet::simulation::machine where, std::uint64_t connections) {
    constexpr auto longest_read = 20s;
    choices dice(all.seed * 37);
    auto options = options_of(all);
    auto made = all.world.connect(all.address, options, where);
    if (!made) return;
    client client = *std::move(made);
    for (std::uint64_t connection = 0; connection < connections; ++connection) {
        const std::string name = std::string(1, static_cast<char>('A' + connection % 26));
        const std::uint64_t questions = 2 + dice.below(6);
        std::uint64_t asked = 0;
        while (asked < questions && client.send(text_of(name, asked, std::min<std::size_t>(8, all.limits.message_bytes_max)))) ++asked;
        // Most answers are read, the last ones often not; they may wait in the window by then.
        const std::uint64_t wanted = dice.below(asked + 1);
        for (std::uint64_t read = 0; read < wanted;) {
            const auto since = all.world.elapsed();
            const auto answer = client.read({.deadline = within(longest_read)});
            all.world.expect_within(since, longest_read, "a blocking read ends by its deadline");
            if (!answer) break;
            if (answer->text().starts_with('!')) continue;
            const std::string expected = text_of(name, read, std::min<std::size_t>(8, all.limits.message_bytes_max));
            all.world.expect(answer->text() == expected, "after a reconnect come the answers of this connection only, once each");
            ++read;
        }
        if (dice.one_in(2)) (void)client.wait({.deadline = within(10ms)});
        if (dice.one_in(3)) all.world.run_for(5ms);
        if (connection + 1 < connections && !client.reconnect()) return;
    }
    const auto since = all.world.elapsed();
    (void)client.close({.deadline = within(2s)});
    all.world.expect_within(since, 2s, "a blocking close ends by its deadline");
}

}  // namespace seeds
