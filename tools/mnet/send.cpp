// `mnet send`: see send.hpp. Messages are pipelined: up to a bound they leave without waiting for the replies of those before, and what is
// committed leaves in one system call when nothing is there to read. Replies come in the order of the messages; what a server sends
// unasked while stdin is open is printed as it comes.
#include "send.hpp"

#include "event_log.hpp"
#include "message_source.hpp"
#include "process.hpp"
#include "quantities.hpp"

#include <mnet/client.hpp>
#include <mnet/mtcp/connect.hpp>
#include <mnet/wire/frame.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

namespace mnet::tool {

namespace {

using clock = std::chrono::steady_clock;

// Messages and bytes that may await their reply: enough to keep the connection busy, little enough for any peer to hold.
constexpr std::uint64_t in_flight_max = 1024;
constexpr std::uint64_t in_flight_bytes_max = std::uint64_t{1} << 20;

constexpr std::string_view filling = "0123456789abcdefghijklmnopqrstuvwxyz";

/// Exactly `size` bytes of `text`, again and again.
std::string filled(std::string_view text, std::size_t size) {
    if (text.empty()) text = filling;
    std::string bytes;
    bytes.reserve(size);
    while (bytes.size() < size) bytes.append(text.substr(0, size - bytes.size()));
    return bytes;
}

std::unique_ptr<message_source> source_for(const send_options& options) {
    if (options.texts.empty() && !options.size) return std::make_unique<stdin_lines>(options.count);
    std::vector<std::string> texts = options.texts;
    if (texts.empty()) texts.emplace_back();
    if (options.size)
        for (std::string& text : texts) text = filled(text, *options.size);
    return std::make_unique<listed_messages>(std::move(texts), options.count);
}

class conversation {
public:
    conversation(client client, message_source& source, const send_options& options)
        : client_(std::move(client)), source_(source), options_(options) {}

    /// Until the source has ended and everything is answered. Throws failure_exit.
    void run();
    /// Closes; what did not reach the peer is lost.
    void finish();
    void print_summary() const;
    bool complete() const noexcept { return lost_ == 0; }

private:
    void feed();
    void idle();
    void receive();
    void print(const message& reply);
    void flush();
    void drop_replies();
    void await_return();
    void note(std::error_code told);
    void note_return();
    static std::uint64_t lost_of(const delivery& account) noexcept;
    [[noreturn]] void give_up(std::error_code reason);

    operation until_timeout() const noexcept { return {.deadline = deadline::at(give_up_at_)}; }
    void progress() noexcept { give_up_at_ = clock::now() + options_.timeout; }
    std::uint64_t unanswered() const noexcept { return options_.no_reply ? 0 : sent_ - std::min(sent_, replies_ + skipped_); }

