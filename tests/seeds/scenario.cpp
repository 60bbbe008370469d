// See scenario.hpp. Half of the worlds lose nothing: there every client has to get every answer. In the others a loss has to come with an
// error.
#include "seeds/scenario.hpp"

#include "seeds/choices.hpp"
#include "seeds/returning.hpp"
#include "seeds/talk.hpp"

#include <utility>
#include <vector>

namespace seeds {
namespace {

using namespace std::chrono_literals;
using mnet::client;
using mnet::errc;
using mnet::simulation::faults;
using mnet::simulation::machine;
using mnet::simulation::world;

constexpr machine of_the_server{0};
constexpr machine of_the_clients{1};

mnet::task<mnet::result<>> echo(client& client, hearing& of_returning) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        of_returning.heard(client.id(), message->text());
        auto sent = client.send(message->bytes());
        while (!sent && sent.error() == errc::would_block) {
            if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
            sent = client.send(message->bytes());
        }
        if (!sent) co_return sent;
    }
}

/// What a correct program does not notice, and what takes its time.
faults slow_luck(choices& dice, const bounds& limits) {
    faults luck = mnet::simulation::lossless_faults();
    // Of a byte each only where messages are short: else the dice are thrown for nothing but bytes.
    const std::size_t least_bytes = limits.message_bytes_max < 100 ? 1 : 100;
    if (dice.one_in(3)) luck.send_buffer_bytes = luck.receive_buffer_bytes = least_bytes + dice.below(2000);
    if (dice.one_in(4)) luck.bandwidth_bytes = 20'000 + dice.below(10'000'000);
    if (dice.one_in(4)) {
        luck.slow_readers = 0.3;
        luck.receive_buffer_bytes += 500;  // else a message may take longer than anybody waits
    }
    if (dice.one_in(8)) luck.accept_delay.max = 100ms;
    luck.slow_read_delay.max = std::chrono::milliseconds(1 + dice.below(20));
    return luck;
}

faults hostile_luck(choices& dice, const bounds& limits) {
    faults luck = slow_luck(dice, limits);
    if (dice.one_in(2)) luck.resets = 0.01;
    if (dice.one_in(3)) luck.vanishings = 0.003;
    if (dice.one_in(3)) luck.partitions = 0.01;
    if (dice.one_in(3)) luck.refusals = 0.3;
    if (dice.one_in(3)) luck.accept_failures = 0.3;
    if (dice.one_in(4)) luck.attach_failures = 0.2;
    if (dice.one_in(4)) luck.clock_jumps = 0.001;
    if (dice.one_in(8)) luck.handles_max = 3 + dice.below(8);
    luck.partition_length.max = std::chrono::seconds(1 + dice.below(20));
    return luck;
}

bounds any_bounds(choices& dice) {
    if (!dice.one_in(3)) return {.message_bytes_max = 20'000, .unsent_bytes_max = 30'000};
    return {.message_bytes_max = 20 + dice.below(30), .unsent_bytes_max = dice.below(100)};
}

class scenario {
public:
    scenario(std::uint64_t seed, std::string again, const support::tls_pair* secured)
        : dice_(seed),
          secured_(secured),
          lossless_(dice_.one_in(2)),
          limits_(any_bounds(dice_)),
          seed_(seed),
          world_(
              {.seed = seed, .faults = lossless_ ? slow_luck(dice_, limits_) : hostile_luck(dice_, limits_), .again = std::move(again)}) {}

    mnet::simulation::verdict run() {
        mnet::mtcp::listen_options options{.loops = static_cast<unsigned>(1 + dice_.below(2)),
                                           .message_bytes_max = limits_.message_bytes_max,
                                           .unsent_bytes_max = limits_.unsent_bytes_max};
        if (secured_ != nullptr) options.tls = secured_->server;
        if (!lossless_ && dice_.one_in(2)) options.dead_after = 5s;
        if (!lossless_ && dice_.one_in(8)) options.clients_max = 1 + dice_.below(3);
        messages_ = !dice_.one_in(2);
        if (open(options)) {
            serve(options);
        } else {
            world_.expect(!lossless_, "a server can listen");
        }
        close();
        return world_.finish();
    }

private:
    bool open(const mnet::mtcp::listen_options& options) {
        const auto by_coroutine = [this](client& client) { return echo(client, heard_); };
        const auto by_message = [this](client& client, mnet::message message) noexcept {
            heard_.heard(client.id(), message.text());
            (void)client.send(message.bytes());
        };
        server_ = messages_ ? world_.listen(options, by_message, of_the_server) : world_.listen(options, by_coroutine, of_the_server);
        return server_.has_value();
    }

