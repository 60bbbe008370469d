// The hot paths of the library, one after the other in one thread: over a loopback connection whose other end is a bare socket, and through shared
// memory between a client and a server. What tests/guard/run counts the instructions of.
//
//     guard_hot_paths PATH LAPS     prints: messages, allocations, system calls
//
// A lap makes its input ready, runs through `guard_measured` and takes the output away. callgrind collects inside of `guard_measured` only
// (--toggle-collect), so that what is around it does not count. System calls are those of the whole lap. Engine: epoll, because valgrind
// knows no io_uring. A server's loop is run by hand, by a world without threads of its own.
#include "base/unique_fd.hpp"
#include "mtcp/environment.hpp"
#include "mtcp/network_core.hpp"

#include <mnet/allocation_counter.hpp>
#include <mnet/diagnostics.hpp>
#include <mnet/mnet.hpp>
#include <mnet/wire/frame.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace guard {

using namespace std::chrono_literals;
namespace mtcp = mnet::mtcp;
namespace base = mnet::base;

[[noreturn]] void fail(std::string_view what) {
    std::fprintf(stderr, "guard_hot_paths: %.*s\n", static_cast<int>(what.size()), what.data());
    std::exit(2);
}

template <typename T>
T must(mnet::result<T> outcome, std::string_view what) {
    if (!outcome) fail(std::string(what) + ": " + outcome.error().message());
    if constexpr (!std::is_void_v<T>) return std::move(*outcome);
}

constexpr std::size_t payload_bytes = 64;
constexpr std::size_t frame_bytes = payload_bytes + mnet::wire::header_bytes;

/// The bare end of the connection.
class raw_end {
public:
    raw_end() = default;
    explicit raw_end(base::unique_fd socket) : socket_(std::move(socket)) {}

    /// All at once: loopback delivers it before the call returns.
    void send_frames(std::size_t count) {
        frames_.resize(count * frame_bytes);
        for (std::size_t index = 0; index < count; ++index) mnet::wire::store_length(frames_.data() + index * frame_bytes, payload_bytes);
        if (::send(socket_.get(), frames_.data(), frames_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frames_.size())) fail("send");
    }
    void take_frames(std::size_t count) {
        taken_.resize(count * frame_bytes);
        if (::recv(socket_.get(), taken_.data(), taken_.size(), MSG_DONTWAIT) != static_cast<ssize_t>(taken_.size()))
            fail("a lap did not send all of its output");
    }

private:
    base::unique_fd socket_{};
    std::vector<std::byte> frames_{};
    std::vector<std::byte> taken_{};
};

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return where;
}

class hot_path {
public:
    hot_path() = default;
    hot_path(const hot_path&) = delete;
    hot_path& operator=(const hot_path&) = delete;
    virtual ~hot_path() = default;

    virtual std::size_t messages() const = 0;  // a lap
    virtual void before() {}
    virtual void measured() = 0;
    virtual void after() {}
    virtual std::uint64_t system_calls() = 0;
};

// A blocking client ------------------------------------------------------------------------------------------------------------------

class of_client : public hot_path {
public:
    of_client() {
        const base::unique_fd listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in where = loopback(0);
        socklen_t length = sizeof where;
        auto* const address = reinterpret_cast<sockaddr*>(&where);
        if (::bind(listening.get(), address, sizeof where) != 0 || ::listen(listening.get(), 1) != 0 ||
            ::getsockname(listening.get(), address, &length) != 0)
            fail("listen");
        const std::string name = "127.0.0.1:" + std::to_string(ntohs(where.sin_port));
        client_ = std::make_unique<mnet::client>(must(mtcp::connect(name, {.spin = 0us, .engine = mtcp::engine::epoll}), "connect"));
        raw = raw_end(base::unique_fd(::accept(listening.get(), nullptr, nullptr)));
    }

    std::size_t messages() const override { return 1000; }  // they fit a window
    std::uint64_t system_calls() override { return client().system_calls(); }

protected:
    mnet::client& client() noexcept { return *client_; }
    raw_end raw;

private:
    std::unique_ptr<mnet::client> client_;
};

class write_and_commit final : public of_client {
public:
    void measured() override {
        for (std::size_t count = messages(); count > 0; --count)
            must(client().write(payload_bytes), "write").append(payload_).commit().value();
    }
    void after() override {
        must(client().flush(), "flush");
        raw.take_frames(messages());
    }

private:
    std::vector<std::byte> payload_ = std::vector<std::byte>(payload_bytes);
};

class read final : public of_client {
public:
    void before() override {
        raw.send_frames(messages());
        const std::uint64_t wanted = client().statistics().wire_bytes_received + messages() * frame_bytes;
        must(client().wait(), "wait");
        if (client().statistics().wire_bytes_received != wanted) fail("a lap did not receive all of its input");
    }
    void measured() override {
        for (std::size_t count = messages(); count > 0; --count)
            if (must(client().try_read(), "read").size() != payload_bytes) fail("a message of another size");
    }
};

// A turn of a server's loop ------------------------------------------------------------------------------------------------------------

/// The kernel's loops, run by whoever holds them.
class by_hand final : public mtcp::detail::environment {
public:
    mnet::result<mtcp::detail::made_loop> make_loop(mtcp::detail::job what, mtcp::engine) const override {
        return mtcp::detail::kernel().make_loop(what, mtcp::engine::epoll);
    }
    bool threads() const noexcept override { return false; }
};

