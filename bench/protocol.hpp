// What sender and receiver of a benchmark say to each other around the measured messages. Each is a frame whose payload is JSON.
//
//     client                                server
//     {"work": "stream", count, size}  ->
//                                      <-   {"ready": true}
//     count messages of size bytes     ->   each counted and checked
//                                      <-   what arrived, and what it cost the server
//
// "pingpong" is the same, but that every message is sent back. "echo" sends back every message until the connection ends. "counters" is
// answered at once with what the server has used so far, what it has in memory, and where the plain-socket server beside it listens.
#pragma once
#include "measurement.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mnet::bench {

enum class work : std::uint8_t { counters, stream, pingpong, echo };

struct request {
    bench::work work = work::counters;
    std::uint64_t count = 0;
    std::uint64_t size = 0;
};

struct answer {
    std::uint64_t delivered = 0;
    std::uint64_t bytes = 0;
    bench::usage usage{};
    std::uint64_t resident_bytes = 0;
    std::string plain_address{};
    std::string engine{};  // the server's
};

std::string to_text(const request& request);
std::string to_text(const answer& answer);

/// What says that a stream may begin.
inline constexpr std::string_view ready_text = R"({"ready": true})";

/// Nothing when the text is not one of ours: the other side is no benchmark's.
std::optional<request> parse_request(std::string_view text);
std::optional<answer> parse_answer(std::string_view text);

}  // namespace mnet::bench
