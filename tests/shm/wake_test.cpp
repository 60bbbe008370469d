// Two threads that sleep whenever they find nothing: what was published is always read, and nobody sleeps on it (docs/model/wake.pml shows
// the same of every order of steps; here the processor shuffles them).
//
// Both sides use one mapping, so that the thread sanitizer sees that they touch the same bytes.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "shm/two_sides.hpp"
#include "support/random.hpp"

namespace mnet::inline v1::shm::tests {

/// The place where a segment's memory is, which is nobody's business but here: an explicit instantiation may name it.
std::byte*& memory_of(segment& which);
template <std::byte* segment::* Member>
struct opened {
    friend std::byte*& memory_of(segment& which) { return which.*Member; }
};
template struct opened<&segment::memory_>;

namespace {

using kind = receiver::arrival::kind;

constexpr int rounds = 100'000;
constexpr int patience_ms = 60'000;

struct same_mapping : two_sides {
    explicit same_mapping(const geometry& sizes = usual) : two_sides(sizes), own(std::exchange(memory_of(second), memory_of(first))) {}
    same_mapping(const same_mapping&) = delete;
    same_mapping& operator=(const same_mapping&) = delete;
    ~same_mapping() { memory_of(second) = own; }

    std::byte* own;
};

/// A thread's side: both halves, and a socket as the bell of both.
class sleeper {
public:
    sleeper(const segment& where, int bell) : segment_(where), bell_(bell) {}

    void send(std::uint64_t number, std::size_t bytes) {
        while (!try_put(number, bytes)) {
            publish();
            if (!doze(for_room, [&] { return try_put(number, bytes); })) return;
            if (std::exchange(done_, false)) return;
        }
    }

    void publish() {
        if (out_.publish()) ring();
    }

    /// The next run's number; 0 when its wake-up was lost.
    std::uint64_t receive() {
        for (;;) {
            const auto arrived = in_.next();
            if (in_.has_to_wake()) ring();
            if (arrived.what == kind::whole) return number_in(arrived.bytes);
            if (arrived.what != kind::nothing) return 0;
            publish();
            if (!doze(for_input, [&] { return in_.has_next(); })) return 0;
            done_ = false;
        }
    }

    std::uint64_t sleeps() const { return sleeps_; }
    std::uint64_t rings() const { return rings_; }

private:
    static std::uint64_t number_in(std::span<const std::byte> bytes) {
        std::uint64_t number = 0;
        std::memcpy(&number, bytes.data(), sizeof(number));
        const auto salt = static_cast<std::byte>(number);
        for (const std::byte value : bytes.subspan(sizeof(number))) {
            if (value != salt) return 0;
        }
        return number;
    }

    bool try_put(std::uint64_t number, std::size_t bytes) {
        const auto window = out_.open(bytes);
        if (window.empty()) return false;
        std::memcpy(window.data(), &number, sizeof(number));
        std::memset(window.data() + sizeof(number), static_cast<int>(number & 0xffU), bytes - sizeof(number));
        const std::byte* const end = window.data() + bytes;
        const bool kept = (number % 2 == 0 && out_.show(end)) || out_.keep(end);
        out_.shut();
        return kept;
    }

    void ring() {
        ++rings_;
        const std::byte bell{1};
        (void)::send(bell_, &bell, 1, MSG_DONTWAIT | MSG_NOSIGNAL);  // one that is full rings already
    }

    /// As connection::may_sleep does it: says what for, looks once more, sleeps on the bell, and takes it back.
    template <typename Look>
    bool doze(std::uint32_t wished, Look look) {
        segment_.wish(wished);
        if (look()) {
            done_ = true;
        } else {
            ++sleeps_;
            pollfd waiting{.fd = bell_, .events = POLLIN, .revents = 0};
            if (::poll(&waiting, 1, patience_ms) <= 0) return false;
            std::array<std::byte, 64> bells{};
            if (::recv(bell_, bells.data(), bells.size(), MSG_DONTWAIT) == 0) return false;
        }
        segment_.wish(for_nothing);
        return true;
    }

    const segment& segment_;
    int bell_;
    sender out_{segment_};
    receiver in_{segment_};
    bool done_ = false;
    std::uint64_t sleeps_ = 0;
    std::uint64_t rings_ = 0;
};

class Wake : public testing::Test {
protected:
    Wake() {
        std::array<int, 2> ends{};
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        bells = {unique_fd(ends[0]), unique_fd(ends[1])};
    }