mnet::task<mnet::result<>> echo_all(mnet::client& client) {
    for (;;) {
        const auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        if (auto sent = client.send(message->bytes()); !sent) co_return sent;
    }
}

class echo_turn final : public hot_path {
public:
    enum class shape : std::uint8_t { message, coroutine };

    echo_turn(shape how, std::size_t depth) : depth_(depth) {
        mtcp::detail::any_handler handler = mtcp::detail::coroutine_handler(echo_all);
        if (how == shape::message)
            handler = mtcp::detail::message_handler(
                [](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); });
        core_ = must(mtcp::detail::open_network(world_, {.address = "127.0.0.1:0", .spin = 0us}, std::move(handler)), "listen");
        const std::string address = core_->address();
        const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
        base::unique_fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const sockaddr_in where = loopback(port);
        if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) fail("connect");
        raw_ = raw_end(std::move(socket));
        while (core_->statistics().clients_accepted == 0) turn();
    }
    ~echo_turn() override { (void)core_->stop({.deadline = mnet::within(0s)}); }

    std::size_t messages() const override { return depth_; }
    void before() override { raw_.send_frames(depth_); }
    void measured() override { turn(); }
    void after() override { raw_.take_frames(depth_); }
    std::uint64_t system_calls() override { return core_->statistics().system_calls; }

private:
    void turn() { core_->run_once(mnet::io::never); }

    by_hand world_{};
    std::shared_ptr<mtcp::detail::network_core> core_{};
    raw_end raw_{};
    std::size_t depth_;
};

// Shared memory ----------------------------------------------------------------------------------------------------------------------

/// A blocking client and a server's loop, in one thread: each finds what the other has just written.
class through_memory : public hot_path {
public:
    through_memory() {
        core_ = must(mtcp::detail::open_network(world_, {.address = "127.0.0.1:0", .spin = 0us}, mtcp::detail::coroutine_handler(echo_all)),
                     "listen");
        std::atomic<bool> connected{false};
        std::thread connecting([&] {
            client_ = std::make_unique<mnet::client>(must(
                mtcp::connect(core_->address(), {.spin = 0us, .engine = mtcp::engine::epoll, .shared_memory = mtcp::sharing::required}),
                "connect"));
            connected = true;
        });
        while (!connected || core_->statistics().clients_accepted == 0) turn();
        connecting.join();
    }
    ~through_memory() override {
        client_.reset();
        (void)core_->stop({.deadline = mnet::within(0s)});
    }

    std::size_t messages() const override { return 1; }
    std::uint64_t system_calls() override { return core_->statistics().system_calls + client_->system_calls(); }

protected:
    void ask() { must(client_->send(payload_), "send"); }
    void show() { must(client_->flush(), "flush"); }
    void turn() { core_->run_once(std::chrono::steady_clock::now().time_since_epoch()); }
    void take() {
        if (must(client_->read(), "read").size() != payload_.size()) fail("a message of another size");
    }

private:
    by_hand world_{};
    std::shared_ptr<mtcp::detail::network_core> core_{};
    std::unique_ptr<mnet::client> client_{};
    std::vector<std::byte> payload_ = std::vector<std::byte>(16);
};

/// The client's part of a round trip: it asks, and takes the answer to what it asked before, so that it never sleeps.
class memory_call final : public through_memory {
public:
    memory_call() {
        ask();
        show();
        turn();
    }
    void measured() override {
        ask();
        take();
    }
    void after() override { turn(); }
};

/// The server's.
class memory_turn final : public through_memory {
public:
    void before() override {
        ask();
        show();
    }
    void measured() override { turn(); }
    void after() override { take(); }
};

std::unique_ptr<hot_path> made(std::string_view name) {
    if (name == "write_and_commit") return std::make_unique<write_and_commit>();
    if (name == "read") return std::make_unique<read>();
    if (name == "message_turn_of_1") return std::make_unique<echo_turn>(echo_turn::shape::message, 1);
    if (name == "message_turn_of_16") return std::make_unique<echo_turn>(echo_turn::shape::message, 16);
    if (name == "coroutine_turn_of_16") return std::make_unique<echo_turn>(echo_turn::shape::coroutine, 16);
    if (name == "memory_call") return std::make_unique<memory_call>();
    if (name == "memory_turn") return std::make_unique<memory_turn>();
    fail("there is no path of that name");
}

}  // namespace guard

/// What callgrind looks for, by its name.
extern "C" [[gnu::noinline, gnu::used]] void guard_measured(guard::hot_path& path) { path.measured(); }

int main(int argument_count, char** arguments) {
    if (argument_count != 3) guard::fail("PATH LAPS");
    const auto path = guard::made(arguments[1]);
    const unsigned long laps = std::strtoul(arguments[2], nullptr, 10);
    constexpr unsigned long warm_up_laps = 20;
    for (unsigned long lap = 0; lap < warm_up_laps; ++lap) {
        path->before();
        path->measured();
        path->after();
    }
    const std::uint64_t calls_before = path->system_calls();
    const std::uint64_t allocations_before = mnet::diagnostics::allocations();
    for (unsigned long lap = 0; lap < laps; ++lap) {
        path->before();
        guard_measured(*path);
        path->after();
    }
    const std::uint64_t allocations = mnet::diagnostics::allocations() - allocations_before;
    const std::uint64_t calls = path->system_calls() - calls_before;
    std::printf("%zu %llu %llu\n", path->messages() * laps, static_cast<unsigned long long>(allocations),
                static_cast<unsigned long long>(calls));
}
