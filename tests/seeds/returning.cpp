// See returning.hpp.
#include "seeds/returning.hpp"

#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <charconv>
#include <string>

namespace seeds {
namespace {

using namespace std::chrono_literals;
using mnet::client;
using mnet::errc;
using mnet::within;
using mnet::mtcp::reconnect_policy;

constexpr std::string_view mark = "R:";
constexpr std::uint64_t ahead_max = 8;
/// Where it can't come back it stops to ask: a table that stays full keeps it out for ever.
constexpr auto patience = 10min;

std::uint64_t number_of(std::string_view text) noexcept {
    std::uint64_t number = 0;
    text.remove_prefix(mark.size());
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

mnet::mtcp::reconnect_options any_policy(choices& dice) noexcept {
    mnet::mtcp::reconnect_options how{.policy = dice.one_in(2) ? reconnect_policy::buffer : reconnect_policy::fail_fast, .delay_max = 2s};
    if (dice.one_in(4)) how.give_up_after = 10s;
    if (dice.one_in(3)) how.buffer_bytes_max = dice.below(200);
    if (dice.one_in(3)) how.buffer_age_max = 1s;
    return how;
}

class asker {
public:
    asker(setting& all, const hearing& heard, bool may_lose, client& client, reconnect_policy policy, choices& dice)
        : world_(all.world),
          all_(all),
          heard_(heard),
          may_lose_(may_lose),
          client_(client),
          keeps_(policy == reconnect_policy::buffer),
          dice_(dice),
          questions_(1 + dice.below(dice.one_in(10) ? 300 : 60)) {}

    mnet::task<void> run() {
        const auto end = world_.elapsed() + patience;
        while (due_ < questions_ && !ended_ && world_.elapsed() < end) {
            while (asked_ < questions_ && asked_ < due_ + ahead_max && ask()) {
            }
            if (refused_ || dice_.one_in(6)) {
                const auto flushed = co_await client_.async_flush({.deadline = within(1s)});
                (void)flushed;  // who reads is told
            }
            if (ended_) break;
            const auto answer = co_await client_.async_read({.deadline = within(20s)});
            hear(answer);
            if (dice_.one_in(30)) co_await mnet::simulation::pause(all_.loop, std::chrono::milliseconds(dice_.below(1000)));
        }
        co_await close();
    }

private:
    /// One question; false where the rest has to wait.
    bool ask() {
        const std::size_t most = std::min<std::size_t>(all_.limits.message_bytes_max, dice_.one_in(8) ? 20'000 : 60);
        const std::string text = text_of("R", asked_, 1 + dice_.below(most));
        const auto sent = client_.send(text);
        refused_ = !sent && sent.error() == errc::would_block;
        if (sent) {
            ++asked_;
            committed_bytes_ += text.size() + mnet::wire::header_bytes;
        } else if (sent.error() == errc::reconnected) {
            world_.expect(!keeps_, "a write that is kept is never refused by a return");
            note_return();
            return true;
        } else if (!refused_ && sent.error() != errc::reconnecting) {
            ended_ = true;
        }
        world_.expect(sent || !keeps_ || sent.error() != errc::reconnecting,
                      "a client that keeps what is written takes it while it is away");
        return sent.has_value();
    }

    void hear(const mnet::result<mnet::message>& answer) {
        if (answer) {
            if (answer->text().starts_with('!')) return;
            if (!world_.expect(answer->text().starts_with(mark), "a client gets answers to its own questions")) return;
            const std::uint64_t number = number_of(answer->text());
            world_.expect(number >= (keeps_ ? answered_ : due_) && number < asked_,
                          "the answers of a client that returns come in order, none twice");
            world_.expect(number == answered_ || number <= doubtful_, "no answer is missing without a return");
            answered_ = number + 1;
            due_ = std::max(due_, answered_);
        } else if (answer.error() == errc::reconnected) {
            note_return();
        } else if (answer.error() == std::errc::timed_out) {
            due_ = std::max(due_, doubtful_);  // hardly anything comes of what was asked before
        } else if (answer.error() != errc::no_data_yet) {
            ended_ = true;
        }
    }

    void note_return() {
        world_.expect(may_lose_, "where nothing is lost, nobody returns");
        const mnet::delivery lost = client_.last_delivery();
        count(lost);
        doubtful_ = asked_;
        if (!keeps_) due_ = asked_;  // what was asked before the return is not answered after it
    }

    void count(const mnet::delivery& account) {
        accounted_bytes_ += account.bytes_acknowledged + account.bytes_unacknowledged + account.bytes_unsent;
        unsent_bytes_ += account.bytes_unsent;
        unsent_messages_ += account.messages_unsent;
        accounted_messages_ += account.messages_acknowledged + account.messages_unacknowledged + account.messages_unsent;
    }

    mnet::task<void> close() {
        for (bool there_is_more = !ended_; there_is_more;) {
            const auto last = client_.try_read();
            there_is_more = last || last.error() == errc::reconnected;
            hear(last);
        }
        const auto since = world_.elapsed();
        const mnet::delivery account = co_await client_.async_close({.deadline = within(10s)});
        world_.expect_within(since, 10s, "a close ends by its deadline");
        count(account);
        world_.expect(may_lose_ || (answered_ == questions_ && heard_.messages() == questions_), "where nothing is lost, all is answered");
        world_.expect(heard_.gaps() <= (keeps_ ? unsent_messages_ : 0), "what is missing inside of a connection is in the account");
        world_.expect(accounted_messages_ == asked_, "every message that was committed is in the account of one connection, once: " +
                                                         std::to_string(accounted_messages_) + " of " + std::to_string(asked_));
        if (all_.tls != nullptr) co_return;  // its records are longer
        world_.expect(accounted_bytes_ == committed_bytes_,
                      "every byte that was committed is in the account of one connection, once: " + std::to_string(accounted_bytes_) +
                          " of " + std::to_string(committed_bytes_));
        world_.expect(heard_.bytes() + unsent_bytes_ <= committed_bytes_ && heard_.messages() + unsent_messages_ <= asked_,
                      "what the account calls unsent is not heard");
    }

    mnet::simulation::world& world_;
    setting& all_;
    const hearing& heard_;
    const bool may_lose_;
    client& client_;
    const bool keeps_;
    choices& dice_;
    const std::uint64_t questions_;
    std::uint64_t asked_ = 0;
    std::uint64_t answered_ = 0;  // the last one that was, and one more
    std::uint64_t due_ = 0;       // the answer that is waited for
    std::uint64_t doubtful_ = 0;  // answers below may be missing: a return was told since they were asked for
    bool refused_ = false;
    bool ended_ = false;
    std::uint64_t committed_bytes_ = 0;
    std::uint64_t accounted_bytes_ = 0;
    std::uint64_t unsent_bytes_ = 0;
    std::uint64_t unsent_messages_ = 0;
    std::uint64_t accounted_messages_ = 0;
};

}  // namespace

void hearing::heard(std::uint64_t connection, std::string_view text) {
    if (!text.starts_with(mark)) return;
    const std::uint64_t number = number_of(text);
    const auto [place, first] = next_.try_emplace(connection, number);
    world_.expect(number >= place->second, "a connection of a client that returns is heard in order");
    if (number > place->second) gaps_ += number - place->second;
    world_.expect(numbers_.insert(number).second, "over all its connections, nothing of a client that returns is heard twice");
    place->second = number + 1;
    ++messages_;
    bytes_ += text.size() + mnet::wire::header_bytes;
}

mnet::task<void> ask_through_losses(setting& all, const hearing& heard, bool may_lose) {
    choices dice(all.seed * 41);
    const auto policy = any_policy(dice);
    const mnet::mtcp::connect_options options{.dial_timeout = 5s,
                                              .reconnect = policy,
                                              .dead_after = may_lose ? 5s : all.dead_after,
                                              .message_bytes_max = all.limits.message_bytes_max,
                                              .unsent_bytes_max = all.limits.unsent_bytes_max,
                                              .tls = all.tls};
    auto connected = co_await mnet::mtcp::async_connect(all.loop, all.address, options);
    for (int tries = 0; !connected && tries < 50; ++tries) {
        co_await mnet::simulation::pause(all.loop, 100ms);
        connected = co_await mnet::mtcp::async_connect(all.loop, all.address, options);
    }
    if (connected) {
        client client = *std::move(connected);
        asker asker(all, heard, may_lose, client, policy.policy, dice);
        co_await asker.run();
    }
}

}  // namespace seeds
