// libuv (https://docs.libuv.org): streams over one loop, both ends. What is read goes to a buffer that all connections share, handed out by
// the alloc callback, as its benchmarks do; what is written goes out with uv_try_write, and with uv_write what the kernel did not take.
// Frames are batched by hand (frames.hpp). Spinning: UV_RUN_NOWAIT. libuv has no synchronous calls, so that the client turns the loop too.
#include "frames.hpp"
#include "peer_program.hpp"

#include <arpa/inet.h>
#include <uv.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace mnet::bench::peers {

namespace {

void check(const char* what, int status) {
    if (status < 0) fail(what, uv_strerror(status));
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    check("address", uv_ip4_addr("127.0.0.1", port, &address));
    return address;
}

uv_buf_t buffer_of(std::span<const std::byte> bytes) noexcept {
    // libuv's buffers are not const; it does not write into what it writes out.
    return uv_buf_init(reinterpret_cast<char*>(const_cast<std::byte*>(bytes.data())), static_cast<unsigned>(bytes.size()));
}

/// One connection of either end.
struct uv_connection;

/// What happens on connections: one object for all.
class receiver {
public:
    receiver() = default;
    receiver(const receiver&) = delete;
    receiver& operator=(const receiver&) = delete;
    virtual ~receiver() = default;
    virtual std::span<std::byte> space() = 0;
    virtual void received(uv_connection& connection, std::span<const std::byte> bytes) = 0;
};

struct uv_connection {
    uv_tcp_t handle{};
    receiver* owner = nullptr;
    bool connected = false;
    std::size_t writes = 0;  // uv_write calls that are not answered yet
    echoed server_side{};
    echo_session client_side{};

    uv_stream_t* stream() noexcept { return reinterpret_cast<uv_stream_t*>(&handle); }

    void start_reading() {
        const auto allocate = [](uv_handle_t* reader, std::size_t, uv_buf_t* buffer) {
            *buffer = buffer_of(static_cast<uv_connection*>(reader->data)->owner->space());
        };
        const auto on_read = [](uv_stream_t* stream, ssize_t bytes, const uv_buf_t* buffer) {
            auto& connection = *static_cast<uv_connection*>(stream->data);
            if (bytes == UV_EOF || bytes == UV_ECONNRESET)
                uv_read_stop(stream);
            else if (bytes < 0)
                check("read", static_cast<int>(bytes));
            else
                connection.owner->received(connection, {reinterpret_cast<const std::byte*>(buffer->base), static_cast<std::size_t>(bytes)});
        };
        handle.data = this;
        check("read", uv_read_start(stream(), allocate, on_read));
    }

    /// All of `bytes`: now, or as soon as the kernel has room.
    void write(std::span<const std::byte> bytes) {
        if (bytes.empty()) return;
        if (writes == 0) {
            const uv_buf_t buffer = buffer_of(bytes);
            const int taken = uv_try_write(stream(), &buffer, 1);
            if (taken < 0 && taken != UV_EAGAIN) check("write", taken);
            bytes = bytes.subspan(static_cast<std::size_t>(std::max(taken, 0)));
        }
        if (!bytes.empty()) write_later(bytes);
    }

private:
    struct later {
        uv_write_t request{};
        std::vector<std::byte> bytes{};
    };

    void write_later(std::span<const std::byte> bytes) {
        auto kept = std::make_unique<later>();
        kept->bytes.assign(bytes.begin(), bytes.end());
        kept->request.data = this;
        const uv_buf_t buffer = buffer_of(kept->bytes);
        const auto on_written = [](uv_write_t* request, int status) {
            const std::unique_ptr<later> mine(reinterpret_cast<later*>(request));
            --static_cast<uv_connection*>(request->data)->writes;
            check("write", status);
        };
        check("write", uv_write(&kept.release()->request, stream(), &buffer, 1, on_written));
        ++writes;
    }
};

class event_loop {
public:
    explicit event_loop(bool spin) : spin_(spin) { check("loop", uv_loop_init(&loop_)); }
    uv_loop_t* get() noexcept { return &loop_; }

    template <typename Done>
    void turn(const std::uint64_t& progress, Done&& done) {
        turn_until(spin_, progress, done, [&] { uv_run(&loop_, UV_RUN_NOWAIT); }, [&] { uv_run(&loop_, UV_RUN_ONCE); });
    }

private:
    bool spin_;
    uv_loop_t loop_{};  // ends with the process
};

class uv_server final : public server, private receiver {
public:
    explicit uv_server(const settings& chosen) : loop_(chosen.spin), counter_(chosen.size), buffer_(chosen.size) {}

    std::string listen() override {
        const sockaddr_in any = loopback(0);
        check("listen", uv_tcp_init(loop_.get(), &listening_));
        check("bind", uv_tcp_bind(&listening_, reinterpret_cast<const sockaddr*>(&any), 0));
        listening_.data = this;
        const auto on_connection = [](uv_stream_t* stream, int status) {
            check("accept", status);
            static_cast<uv_server*>(stream->data)->accept();
        };
        check("listen", uv_listen(reinterpret_cast<uv_stream_t*>(&listening_), SOMAXCONN, on_connection));
        sockaddr_in bound{};
        int length = sizeof(bound);
        check("address", uv_tcp_getsockname(&listening_, reinterpret_cast<sockaddr*>(&bound), &length));
        return std::to_string(ntohs(bound.sin_port));
    }

