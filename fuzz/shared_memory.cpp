// Shared memory with a hostile peer: whatever it writes between two steps of ours, into the words that both sides can write, a reader gives
// bytes inside of the peer's data or a lie, a writer writes inside of its own data, and neither asserts.
//
// The first byte of the input picks the sizes; then come steps, a byte each that says which, and what the step takes from the bytes behind it.
// A step is the peer's (what an honest one would write, or any bits) or ours (read, write, publish, finish). At its end the input gives zeros.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "base/unique_fd.hpp"
#include "shm/receiver.hpp"
#include "shm/segment.hpp"
#include "shm/sender.hpp"

namespace {

namespace shm = mnet::shm;
using kind = shm::receiver::arrival::kind;

void require(bool holds) {
    if (!holds) std::abort();
}

bool lies_in(std::span<const std::byte> bytes, std::span<const std::byte> data) {
    return bytes.data() >= data.data() && bytes.size() <= data.size() &&
           static_cast<std::size_t>(bytes.data() - data.data()) <= data.size() - bytes.size();
}

class script {
public:
    explicit script(std::span<const std::byte> bytes) : bytes_(bytes) {}

    bool ended() const { return bytes_.empty(); }

    template <typename Number>
    Number next() {
        Number value{};
        const std::size_t count = std::min(sizeof(value), bytes_.size());
        std::memcpy(&value, bytes_.data(), count);
        bytes_ = bytes_.subspan(count);
        return value;
    }

private:
    std::span<const std::byte> bytes_;
};

class attack {
public:
    attack(shm::segment honest, script input) : segment_(std::move(honest)), input_(input) {}

    void run() {
        for (int steps = 0; !input_.ended() && steps < 512; ++steps) step(input_.next<std::uint8_t>() % 20);
    }

private:
    void step(unsigned which) {
        if (which < 9) {
            be_hostile(which);
        } else if (which < 12) {
            read();
        } else {
            write(which);
        }
    }

    // The peer's ------------------------------------------------------------------------------------------------------------------

    std::uint64_t& word_of_peer(std::uint64_t number) { return segment_.queue_of(theirs_)[number % shm::runs_max].word; }

    template <typename Number>
    static void store(Number& where, Number value) {
        std::atomic_ref(where).store(value, std::memory_order_release);
    }

    void be_hostile(unsigned which) {
        switch (which) {
            case 0:
                store(word_of_peer(input_.next<std::uint8_t>()), input_.next<std::uint64_t>());
                break;
            case 1:
            case 2:
                store(word_of_peer(told_), (input_.next<std::uint64_t>() & ~std::uint64_t{0xff}) | shm::lap_of(told_));
                ++told_;
                break;
            case 3:
                tell_the_truth();
                break;
            case 4:
                store(segment_.state_of(theirs_).taken, input_.next<std::uint64_t>());
                break;
            case 5:
                store(segment_.state_of(theirs_).taken, taken_ += static_cast<std::uint64_t>(input_.next<std::int8_t>()));
                break;
            case 6:
                store(segment_.state_of(theirs_).wishes, input_.next<std::uint32_t>());
                break;
            case 7:
                scribble(segment_.data_of(input_.next<std::uint8_t>() % 2 == 0 ? ours_ : theirs_));
                break;
            default:  // where only we write, and read nothing
                store(segment_.queue_of(ours_)[input_.next<std::uint8_t>()].word, input_.next<std::uint64_t>());
                store(segment_.state_of(ours_).taken, input_.next<std::uint64_t>());
        }
    }

    void tell_the_truth() {
        const std::size_t bytes = segment_.sizes().side_bytes();
        const std::size_t offset = input_.next<std::uint32_t>() % bytes;
        const std::size_t length = 1 + input_.next<std::uint32_t>() % (bytes - offset);
        const std::uint8_t choice = input_.next<std::uint8_t>();
        shm::run honest{.what = choice % 2 == 0 ? shm::run::kind::whole : shm::run::kind::piece,
                        .offset = static_cast<std::uint32_t>(offset),
                        .bytes = static_cast<std::uint32_t>(length)};
        if (choice % 4 == 3) {
            const auto beside = static_cast<std::uint32_t>(1 + honest.bytes % shm::beside_max);
            honest = {.what = shm::run::kind::beside, .offset = 0, .bytes = beside};
        }
        store(word_of_peer(told_), shm::pack(honest, shm::lap_of(told_)));
        ++told_;
    }

