// Peers in shared memory that write what they must not: they are cut off, alone, and for that reason.
//
// They are played with the halves of src/shm and with words of the test's own, over the bell that the library listens to.
#include "raw_peer.hpp"
#include "servers.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

#include "shm/meeting.hpp"
#include "shm/sender.hpp"
#include "support/random.hpp"

namespace mtcp_test {
namespace {

using mnet::mtcp::sharing;
namespace shm = mnet::shm;

/// The byte over the bell that asks the other side to look; who is cut off already is heard by nobody.
void ring(const raw_peer& bell) {
    const char byte = 1;
    (void)::send(bell.descriptor(), &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// A client by hand: it has met the server, mapped the memory and rung the bell.
struct liar {
    explicit liar(const std::string& address) : bell("unix://@mnet-tcp-" + address) {
        std::string why;
        for (;;) {
            pollfd waiting{.fd = bell.descriptor(), .events = POLLIN, .revents = 0};
            (void)::poll(&waiting, 1, 60'000);
            auto taken = shm::take_offer(bell.descriptor(), why);
            if (!taken) std::abort();
            if (!*taken) continue;
            memory = **std::move(taken);
            break;
        }
        ring(bell);
    }

    void tell(std::uint64_t number, std::uint64_t word) const {
        std::atomic_ref(memory.queue_of(memory.mine())[number % shm::runs_max].word).store(word, std::memory_order_release);
    }

    raw_peer bell;
    shm::segment memory;
};

class SharedMemoryLiars : public EveryShape {
protected:
    ~SharedMemoryLiars() override { ::setenv("MNET_SHARED_MEMORY", "off", 1); }

    /// It is cut off, alone.
    void expect_cut_off(liar& who) {
        (void)who.bell.receive_to_end();
        expect_echo(honest, "undisturbed");
        EXPECT_TRUE(eventually([&] { return network->statistics().clients == 1; }));
        EXPECT_EQ(network->statistics().clients_failed, 1U);
    }

    /// And the handler is told why.
    void expect_told() {
        if (GetParam() == shape::message) return;
        const auto how = ends.take();
        ASSERT_TRUE(how.has_value());
        EXPECT_EQ(*how, mnet::errc::protocol_violation) << how->message();
    }

    endings ends;
    const bool unset = ::unsetenv("MNET_SHARED_MEMORY") == 0;
    mnet::result<mnet::mtcp::network> network =
        listen_echo(GetParam(), {.address = "127.0.0.1:0", .shared_memory = sharing::required}, &ends);
    mnet::client honest = connect_to(network->address(), {.shared_memory = sharing::required});
};
FOR_EVERY_SHAPE(SharedMemoryLiars);

TEST_P(SharedMemoryLiars, WhoTellOfBytesOutsideOfTheirMemoryAreCutOff) {
    liar who(network->address());
    who.tell(0, shm::pack({.what = shm::run::kind::whole, .offset = (1U << 27U) - 1, .bytes = (1U << 27U) - 1}, shm::lap_of(0)));
    ring(who.bell);
    expect_cut_off(who);
    expect_told();
}

TEST_P(SharedMemoryLiars, WhoFillTheWholeQueueWithGarbageAreCutOff) {
    support::random_source random;
    liar who(network->address());
    for (std::uint64_t number = 0; number < shm::runs_max; ++number) {
        who.tell(number, (random.below(~std::uint64_t{0}) & ~std::uint64_t{0x3ff}) | 0x300U | shm::lap_of(0));
    }
    ring(who.bell);
    expect_cut_off(who);
    expect_told();
}

TEST_P(SharedMemoryLiars, WhoSayThatTheyTookWhatNeverWasAreCutOff) {
    liar who(network->address());
    shm::sender out(who.memory);
    std::atomic_ref(who.memory.state_of(who.memory.mine()).taken).store(1'000'000, std::memory_order_release);
    const bytes asked = frame("hello");
    for (unsigned count = 0; count < 100'000; ++count) {  // until there are so many answers that the server has to look
        const auto window = out.open(asked.size());
        if (!window.empty()) {
            std::ranges::copy(asked, window.begin());
            (void)out.keep(window.data() + asked.size());
            out.shut();
        }
        (void)out.publish();
        ring(who.bell);
        pollfd ended{.fd = who.bell.descriptor(), .events = POLLRDHUP, .revents = 0};
        if (::poll(&ended, 1, 0) > 0) break;
        std::this_thread::yield();
    }
    expect_cut_off(who);
}

TEST_P(SharedMemoryLiars, WhoBeginAMessageInsideOfAnotherAreCutOff) {
    liar who(network->address());
    const bytes whole = frame("hello");
    const auto data = who.memory.data_of(who.memory.mine());
    std::ranges::copy(whole, data.begin());
    who.tell(0, shm::pack({.what = shm::run::kind::piece, .offset = 0, .bytes = 6}, shm::lap_of(0)));
    who.tell(1, shm::pack({.what = shm::run::kind::whole, .offset = 0, .bytes = 9}, shm::lap_of(1)));
    ring(who.bell);
    expect_cut_off(who);
    expect_told();
}

TEST_P(SharedMemoryLiars, WhoAreServersAreLeft) {
    const std::string name = "liar-" + std::to_string(::getpid()) + name_of(GetParam());
    raw_listener place("unix://@mnet-shm-" + name);
    std::thread lying([&] {
        raw_peer met = place.accept();
        auto memory = shm::offer(met.descriptor(), {.small_bytes = shm::small_bytes_min, .large_bytes = 0});
        if (!memory) return;
        std::atomic_ref(memory->queue_of(shm::side::first)[0].word).store(~std::uint64_t{0xff} | shm::lap_of(0), std::memory_order_release);
        ring(met);
        (void)met.receive_to_end();
    });
    {
        auto client = connect_to("shm://" + name);
        EXPECT_EQ(error_of(client.read({.deadline = mnet::within(patience)})), mnet::errc::protocol_violation);
        EXPECT_FALSE(client.live());
        EXPECT_FALSE(client.send("more").has_value() && client.flush().has_value());
    }
    lying.join();
}

}  // namespace
}  // namespace mtcp_test
