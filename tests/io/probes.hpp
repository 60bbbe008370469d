// Streams and listeners that write down what they are answered, hold the engine to its contract while they do, and can be told what to
// do in an answer.
#pragma once
#include "io/loop.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace io_test {

namespace io = mnet::io;

using action = std::function<void()>;

class probe_stream final : public io::stream {
public:
    explicit probe_stream(io::loop& home) : loop(home) {}

    io::loop& loop;
    std::size_t room_bytes = 4096;  // what `lend` gives; 0: no memory
    bool keeps_receiving = false;   // until the end or an error
    action on_connected, on_received, on_sent, on_closed;

    std::optional<mnet::result<>> connect_outcome;
    std::vector<std::byte> bytes;  // all that was received
    std::vector<std::error_code> receive_errors;
    std::vector<mnet::result<std::size_t>> sent_outcomes;
    int ends = 0;  // times that 0 was received
    int received_count = 0;
    int connected_count = 0;
    int closed_count = 0;

    void connected(mnet::result<> outcome) noexcept override {
        expect_living();
        EXPECT_EQ(outcome.has_value(), open());
        ++connected_count;
        connect_outcome = outcome;
        run(on_connected);
    }

    std::span<std::byte> lend() noexcept override {
        expect_living();
        room_.assign(room_bytes, std::byte{0xee});
        lent_ = true;
        return room_;
    }

    void received(mnet::result<std::size_t> count) noexcept override {
        expect_living();
        EXPECT_TRUE(lent_) << "received without lend";
        lent_ = false;
        ++received_count;
        if (!count) {
            receive_errors.push_back(count.error());
        } else if (*count == 0) {
            ++ends;
        } else {
            ASSERT_LE(*count, room_.size());
            bytes.insert(bytes.end(), room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(*count));
            if (keeps_receiving) loop.receive(*this);
        }
        run(on_received);
    }

    void sent(mnet::result<std::size_t> count) noexcept override {
        expect_living();
        EXPECT_NE(count.value_or(1), 0U) << "sent nothing, and says so";
        sent_outcomes.push_back(count);
        run(on_sent);
    }

    void closed() noexcept override {
        expect_living();
        ++closed_count;
        run(on_closed);
    }

    std::string text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
    int answers() const { return connected_count + received_count + static_cast<int>(sent_outcomes.size()) + closed_count; }

private:
    void expect_living() const { EXPECT_EQ(closed_count, 0) << "an answer after closed"; }

    // A copy runs: an answer may destroy the stream, or change what is done next time.
    static void run(const action& what) {
        if (const action copy = what) copy();
    }

    std::vector<std::byte> room_;
    bool lent_ = false;
};

class probe_listener final : public io::listener {
public:
    explicit probe_listener(io::loop& home) : loop(home) {}

    io::loop& loop;
    bool keeps_accepting = false;  // until an error
    std::function<void(int handle)> on_accepted;

    std::vector<int> handles;
    std::vector<std::error_code> errors;

    void accepted(mnet::result<int> outcome) noexcept override {
        EXPECT_FALSE(wants_accept);
        if (!outcome) {
            errors.push_back(outcome.error());
            return;
        }
        handles.push_back(*outcome);
        if (keeps_accepting) loop.accept(*this);
        if (const auto copy = on_accepted) copy(*outcome);
    }
};

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

/// Sends all of some bytes, piece by piece, and keeps them alive meanwhile.
class pump {
public:
    pump(probe_stream& target, std::vector<std::byte> bytes, std::size_t piece_bytes = 1 << 20)
        : target_(target), bytes_(std::move(bytes)), piece_bytes_(piece_bytes) {
        target_.on_sent = [this] { answered(target_.sent_outcomes.back()); };
        go_on();
    }
    pump(const pump&) = delete;
    pump& operator=(const pump&) = delete;
    ~pump() { target_.on_sent = nullptr; }

    bool done() const { return sent_ == bytes_.size(); }
    bool pending() const { return pending_; }
    std::size_t sent() const { return sent_; }
    const std::optional<std::error_code>& error() const { return error_; }
    const std::vector<std::byte>& bytes() const { return bytes_; }

private:
    void answered(const mnet::result<std::size_t>& count) {
        pending_ = false;
        take(count);
        if (!error_) go_on();
    }

    void take(const mnet::result<std::size_t>& count) {
        if (!count) {
            error_ = count.error();
            return;
        }
        ASSERT_LE(*count, bytes_.size() - sent_);
        sent_ += *count;
    }

    void go_on() {
        while (!done() && !error_) {
            const auto piece = std::span<const std::byte>(bytes_).subspan(sent_, std::min(piece_bytes_, bytes_.size() - sent_));
            const auto outcome = target_.loop.send(target_, piece);
            if (!outcome) {
                pending_ = true;
                return;
            }
            take(*outcome);
        }
    }

    probe_stream& target_;
    std::vector<std::byte> bytes_;
    std::size_t piece_bytes_;
    std::size_t sent_ = 0;
    bool pending_ = false;
    std::optional<std::error_code> error_;
};

}  // namespace io_test