    same_mapping both{{.small_bytes = small_bytes_min, .large_bytes = 0}};
    std::array<unique_fd, 2> bells;
    support::random_source random;
};

TEST_F(Wake, IsNeverLostWhenTwoAskAndAnswer) {
    std::uint64_t answered = 0;
    std::thread answering([&] {
        sleeper here(both.second, bells[1].get());
        for (int round = 0; round < rounds; ++round) {
            const auto number = here.receive();
            if (number == 0) break;
            ++answered;
            here.send(number + 1, 64);
            here.publish();
        }
    });
    sleeper here(both.first, bells[0].get());
    std::uint64_t right = 0;
    for (std::uint64_t number = 1; number <= rounds; ++number) {
        here.send(number, 16);
        here.publish();
        if (here.receive() != number + 1) break;
        ++right;
    }
    bells[0].reset();
    answering.join();
    EXPECT_EQ(answered, rounds);
    EXPECT_EQ(right, rounds) << "a wake-up was lost";
    RecordProperty("sleeps", static_cast<int>(here.sleeps()));
}

TEST_F(Wake, IsNeverLostWhereOneStreamsAndTheOtherHasNoRoomForIt) {
    constexpr std::uint64_t count = 3 * rounds;
    std::uint64_t sleeps_for_room = 0;
    std::thread streaming([&, seed = random.below(1'000'000)] {
        std::mt19937_64 engine(seed);
        sleeper here(both.first, bells[0].get());
        for (std::uint64_t number = 1; number <= count; ++number) {
            here.send(number, 8 + engine() % 3000);
            if (engine() % 8 == 0) here.publish();
        }
        here.publish();
        sleeps_for_room = here.sleeps();
    });
    sleeper here(both.second, bells[1].get());
    std::uint64_t right = 0;
    for (std::uint64_t number = 1; number <= count; ++number) {
        if (here.receive() != number) break;
        ++right;
    }
    bells[1].reset();
    streaming.join();
    EXPECT_EQ(right, count) << "a wake-up was lost";
    EXPECT_GT(here.sleeps() + sleeps_for_room, 0U) << "nobody ever slept: nothing was tried";
}

/// Where two threads meet before they do something at the same moment.
class meeting_point {
public:
    void arrive(std::uint64_t round) {
        arrived_.fetch_add(1, std::memory_order_acq_rel);
        for (unsigned polls = 0; arrived_.load(std::memory_order_acquire) < 2 * round; ++polls) {
            if (polls % 1024 == 1023) std::this_thread::yield();
        }
    }

private:
    std::atomic<std::uint64_t> arrived_{0};
};

TEST_F(Wake, IsSeenByOneOfTwoWhoPublishAndGoToSleepAtTheSameMoment) {
    sender out(both.first);
    receiver in(both.second);
    meeting_point before;
    meeting_point after;
    std::vector<char> woken(rounds);
    std::vector<char> saw(rounds);
    std::thread publishing([&] {
        for (std::uint64_t round = 1; round <= rounds; ++round) {
            (void)put(out, filled(16, 0));
            before.arrive(round);
            woken[round - 1] = out.publish() ? 1 : 0;
            after.arrive(round);
        }
    });
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        before.arrive(round);
        both.second.wish(for_input);
        saw[round - 1] = in.has_next() ? 1 : 0;
        after.arrive(round);
        both.second.wish(for_nothing);
        while (in.next().what != kind::nothing) {
        }
    }
    publishing.join();
    int lost = 0;
    for (std::size_t round = 0; round < woken.size(); ++round) lost += woken[round] == 0 && saw[round] == 0 ? 1 : 0;
    EXPECT_EQ(lost, 0) << "so often, one would have slept on what the other had published";
}

TEST_F(Wake, IsSeenByOneOfTwoWhoGiveBackAndGoToSleepAtTheSameMoment) {
    sender out(both.first);
    receiver in(both.second);
    meeting_point filled_up;
    meeting_point before;
    meeting_point after;
    meeting_point drained;
    std::vector<char> woken(rounds);
    std::vector<char> saw(rounds);
    std::thread giving_back([&] {
        for (std::uint64_t round = 1; round <= rounds; ++round) {
            filled_up.arrive(round);
            (void)in.next();
            (void)in.next();
            before.arrive(round);
            (void)in.next();  // gives two back: they are more than a quarter
            woken[round - 1] = in.has_to_wake() ? 1 : 0;
            after.arrive(round);
            while (in.next().what == kind::whole) {
            }
            drained.arrive(round);
        }
    });
    const auto most = filled(small_window_bytes, 0);
    const auto fill_up = [&] {
        for (auto window = out.open(most.size()); !window.empty(); window = out.open(most.size())) {
            (void)out.keep(window.data() + window.size());
            out.shut();
        }
        (void)out.publish();
    };
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        fill_up();
        filled_up.arrive(round);
        before.arrive(round);
        both.first.wish(for_room);
        saw[round - 1] = out.has_room() ? 1 : 0;
        after.arrive(round);
        drained.arrive(round);
        both.first.wish(for_nothing);
    }
    giving_back.join();
    int lost = 0;
    for (std::size_t round = 0; round < woken.size(); ++round) lost += woken[round] == 0 && saw[round] == 0 ? 1 : 0;
    EXPECT_EQ(lost, 0) << "so often, one would have slept although the other had made room";
}

TEST_F(Wake, DisturbsNobodyWhoIsAwake) {
    sleeper here(both.first, bells[0].get());
    for (std::uint64_t number = 1; number <= 100; ++number) {
        here.send(number, 64);
        here.publish();
    }
    EXPECT_EQ(here.rings(), 0U);
}

}  // namespace
}  // namespace mnet::inline v1::shm::tests