    receipt receive_stream(std::uint64_t count) override { return receive(count, false); }
    receipt answer_pingpong(std::uint64_t count) override { return receive(count, true); }

    [[noreturn]] void echo() override {
        echoes_ = true;
        for (;;) loop_.turn(progress_, [] { return false; });
    }

private:
    void accept() {
        connections_.push_back(std::make_unique<uv_connection>());
        uv_connection& made = *connections_.back();
        made.owner = this;
        check("accept", uv_tcp_init(loop_.get(), &made.handle));
        check("accept", uv_accept(reinterpret_cast<uv_stream_t*>(&listening_), made.stream()));
        check("accept", uv_tcp_nodelay(&made.handle, 1));
        made.start_reading();
    }

    receipt receive(std::uint64_t count, bool answers) {
        answers_ = answers;
        counter_.begin(count);
        loop_.turn(progress_, [&] { return counter_.done(); });
        return counter_.counted();
    }

    // Many connections share the front of the buffer, because each takes out what it got before the next reads; the one that streams
    // keeps what is not whole in it.
    std::span<std::byte> space() override { return echoes_ ? buffer_.space().first(batch_bytes) : buffer_.space(); }

    void received(uv_connection& connection, std::span<const std::byte> bytes) override {
        ++progress_;
        if (!echoes_) counter_.take(buffer_, bytes.size());
        if (echoes_ || answers_) connection.write(connection.server_side.arrived(bytes));
    }

    event_loop loop_;
    frame_counter counter_;
    receive_buffer buffer_;
    uv_tcp_t listening_{};
    std::vector<std::unique_ptr<uv_connection>> connections_{};
    std::uint64_t progress_ = 0;
    bool answers_ = false;
    bool echoes_ = false;
};

class uv_client final : public client, private receiver {
public:
    uv_client(const settings& chosen, const std::string& address)
        : chosen_(chosen), loop_(chosen.spin), batch_(chosen.size), buffer_(chosen.size), round_(chosen) {
        for (std::size_t index = 0; index < chosen.clients; ++index) connect(std::stoi(address));
    }

    void send_stream(std::uint64_t count) override {
        uv_connection& only = *connections_.front();
        for (std::uint64_t next = 0; next < count;) {
            only.write(batch_.fill(next, count));
            loop_.turn(progress_, [&] { return only.writes == 0; });  // one batch at a time waits for room
        }
    }

    bool round_trip(std::uint64_t sequence) override {
        expected_ = sequence;
        arrived_ = false;
        std::uint64_t next = sequence;
        connections_.front()->write(batch_.fill(next, sequence + 1));
        loop_.turn(progress_, [&] { return arrived_; });
        return intact_;
    }

    measurement echo(std::uint64_t until_ns) override {
        echoes_ = true;
        round_.begin(until_ns);
        for (const auto& connection : connections_) connection->write(round_.first(connection->client_side));
        loop_.turn(progress_, [&] { return round_.done(); });
        return round_.measured();
    }

private:
    void connect(int port) {
        connections_.push_back(std::make_unique<uv_connection>());
        uv_connection& made = *connections_.back();
        made.owner = this;
        made.handle.data = &made;
        const sockaddr_in server = loopback(port);
        check("connect", uv_tcp_init(loop_.get(), &made.handle));
        check("connect", uv_tcp_nodelay(&made.handle, 1));
        uv_connect_t request{};
        const auto on_connected = [](uv_connect_t* answered, int status) {
            check("connect", status);
            static_cast<uv_connection*>(answered->handle->data)->connected = true;
        };
        check("connect", uv_tcp_connect(&request, &made.handle, reinterpret_cast<const sockaddr*>(&server), on_connected));
        loop_.turn(progress_, [&] { return made.connected; });
        made.start_reading();
    }

    std::span<std::byte> space() override { return echoes_ ? buffer_.space().first(batch_bytes) : buffer_.space(); }

    void received(uv_connection& connection, std::span<const std::byte> bytes) override {
        ++progress_;
        if (echoes_) return connection.write(round_.arrived(connection.client_side, bytes));
        buffer_.received(bytes.size(), [&](std::span<const std::byte> payload) {
            arrived_ = true;
            intact_ = intact(payload, chosen_.size, expected_);
        });
    }

    const settings& chosen_;
    event_loop loop_;
    batch batch_;
    receive_buffer buffer_;
    echo_round round_;
    std::vector<std::unique_ptr<uv_connection>> connections_{};
    std::uint64_t progress_ = 0;
    std::uint64_t expected_ = 0;
    bool arrived_ = false;
    bool intact_ = false;
    bool echoes_ = false;
};

}  // namespace

}  // namespace mnet::bench::peers

int main(int argument_count, char** arguments) {
    using namespace mnet::bench::peers;
    const peer libuv{
        .name = "libuv",
        .transports = {"tcp"},
        .make_server = [](const settings& chosen) { return std::make_unique<uv_server>(chosen); },
        .make_client = [](const settings& chosen, const std::string& address) { return std::make_unique<uv_client>(chosen, address); }};
    return run_peer(libuv, argument_count, arguments);
}