    client client_;
    message_source& source_;
    const send_options& options_;
    std::uint64_t sent_ = 0;
    std::uint64_t replies_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t skipped_ = 0;  // that no reply is waited for any more
    clock::time_point began_ = clock::now();
    clock::time_point ended_ = began_;
    clock::time_point give_up_at_ = began_ + options_.timeout;
};

void conversation::run() {
    for (;;) {
        feed();
        if (unanswered() > 0)
            receive();
        else if (const auto state = source_.look(); state == message_source::state::ended)
            break;
        else if (state == message_source::state::waiting)
            idle();
    }
    ended_ = clock::now();
}

void conversation::feed() {
    const std::uint64_t before = unanswered();
    while (source_.look() == message_source::state::ready) {
        const std::string_view text = source_.front();
        const std::uint64_t waiting = unanswered();
        if (waiting >= in_flight_max || (waiting > 0 && waiting * text.size() > in_flight_bytes_max)) break;
        const auto sent = client_.send(text);
        if (!sent && sent.error() == errc::would_block) {
            if (waiting > 0) break;  // replies first: the server may wait for us to read them
            flush();
            continue;
        }
        if (!sent && sent.error() == errc::reconnecting) {
            if (waiting > 0) break;  // what waits for the replies waits for the return
            await_return();
            continue;
        }
        if (!sent) {
            note(sent.error());
            continue;
        }
        ++sent_;
        source_.take();
    }
    if (before == 0) progress();
}

void conversation::flush() {
    // A server that answers although nobody wants it to, and is not read, stops reading at its own bound: its answers are dropped.
    constexpr auto step = std::chrono::milliseconds(10);
    progress();
    for (std::uint64_t before = client_.unsent_bytes(); before > 0; before = client_.unsent_bytes()) {
        if (options_.no_reply) drop_replies();
        const auto flushed = client_.flush(options_.no_reply ? operation{.deadline = within(step)} : until_timeout());
        if (flushed || (options_.reconnect && flushed.error() != std::errc::timed_out)) return;  // who reads or sends next is told
        if (client_.unsent_bytes() < before) progress();
        if (flushed.error() != std::errc::timed_out || clock::now() >= give_up_at_) give_up(flushed.error());
    }
}

void conversation::drop_replies() {
    for (;;) {
        const auto reply = client_.try_read();
        if (!reply && reply.error() != errc::reconnected) return;
        if (!reply) note_return();
    }
}

/// Nothing can be sent until then, and nobody is asked for a reply.
void conversation::await_return() {
    std::fflush(stdout);
    progress();
    for (;;) {
        const auto last_words = client_.read(until_timeout());
        if (!last_words) return note(last_words.error());
        if (!options_.no_reply) print(*last_words);
    }
}

void conversation::idle() {
    flush();
    std::fflush(stdout);
    if (options_.no_reply) return source_.wait();
    const std::stop_token changed = source_.changed();
    const auto unasked = client_.read({.stop = &changed});
    if (unasked)
        print(*unasked);
    else if (unasked.error() != std::errc::operation_canceled)
        note(unasked.error());
}

void conversation::receive() {
    auto reply = client_.try_read();
    if (!reply && reply.error() == errc::no_data_yet) {
        std::fflush(stdout);
        operation op = until_timeout();
        const std::stop_token changed = source_.look() == message_source::state::waiting ? source_.changed() : std::stop_token();
        op.stop = &changed;
        reply = client_.read(op);
        if (!reply && reply.error() == std::errc::operation_canceled) return;
    }
    if (!reply) return note(reply.error());
    ++replies_;
    progress();
    print(*reply);
}

void conversation::print(const message& reply) {
    const std::string_view text = reply.text();
    if (options_.json) {
        const std::string encoded = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        fmt::print(stdout, R"({{"reply": {}}})", encoded);
    } else {
        std::fwrite(text.data(), 1, text.size(), stdout);
    }
    std::fputc('\n', stdout);
}

void conversation::note(std::error_code told) {
    if (told != errc::reconnected) give_up(told);
    note_return();
}

/// What was not answered is lost; the rest of the source goes to the new connection.
void conversation::note_return() {
    const std::uint64_t lost = options_.no_reply ? lost_of(client_.last_delivery()) : unanswered();
    lost_ += lost;
    skipped_ += unanswered();
    print_error(fmt::format("{}: the connection was lost, and is there again; {} messages were {}", options_.address, lost,
                            options_.no_reply ? "not confirmed" : "not answered"));
    progress();
}

/// Without replies: what the peer's system has not confirmed.
std::uint64_t conversation::lost_of(const delivery& account) noexcept { return account.messages_unsent + account.messages_unacknowledged; }

void conversation::give_up(std::error_code reason) {
    ended_ = clock::now();
    std::string text = reason_text(reason);
    if (reason == std::errc::timed_out) {
        const auto timeout = duration_text(static_cast<double>(options_.timeout.count()));
        if (!client_.live())
            text = fmt::format("the connection was lost, and is not there again after {}", timeout);
        else
            text = options_.no_reply ? fmt::format("the peer took nothing for {}", timeout) : fmt::format("no reply for {}", timeout);
    }
    lost_ += options_.no_reply ? lost_of(client_.close({.deadline = within(std::chrono::seconds(0))})) : unanswered();
    if (lost_ > 0) text += fmt::format("; {} of {} messages were {}", lost_, sent_, options_.no_reply ? "not confirmed" : "not answered");
    std::fflush(stdout);
    if (options_.json) print_summary();
    throw failure_exit(exit_code::lost, fmt::format("{}: {}", options_.address, text));
}

void conversation::finish() {
    if (options_.no_reply) drop_replies();  // and learn of a return that nobody was told of
    const delivery delivered = client_.close({.deadline = within(options_.timeout)});
    if (delivered.complete() || !options_.no_reply) return;
    lost_ += lost_of(delivered);
    print_error(fmt::format("{}: {} messages were not sent and {} not confirmed within {}", options_.address, delivered.messages_unsent,
                            delivered.messages_unacknowledged, duration_text(static_cast<double>(options_.timeout.count()))));
}

void conversation::print_summary() const {
    const auto elapsed = std::chrono::nanoseconds(ended_ - began_).count();
    const nlohmann::ordered_json summary{
        {"sent", sent_}, {"replies", replies_}, {"lost", lost_}, {"elapsed_ns", elapsed}, {"transport", client_.transport()}};
    print_line(summary.dump());
}

}  // namespace

exit_code run_send(const send_options& options) {
    const auto dial_timeout = std::chrono::ceil<std::chrono::milliseconds>(options.timeout);
    std::string words;
    std::optional<tls::client_settings> security;
    if (options.address.starts_with("tls://")) {
        const auto settings = tls::client(options.tls, &words);
        if (!settings) fail(exit_code::unreachable, options.address, settings.error(), words);
        security = *settings;
        if (options.tls.insecure_accept_any_certificate)
            print_error(options.address + ": any certificate is accepted: who sits in between reads along");
    }
    const auto dead_after = std::chrono::ceil<std::chrono::milliseconds>(options.dead_after.value_or(std::chrono::nanoseconds(0)));
    event_log log(options.json);
    mtcp::reconnect_options reconnect;
    if (options.reconnect) {
        reconnect.policy = mtcp::reconnect_policy::fail_fast;
        reconnect.delay_max = std::min(reconnect.delay_max, dial_timeout / 4);  // some tries within the time that a reply has
    }
    auto client = mtcp::connect(options.address, {.dial_timeout = dial_timeout,
                                                  .reconnect = reconnect,
                                                  .dead_after = dead_after,
                                                  .message_bytes_max = wire::length_max,
                                                  .engine = options.engine,
                                                  .shared_memory = options.shared_memory,
                                                  .tls = security ? &*security : nullptr,
                                                  .words = &words,
                                                  .observer = options.log ? &log : nullptr});
    if (!client) fail_to_reach(options.address, client.error(), words);

    const auto source = source_for(options);
    conversation talk(std::move(*client), *source, options);
    talk.run();
    talk.finish();
    if (options.json) talk.print_summary();
    std::fflush(stdout);
    return talk.complete() ? exit_code::done : exit_code::lost;
}

}  // namespace mnet::tool