    void close() {
        {
            const auto gone = std::exchange(server_, mnet::failure(errc::already_closed));  // what happens meanwhile finds none
        }
        heard_.server_left();
    }

    void serve(mnet::mtcp::listen_options& options) {
        const std::string address = options.address = server_->address();
        setting all{.world = world_,
                    .loop = world_.make_loop(of_the_clients),
                    .address = address,
                    .limits = limits_,
                    .dead_after = options.dead_after,
                    .seed = seed_,
                    .tls = secured_ != nullptr ? &secured_->client : nullptr};
        outcomes_.resize(1 + dice_.below(5));
        for (std::uint64_t number = 0; number < outcomes_.size(); ++number) {
            world_.start("client " + std::to_string(number), talk(all, number, outcomes_[number]));
        }
        broadcasts_ = dice_.one_in(3);
        if (broadcasts_) broadcast(dice_.below(20));
        if (!lossless_ && dice_.one_in(8)) {
            world_.after(std::chrono::milliseconds(dice_.below(50)), [this] { world_.part(of_the_server, of_the_clients, 3s); });
        }
        leaves_unread_ = dice_.one_in(3);
        const bool returns = dice_.one_in(4);
        if (returns) world_.start("client that returns", ask_through_losses(all, heard_, !lossless_));
        if (returns && !lossless_ && dice_.one_in(2)) restart(options, 1 + dice_.below(3));
        if (leaves_unread_) ask_again_and_again(all, of_the_clients, 1 + dice_.below(4));
        (void)world_.run(24h);
        if (server_) judge(*server_);
    }

    /// The server goes, and comes back at its address.
    void restart(const mnet::mtcp::listen_options& options, std::uint64_t times) {
        for (; times > 0 && server_; --times) {
            world_.run_for(std::chrono::milliseconds(dice_.below(1500)));
            close();
            world_.run_for(std::chrono::milliseconds(dice_.below(3000)));
            (void)open(options);  // or it finds no room, and stays away
        }
    }

    /// Numbered messages to all, a few milliseconds apart.
    void broadcast(std::uint64_t left, std::uint64_t number = 0) {
        if (left == 0) return;
        world_.after(std::chrono::milliseconds(dice_.below(5)), [this, left, number] {
            if (server_) (void)server_->broadcast("!" + std::to_string(number));
            broadcast(left - 1, number + 1);
        });
    }

    void judge(mnet::mtcp::network& server) {
        const auto since = world_.elapsed();
        const mnet::farewell parted = server.stop(mnet::within(10s));
        world_.expect_within(since, 10s, "a network stops by its deadline");
        world_.expect(server.statistics().clients == 0, "a network that has stopped has no clients");
        // A broadcast may come to a client that has just gone, and answers to one that does not wait for them.
        if (lossless_ && !broadcasts_ && !leaves_unread_) world_.expect(parted.complete(), "where nothing is lost, a stop delivers all");
        for (const outcome& each : outcomes_) {
            if (!each.finished) continue;  // the run said so
            world_.expect(each.error || each.echoed == each.sent.size(), "there is no loss without an error");
            if (lossless_) world_.expect(!each.error, "where nothing is lost, nobody sees an error: " + each.error.message());
        }
    }

    choices dice_;
    const support::tls_pair* secured_;
    bool lossless_;
    bool broadcasts_ = false;
    bool leaves_unread_ = false;
    bool messages_ = false;  // the server's handler has them one by one
    bounds limits_;
    std::uint64_t seed_;
    std::vector<outcome> outcomes_{};
    world world_;
    hearing heard_{world_};
    mnet::result<mnet::mtcp::network> server_ = mnet::failure(errc::already_closed);
};

}  // namespace

mnet::simulation::verdict run(std::uint64_t seed, std::string again, const support::tls_pair* secured) {
    return scenario(seed, std::move(again), secured).run();
}

}  // namespace seeds
