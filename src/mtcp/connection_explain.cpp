// The sentence of `explain`: what a connection is doing, what holds it up and since when, how much is queued, and when it is given up.
#include "io/path.hpp"
#include "io/sockets.hpp"
#include "mtcp/connection.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <string>

namespace mnet::inline v1::mtcp::detail {

namespace {

std::string with_a_decimal(double value, const char* unit) {
    std::array<char, 48> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 1).ptr;
    return std::string(text.data(), end) + ' ' + unit;
}

std::string bytes_text(std::uint64_t bytes) {
    constexpr double kibi = 1024;
    if (bytes < 10'000) return std::to_string(bytes) + " bytes";
    const auto count = static_cast<double>(bytes);
    if (count < kibi * kibi) return with_a_decimal(count / kibi, "KiB");
    return with_a_decimal(count / kibi / kibi, "MiB");
}

std::string span_text(std::chrono::nanoseconds span) {
    return with_a_decimal(std::max(0.0, std::chrono::duration<double>(span).count()), "s");
}

/// Why nothing leaves, by what the kernel knows of the way.
std::string hindrance(const io::path& way, std::chrono::milliseconds user_timeout) {
    // While a window is closed, or nothing is acknowledged, the kernel counts towards TCP_USER_TIMEOUT (RFC 5482).
    const auto given_up = [&](std::chrono::milliseconds since) {
        return user_timeout.count() > 0 ? "; disconnect in " + span_text(user_timeout - since) : std::string();
    };
    if (way.timeouts > 0)
        return "blocked " + span_text(way.since_answer) + ": the peer or the network is silent, " + std::to_string(way.timeouts) +
               " retransmissions in a row" + given_up(way.since_answer);
    if (way.window_bytes == 0 || way.probes > 0)
        return "blocked " + span_text(way.since_sent) + ": peer's window is 0, its program does not read" + given_up(way.since_sent);
    const std::string trip = "; round trip " + with_a_decimal(std::chrono::duration<double, std::milli>(way.round_trip).count(), "ms");
    return "the peer takes no more at present: its window is " + bytes_text(way.window_bytes) + trip;
}

}  // namespace

/// What holds up what is unsent.
std::string connection::explain_blockade() const {
    if (memory_) {
        return "the peer takes no more at present: " + bytes_text(memory_->out.untaken_bytes()) +
               " lie in shared memory that it has not read";
    }
    if (worker_.loop().has_descriptors() && handle >= 0) {
        if (unix_) return "the peer takes no more at present: its program does not read its socket, which is full";
        if (const auto way = io::path_of(handle))
            return hindrance(*way, limits_in_force().user_timeout.value_or(std::chrono::milliseconds(0)));
    }
    return "the peer takes no more at present";
}

std::string connection::explain_closing(const std::string& queued) const {
    const std::string due = ending_ && ending_->due != io::never ? "; given up in " + span_text(ending_->due - worker_.loop().now()) : "";
    const std::string held_up = sending_ && out_.unsent_bytes() > 0 ? ", " + explain_blockade() : "";
    const bool talks = half_closed_ && unsent_bytes() == 0 && unacknowledged() == 0;
    const std::string talking = talks ? ", all is delivered; waits for the peer's end" : "";
    return "closing: " + queued + ", " + bytes_text(unacknowledged()) + " not acknowledged" + talking + held_up + due;
}

std::string connection::explain_return() const {
    const reconnecting& again = *dialed_->again;
    const std::string last = again.last_try ? " (the last try: " + again.last_try.message() + ")" : std::string();
    const auto since = worker_.loop().now() - again.lost_at;
    return "lost " + span_text(since) + " ago (" + again.why.message() + "), and being connected anew, " + std::to_string(again.tries) +
           " tries so far" + last;
}

std::string connection::explain() const {
    const std::string unsent = bytes_text(unsent_bytes()) + " unsent";
    if (is_away()) return explain_return() + "; " + unsent;
    if (phase_ == phase::opening) return "not connected";
    if (phase_ == phase::draining) return explain_closing(unsent);
    const std::string words = secure_ && !secure_->machine.words().empty() ? " (" + secure_->machine.words() + ")" : std::string();
    if (phase_ > phase::draining) {
        const std::uint64_t lost = told().messages_unsent + told().messages_unacknowledged;
        const std::string missing = lost > 0 ? "; " + std::to_string(lost) + " messages may not have arrived" : std::string();
        return "closed" + (close_reason_ ? ": " + close_reason_.message() : std::string()) + words + missing;
    }
    if (is_shaking_hands()) return "in the TLS handshake";
    if (output_failure_) {
        return "sending failed: " + output_failure_.message() + "; " + std::to_string(told().messages_unsent) + " messages never left";
    }
    std::string state = "open";
    if (paused_) state = "not read until half of its unsent bytes have left";
    if (input_end_ == errc::end_of_stream)
        state = "the peer finished sending";
    else if (input_end_ && input_end_ != errc::reconnected)
        state = "receiving failed: " + input_end_.message() + words;
    if (is_stopping()) state += ", told to end";
    if (secure_) state += ", " + std::string(secure_->machine.version_name()) + " with " + std::string(secure_->machine.cipher_name());
    if (memory_) state += ", in shared memory";
    if (dialed_ && !dialed_->why_not_shared.empty()) state += ", not in shared memory: " + dialed_->why_not_shared;
    const bool blocked = sending_ && unsent_bytes() > 0;
    const std::uint64_t with_kernel = unacknowledged();
    if (with_kernel > 0) state += "; " + bytes_text(with_kernel) + " with the kernel, not acknowledged";
    if (overload_ && overload_->timer.armed())  // the rule of its bound ends it, if nothing leaves until then
        state += "; too slow: disconnect in " + span_text(overload_->timer.due() - worker_.loop().now());
    return blocked ? explain_blockade() + "; " + unsent + "; " + state : state + "; " + unsent;
}

}  // namespace mnet::inline v1::mtcp::detail
