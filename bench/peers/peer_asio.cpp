// Asio, stand-alone (https://think-async.com/Asio): a server over io_context with asynchronous reads, a buffer for each session and a session
// that keeps itself alive, as its echo examples have it; a client that streams and plays ping-pong with the synchronous calls, and echoes
// with the asynchronous ones. Frames are batched by hand (frames.hpp). Writes are asio::write where one connection is all there is, and
// async_write where there are many. TLS: peer_asio_tls.hpp. Spinning: io_context::poll, and a non-blocking read_some for the synchronous client.
#include "frames.hpp"
#include "peer_asio_tls.hpp"
#include "peer_program.hpp"

#include <asio.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mnet::bench::peers {

namespace {

using asio::ip::tcp;

constexpr std::size_t session_bytes = 4096;

asio::const_buffer buffer_of(std::span<const std::byte> bytes) noexcept { return asio::buffer(bytes.data(), bytes.size()); }
asio::mutable_buffer buffer_of(std::span<std::byte> bytes) noexcept { return asio::buffer(bytes.data(), bytes.size()); }

class echo_connection : public std::enable_shared_from_this<echo_connection> {
public:
    explicit echo_connection(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        socket_.async_read_some(asio::buffer(data_), [self = shared_from_this()](asio::error_code error, std::size_t bytes) {
            if (!error) self->write(self->session_.arrived({self->data_.data(), bytes}));
        });
    }

private:
    void write(std::span<const std::byte> frames) {
        if (frames.empty()) return read();
        asio::async_write(socket_, buffer_of(frames), [self = shared_from_this()](asio::error_code error, std::size_t) {
            if (!error) self->read();
        });
    }

    tcp::socket socket_;
    echoed session_{};
    std::array<std::byte, session_bytes> data_;  // not cleared
};

class asio_server final : public server {
public:
    explicit asio_server(const settings& chosen) : chosen_(chosen), counter_(chosen.size), buffer_(chosen.size) {}

    std::string listen() override {
        acceptor_.open(tcp::v4());
        acceptor_.bind({asio::ip::address_v4::loopback(), 0});
        acceptor_.listen();
        return std::to_string(acceptor_.local_endpoint().port());
    }

    receipt receive_stream(std::uint64_t count) override { return receive(count, false); }
    receipt answer_pingpong(std::uint64_t count) override { return receive(count, true); }

    [[noreturn]] void echo() override {
        accept();
        for (;;) turn([] { return false; });
    }

private:
    template <typename Done>
    void turn(Done&& done) {
        turn_until(chosen_.spin, counter_.seen(), done, [&] { context_.poll(); }, [&] { context_.run_one(); });
    }

    void accept() {
        acceptor_.async_accept([this](asio::error_code error, tcp::socket socket) {
            if (error) return;
            socket.set_option(tcp::no_delay(true));
            std::make_shared<echo_connection>(std::move(socket))->read();
            accept();
        });
    }

    receipt receive(std::uint64_t count, bool answers) {
        answers_ = answers;
        counter_.begin(count);
        if (!socket_.is_open()) {
            acceptor_.accept(socket_);
            socket_.set_option(tcp::no_delay(true));
        }
        context_.restart();  // it stopped when the last request left it without work
        read();
        turn([&] { return counter_.done(); });
        return counter_.counted();
    }

    void read() {
        space_ = buffer_.space();
        socket_.async_read_some(buffer_of(space_), [this](asio::error_code error, std::size_t bytes) {
            if (error) asio::detail::throw_error(error, "read");
            received(bytes);
        });
    }

    void received(std::size_t bytes) {
        const auto arrived = space_.first(bytes);
        counter_.take(buffer_, bytes);
        if (answers_) asio::write(socket_, buffer_of(std::span<const std::byte>(session_.arrived(arrived))));
        if (!counter_.done()) read();
    }

    const settings& chosen_;
    frame_counter counter_;
    receive_buffer buffer_;
    std::span<std::byte> space_{};
    echoed session_{};
    bool answers_ = false;
    asio::io_context context_{1};  // one thread
    tcp::acceptor acceptor_{context_};
    tcp::socket socket_{context_};
};

struct client_session {
    explicit client_session(asio::io_context& context) : socket(context) {}
    tcp::socket socket;
    echo_session state{};
    std::vector<std::byte> writing{};
    std::vector<std::byte> queued{};  // to be written after that
    std::array<std::byte, session_bytes> data;
};

class asio_client final : public client {
public:
    asio_client(const settings& chosen, const std::string& address)
        : chosen_(chosen), batch_(chosen.size), buffer_(chosen.size), counter_(chosen.size), round_(chosen) {
        const tcp::endpoint server(asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(std::stoi(address)));
        for (std::size_t index = 0; index < chosen.clients; ++index) {
            sessions_.push_back(std::make_unique<client_session>(context_));
            sessions_.back()->socket.connect(server);
            sessions_.back()->socket.set_option(tcp::no_delay(true));
        }
        if (!echoes()) first().non_blocking(chosen.spin);
        for (const auto& session : sessions_) {
            if (!echoes()) break;
            session->socket.non_blocking(true);
            read(*session);
        }
    }