    void scribble(std::span<std::byte> data) {
        const std::size_t offset = input_.next<std::uint32_t>() % data.size();
        const auto value = static_cast<int>(input_.next<std::uint8_t>());
        std::memset(data.data() + offset, value, std::min<std::size_t>(data.size() - offset, 100));
    }

    // Ours ------------------------------------------------------------------------------------------------------------------------

    void read() {
        const bool had = in_.has_next();
        const auto arrived = in_.next();
        (void)in_.has_to_wake();
        if (lied_to_) require(arrived.what == kind::lie);
        lied_to_ = arrived.what == kind::lie;
        require(lied_to_ || had == (arrived.what != kind::nothing));
        const bool holds_bytes = arrived.what == kind::whole || arrived.what == kind::piece;
        require(arrived.bytes.empty() != holds_bytes);
        if (!holds_bytes) return;
        require(lies_in(arrived.bytes, segment_.data_of(theirs_)) ||
                lies_in(arrived.bytes, std::as_bytes(std::span(segment_.queue_of(theirs_)))));
        for (const std::byte value : arrived.bytes) sum_ += std::to_integer<unsigned>(value);
    }

    void write(unsigned which) {
        switch (which) {
            case 12:
                open();
                break;
            case 13:
                keep();
                break;
            case 14:
                shut();
                break;
            case 15:
                copy();
                break;
            case 16:
            case 17:
                (void)out_.publish();
                (void)out_.has_batch();
                break;
            case 18:
                if (out_.large_part_rests()) segment_.give_back_large();
                (void)out_.has_room();
                (void)out_.untaken_bytes();
                (void)out_.runs_ahead(input_.next<std::uint32_t>());
                break;
            default:
                finish();
        }
    }

    void open() {
        if (out_.is_open() || finished_) return;
        const std::size_t wanted = 1 + input_.next<std::uint32_t>() % (segment_.sizes().side_bytes() + 1);
        window_ = out_.open(wanted);
        if (window_.empty()) return;
        require(window_.size() >= wanted && lies_in(window_, segment_.data_of(ours_)));
        used_ = 0;
    }

    void keep() {
        if (!out_.is_open() || used_ == window_.size()) return;
        const std::size_t count = 1 + input_.next<std::uint32_t>() % (window_.size() - used_);
        std::memset(window_.data() + used_, 0x5a, count);
        require(out_.unkept_bytes(window_.data() + used_ + count) == count);
        if (!out_.keep(window_.data() + used_ + count)) return;
        used_ = static_cast<std::size_t>(out_.go_on() - window_.data());
        require(used_ <= window_.size());
    }

    void shut() {
        if (out_.is_open()) out_.shut();
    }

    void copy() {
        shut();
        if (finished_) return;
        const std::vector<std::byte> bytes(input_.next<std::uint16_t>());
        require(out_.copy(bytes) <= bytes.size());
    }

    void finish() {
        if (finished_) return;
        shut();
        out_.finish();
        (void)out_.publish();
        finished_ = true;
    }

    static constexpr shm::side ours_ = shm::side::first;
    static constexpr shm::side theirs_ = shm::side::second;

    shm::segment segment_;
    shm::sender out_{segment_};
    shm::receiver in_{segment_};
    script input_;
    std::span<std::byte> window_{};
    std::size_t used_ = 0;
    std::uint64_t told_ = 0;
    std::uint64_t taken_ = 0;
    unsigned sum_ = 0;
    bool finished_ = false;
    bool lied_to_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const shm::geometry sizes{.small_bytes = shm::small_bytes_min, .large_bytes = data[0] * static_cast<std::uint32_t>(shm::page_bytes)};
    mnet::base::unique_fd descriptor;
    auto made = shm::segment::make(sizes, descriptor);
    require(made.has_value());
    attack(*std::move(made), script(std::as_bytes(std::span(data, size)).subspan(1))).run();
    return 0;
}
