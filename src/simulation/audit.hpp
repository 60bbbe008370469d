// Holds the library to its word while a world runs. It sees what passes between connections and their simulated kernel, cuts frames out of
// it by itself, and after every step compares with what the connections have counted. What does not hold is said to `complain`.
#pragma once
#include "io/simulated/observer.hpp"
#include "mtcp/connection.hpp"

#include <mnet/statistics.hpp>
#include <mnet/wire/frame.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace mnet::inline v1::simulation {

/// Cuts a stream of bytes into frames, however it comes in pieces.
class frame_cutter {
public:
    /// Calls `whole(length)` for each frame that these bytes complete.
    template <typename Whole>
    void feed(std::span<const std::byte> bytes, Whole whole) {
        while (!bytes.empty()) {
            const bool in_header = header_bytes_ < wire::header_bytes;
            const std::size_t wanted = in_header ? wire::header_bytes - header_bytes_ : missing_bytes_;
            const std::size_t count = std::min(wanted, bytes.size());
            if (in_header) {
                std::copy_n(bytes.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(header_bytes_));
                header_bytes_ += count;
                if (header_bytes_ == wire::header_bytes) missing_bytes_ = wire::load_length(header_.data());
            } else {
                missing_bytes_ -= count;
            }
            bytes = bytes.subspan(count);
            if (header_bytes_ < wire::header_bytes || missing_bytes_ > 0) continue;
            header_bytes_ = 0;
            whole(wire::load_length(header_.data()));
        }
    }

private:
    std::array<std::byte, wire::header_bytes> header_{};
    std::size_t header_bytes_ = 0;
    std::size_t missing_bytes_ = 0;
};

class audit final : public io::simulated::observer {
public:
    using complaint = std::function<void(const std::string& rule)>;

    explicit audit(complaint complain) : complain_(std::move(complain)) {}

    void opened(const io::simulated::socket& fresh) override;
    void taken(const io::simulated::socket& from, std::span<const std::byte> bytes) override;
    void given(const io::simulated::socket& to, std::span<const std::byte> bytes) override;
    void left(const io::simulated::socket& gone) override;
    void ended(const io::loop& loop) override;
    void stepped() override;

    /// The handle behind a client of the world; -1 when it is not connected.
    int handle_of(client& of) const noexcept;

    std::uint64_t connections() const noexcept { return connections_; }
    std::uint64_t frames() const noexcept { return frames_; }

private:
    /// One end of an open connection.
    struct end {
        mtcp::detail::connection* of;
        const io::simulated::socket* socket;
        client_statistics before;     // of its earlier connections
        std::uint64_t kept_messages;  // that are unsent from before: written while it was away
        std::uint64_t taken_bytes = 0;
        std::uint64_t given_bytes = 0;
        std::uint64_t frames_taken = 0;
        frame_cutter leaving{};
        frame_cutter arriving{};
        std::deque<std::uint32_t> arrived{};  // lengths of the frames that the program was not given yet
        std::uint64_t messages_given = 0;
        std::uint64_t payload_bytes_given = 0;
        bool broken = false;  // one sentence an end is enough
    };

    void judge(int handle, end& subject);
    void judge_output(end& subject, const client_statistics& now);
    void judge_input(end& subject, const client_statistics& now);
    void require(end& subject, bool holds, const char* rule);
    end* find(const io::simulated::socket& of);

    complaint complain_;
    std::map<int, end> ends_;
    std::set<int> touched_;
    std::map<const io::loop*, mtcp::detail::worker*> workers_;
    bool some_left_ = false;
    int judged_ = -1;
    std::uint64_t connections_ = 0;
    std::uint64_t frames_ = 0;
};

}  // namespace mnet::inline v1::simulation
