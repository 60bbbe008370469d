// Two threads and the memory between them: see bare_memory.hpp.
#include "bare_memory.hpp"

#include "base/pause_processor.hpp"
#include "stamp.hpp"
#include "trip_clock.hpp"

#include <atomic>
#include <cstring>
#include <new>
#include <semaphore>
#include <span>
#include <thread>
#include <utility>

namespace mnet::bench {

namespace {

/// One way: places in a row, used in turns. A place is a word, the number of the message in it, and the message right behind.
class lane {
public:
    explicit lane(std::size_t message_bytes)
        : message_bytes_(message_bytes),
          lines_a_place_((sizeof(std::uint64_t) + message_bytes - 1) / sizeof(line) + 1),
          lines_(places * lines_a_place_) {}

    void put(std::uint64_t number, std::span<const std::byte> message) noexcept {
        if (!message.empty()) std::memcpy(message_of(number), message.data(), message.size());
        word_of(number).store(number, std::memory_order_release);
    }
    std::span<std::byte> take(std::uint64_t number) noexcept {
        while (word_of(number).load(std::memory_order_acquire) != number) base::pause_processor();
        return {message_of(number), message_bytes_};
    }

private:
    static constexpr std::size_t places = 16;
    struct alignas(64) line {
        std::byte bytes[64];
    };

    std::byte* place_of(std::uint64_t number) noexcept { return lines_[number % places * lines_a_place_].bytes; }
    std::byte* message_of(std::uint64_t number) noexcept { return place_of(number) + sizeof(std::uint64_t); }
    std::atomic_ref<std::uint64_t> word_of(std::uint64_t number) noexcept {
        return std::atomic_ref(*std::launder(reinterpret_cast<std::uint64_t*>(place_of(number))));
    }

    std::size_t message_bytes_;
    std::size_t lines_a_place_;
    std::vector<line> lines_;
};

}  // namespace

struct bare_memory::other_end {
    struct round {
        lane* there;
        lane* back;
        std::uint64_t count;
    };

    void answer(const std::function<void()>& settle) {
        settle();
        for (;;) {
            begun.acquire();
            if (asked.count == 0) return;
            for (std::uint64_t number = 1; number <= asked.count; ++number) asked.back->put(number, asked.there->take(number));
            ended.release();
        }
    }

    std::binary_semaphore begun{0};
    std::binary_semaphore ended{0};
    round asked{};
    std::thread thread{};
};

bare_memory::bare_memory(std::function<void()> settle) : other_(std::make_unique<other_end>()) {
    other_->thread = std::thread([other = other_.get(), settle = std::move(settle)] { other->answer(settle); });
}

bare_memory::~bare_memory() {
    other_->asked = {};
    other_->begun.release();
    other_->thread.join();
}

measurement bare_memory::measure_pingpong(std::uint64_t count, std::size_t size, std::vector<std::uint64_t>& latencies_ns) {
    lane there(size);
    lane back(size);
    std::vector<std::byte> message(size, std::byte{0x5a});
    other_->asked = {.there = &there, .back = &back, .count = count};
    other_->begun.release();

    measurement measured{.messages = count};
    const usage before = usage_now(0);
    const trip_clock clock;
    const std::uint64_t start = now_ns();
    std::uint64_t begun_at = clock.now();
    for (std::uint64_t number = 1; number <= count; ++number) {
        stamp(message, number);
        there.put(number, message);
        const auto reply = back.take(number);
        const std::uint64_t now = clock.now();
        latencies_ns.push_back(now - begun_at);
        begun_at = now;
        if (!intact(reply, size, number)) continue;
        ++measured.delivered;
        measured.bytes += size;
    }
    measured.elapsed_ns = now_ns() - start;
    measured.sender = usage_now(0) - before;
    clock.to_ns(std::span(latencies_ns).last(count));
    other_->ended.acquire();
    return measured;
}

}  // namespace mnet::bench
