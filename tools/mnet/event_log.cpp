// Lines of the log: see event_log.hpp. Each is printed at once, so that those of several threads don't mix.
#include "event_log.hpp"

#include "failure.hpp"
#include "quantities.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <string>

namespace mnet::tool {

namespace {

using nlohmann::ordered_json;

/// UTC, as RFC 3339 has it.
std::string time_text() {
    const auto now = std::chrono::system_clock::now();
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(now - second).count();
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(second)), part);
}

void print(const observed& who, const std::string& words) {
    const std::string whose = who.client != 0 ? fmt::format("client {}, ", who.client) : std::string();
    const std::string where = who.address.empty() ? std::string() : fmt::format("{}, ", who.address);
    fmt::print(stderr, "{} {}{}{}: {}\n", time_text(), whose, where, who.transport, words);
}

void print_json(const observed& who, const char* event, const ordered_json& more = ordered_json::object()) {
    ordered_json line{{"time", time_text()}, {"event", event}};
    if (who.client != 0) line["client"] = who.client;
    if (!who.address.empty()) line["address"] = who.address;
    line["transport"] = who.transport;
    line.update(more);
    fmt::print(stderr, "{}\n", line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

/// An event that can't be printed is left out.
template <typename Print>
void try_to(Print print) noexcept {
    try {
        print();
    } catch (const std::exception&) {
        return;
    }
}

std::string words_of(const delivery& told) {
    std::string words = fmt::format("{} messages delivered", count_text(told.messages_acknowledged));
    if (told.messages_unacknowledged > 0) words += fmt::format(", {} not confirmed", count_text(told.messages_unacknowledged));
    if (told.messages_unsent > 0) words += fmt::format(", {} not sent", count_text(told.messages_unsent));
    if (told.bytes_unread > 0) words += fmt::format(", {} bytes from it not read", count_text(told.bytes_unread));
    return words;
}

}  // namespace

void event_log::accepted(const observed& who) noexcept {
    try_to([&] { json_ ? print_json(who, "accepted") : print(who, "accepted"); });
}

void event_log::connected(const observed& who) noexcept {
    try_to([&] { json_ ? print_json(who, "connected") : print(who, "connected"); });
}

void event_log::refused(const observed& who, std::error_code why) noexcept {
    try_to([&] { json_ ? print_json(who, "refused", {{"reason", why.message()}}) : print(who, "refused: " + reason_text(why)); });
}

void event_log::slow(const observed& who, std::uint64_t unsent_bytes) noexcept {
    try_to([&] {
        json_ ? print_json(who, "slow", {{"unsent_bytes", unsent_bytes}})
              : print(who, fmt::format("slow: {} bytes are unsent", count_text(unsent_bytes)));
    });
}

void event_log::dropped(const observed& who, std::uint64_t messages, std::uint64_t payload_bytes) noexcept {
    try_to([&] {
        json_ ? print_json(who, "dropped", {{"messages", messages}, {"payload_bytes", payload_bytes}})
              : print(who, fmt::format("dropped: {} messages ({} bytes)", count_text(messages), count_text(payload_bytes)));
    });
}

void event_log::closed(const observed& who, std::error_code why, const delivery& told) noexcept {
    try_to([&] {
        if (json_) {
            print_json(who, "closed",
                       {{"reason", why.message()},
                        {"messages_acknowledged", told.messages_acknowledged},
                        {"messages_unacknowledged", told.messages_unacknowledged},
                        {"messages_unsent", told.messages_unsent},
                        {"bytes_unread", told.bytes_unread}});
        } else {
            print(who, fmt::format("closed: {}; {}", reason_text(why), words_of(told)));
        }
    });
}

}  // namespace mnet::tool