    void send_stream(std::uint64_t count) override {
        for (std::uint64_t next = 0; next < count;) asio::write(first(), buffer_of(batch_.fill(next, count)));
    }

    bool round_trip(std::uint64_t sequence) override {
        std::uint64_t next = sequence;
        asio::write(first(), buffer_of(batch_.fill(next, sequence + 1)));
        bool intact_reply = false;
        for (bool arrived = false; !arrived;) {
            asio::error_code error;
            const std::size_t bytes = first().read_some(buffer_of(buffer_.space()), error);
            if (error == asio::error::would_block) continue;
            if (error) asio::detail::throw_error(error, "read");
            buffer_.received(bytes, [&](std::span<const std::byte> payload) {
                arrived = true;
                intact_reply = intact(payload, chosen_.size, sequence);
            });
        }
        return intact_reply;
    }

    measurement echo(std::uint64_t until_ns) override {
        round_.begin(until_ns);
        for (const auto& session : sessions_) write(*session, round_.first(session->state));
        turn_until(chosen_.spin, round_.progress(), [&] { return round_.done(); }, [&] { context_.poll(); }, [&] { context_.run_one(); });
        return round_.measured();
    }

private:
    tcp::socket& first() { return sessions_.front()->socket; }
    bool echoes() const noexcept { return chosen_.work == peer_work::echo || chosen_.work == peer_work::idle; }

    void read(client_session& session) {
        session.socket.async_read_some(asio::buffer(session.data), [this, &session](asio::error_code error, std::size_t bytes) {
            if (error) asio::detail::throw_error(error, "read");
            write(session, round_.arrived(session.state, {session.data.data(), bytes}));
            read(session);
        });
    }

    void write(client_session& session, std::span<const std::byte> bytes) {
        if (session.writing.empty() && !bytes.empty()) {
            asio::error_code error;
            const std::size_t taken = session.socket.write_some(buffer_of(bytes), error);
            if (error && error != asio::error::would_block) asio::detail::throw_error(error, "write");
            bytes = bytes.subspan(taken);
        }
        session.queued.insert(session.queued.end(), bytes.begin(), bytes.end());  // what the kernel has no room for now
        if (session.writing.empty() && !session.queued.empty()) write_queued(session);
    }

    void write_queued(client_session& session) {
        session.writing.swap(session.queued);
        asio::async_write(session.socket, buffer_of(std::span<const std::byte>(session.writing)),
                          [this, &session](asio::error_code error, std::size_t) {
                              if (error) asio::detail::throw_error(error, "write");
                              session.writing.clear();
                              if (!session.queued.empty()) write_queued(session);
                          });
    }

    const settings& chosen_;
    batch batch_;
    receive_buffer buffer_;
    frame_counter counter_;
    echo_round round_;
    asio::io_context context_{1};
    std::vector<std::unique_ptr<client_session>> sessions_{};
};

}  // namespace

}  // namespace mnet::bench::peers

int main(int argument_count, char** arguments) {
    using namespace mnet::bench::peers;
    const peer_certificates certificates = make_peer_certificates("asio");
    const peer asio_peer{.name = "asio",
                         .transports = {"tcp", "tls"},
                         .make_server = [&](const settings& chosen) -> std::unique_ptr<server> {
                             if (chosen.transport == "tls") return make_asio_tls_server(chosen, certificates);
                             return std::make_unique<asio_server>(chosen);
                         },
                         .make_client = [&](const settings& chosen, const std::string& address) -> std::unique_ptr<client> {
                             if (chosen.transport == "tls") return make_asio_tls_client(chosen, address, certificates);
                             return std::make_unique<asio_client>(chosen, address);
                         },
                         .cannot = [](const settings& chosen) -> std::optional<std::string> {
                             const bool many = chosen.work == peer_work::echo || chosen.work == peer_work::idle;
                             if (chosen.transport == "tls" && many) return "Asio's TLS is measured over one connection";
                             return std::nullopt;
                         }};
    return run_peer(asio_peer, argument_count, arguments);
}
