// The control messages of a benchmark as JSON: see protocol.hpp.
#include "protocol.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <utility>

namespace mnet::bench {

namespace {

using nlohmann::json;

constexpr std::array<std::pair<std::string_view, work>, 4> work_names{
    {{"counters", work::counters}, {"stream", work::stream}, {"pingpong", work::pingpong}, {"echo", work::echo}}};

std::string_view name_of(work work) {
    for (const auto& [name, value] : work_names)
        if (value == work) return name;
    return "";
}

bool read_number(const json& object, const char* key, std::uint64_t& target) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number_unsigned()) return false;
    target = found->get<std::uint64_t>();
    return true;
}

}  // namespace

std::string to_text(const request& request) {
    return json{{"work", name_of(request.work)}, {"count", request.count}, {"size", request.size}}.dump();
}

std::string to_text(const answer& answer) {
    return json{{"delivered", answer.delivered},
                {"bytes", answer.bytes},
                {"cpu_ns", answer.usage.cpu_ns},
                {"allocations", answer.usage.allocations},
                {"system_calls", answer.usage.system_calls},
                {"resident_bytes", answer.resident_bytes},
                {"plain_address", answer.plain_address},
                {"engine", answer.engine}}
        .dump();
}

std::optional<request> parse_request(std::string_view text) {
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object()) return std::nullopt;
    request parsed;
    if (!read_number(object, "count", parsed.count) || !read_number(object, "size", parsed.size)) return std::nullopt;
    for (const auto& [name, value] : work_names) {
        if (object.value("work", json()) != name) continue;
        parsed.work = value;
        return parsed;
    }
    return std::nullopt;
}

std::optional<answer> parse_answer(std::string_view text) {
    const json object = json::parse(text, nullptr, false);
    if (!object.is_object()) return std::nullopt;
    answer parsed;
    if (!read_number(object, "delivered", parsed.delivered) || !read_number(object, "bytes", parsed.bytes) ||
        !read_number(object, "cpu_ns", parsed.usage.cpu_ns) || !read_number(object, "allocations", parsed.usage.allocations) ||
        !read_number(object, "system_calls", parsed.usage.system_calls) || !read_number(object, "resident_bytes", parsed.resident_bytes))
        return std::nullopt;
    const auto address = object.find("plain_address");
    if (address == object.end() || !address->is_string()) return std::nullopt;
    parsed.plain_address = address->get<std::string>();
    parsed.engine = object.value("engine", std::string());
    return parsed;
}

}  // namespace mnet::bench
