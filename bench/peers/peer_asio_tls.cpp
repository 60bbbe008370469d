// See peer_asio_tls.hpp: asynchronous reads at the server, the synchronous calls at the client, as peer_asio.cpp has them without TLS.
#include "peer_asio_tls.hpp"

#include "frames.hpp"

#include <asio.hpp>
#include <asio/ssl.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace mnet::bench::peers {

namespace {

using asio::ip::tcp;
using tls_stream = asio::ssl::stream<tcp::socket>;

asio::const_buffer buffer_of(std::span<const std::byte> bytes) noexcept { return asio::buffer(bytes.data(), bytes.size()); }
asio::mutable_buffer buffer_of(std::span<std::byte> bytes) noexcept { return asio::buffer(bytes.data(), bytes.size()); }

void use_one_suite(asio::ssl::context& context) {
    if (SSL_CTX_set_ciphersuites(context.native_handle(), "TLS_AES_128_GCM_SHA256") != 1) fail("asio", "no TLS_AES_128_GCM_SHA256");
}

class asio_tls_server final : public server {
public:
    asio_tls_server(const settings& chosen, const peer_certificates& shown) : chosen_(chosen), counter_(chosen.size), buffer_(chosen.size) {
        use_one_suite(security_);
        security_.use_certificate_chain(asio::buffer(shown.certificate));
        security_.use_private_key(asio::buffer(shown.key), asio::ssl::context::pem);
    }

    std::string listen() override {
        acceptor_.open(tcp::v4());
        acceptor_.bind({asio::ip::address_v4::loopback(), 0});
        acceptor_.listen();
        return std::to_string(acceptor_.local_endpoint().port());
    }

    receipt receive_stream(std::uint64_t count) override { return receive(count, false); }
    receipt answer_pingpong(std::uint64_t count) override { return receive(count, true); }
    [[noreturn]] void echo() override { fail("asio", "no echo over TLS"); }

private:
    receipt receive(std::uint64_t count, bool answers) {
        answers_ = answers;
        counter_.begin(count);
        if (!stream_) {
            stream_.emplace(acceptor_.accept(), security_);
            stream_->next_layer().set_option(tcp::no_delay(true));
            stream_->handshake(asio::ssl::stream_base::server);
        }
        context_.restart();  // it stopped when the last request left it without work
        read();
        turn_until(chosen_.spin, counter_.seen(), [&] { return counter_.done(); }, [&] { context_.poll(); }, [&] { context_.run_one(); });
        return counter_.counted();
    }

    void read() {
        space_ = buffer_.space();
        stream_->async_read_some(buffer_of(space_), [this](asio::error_code error, std::size_t bytes) {
            if (error) asio::detail::throw_error(error, "read");
            received(bytes);
        });
    }

    void received(std::size_t bytes) {
        const auto arrived = space_.first(bytes);
        counter_.take(buffer_, bytes);
        if (answers_) asio::write(*stream_, buffer_of(std::span<const std::byte>(session_.arrived(arrived))));
        if (!counter_.done()) read();
    }

    const settings& chosen_;
    frame_counter counter_;
    receive_buffer buffer_;
    std::span<std::byte> space_{};
    echoed session_{};
    bool answers_ = false;
    asio::io_context context_{1};  // one thread
    asio::ssl::context security_{asio::ssl::context::tlsv13_server};
    tcp::acceptor acceptor_{context_};
    std::optional<tls_stream> stream_{};
};

class asio_tls_client final : public client {
public:
    asio_tls_client(const settings& chosen, const std::string& address, const peer_certificates& believed)
        : chosen_(chosen), batch_(chosen.size), buffer_(chosen.size) {
        use_one_suite(security_);
        security_.add_certificate_authority(asio::buffer(believed.authority));
        security_.set_verify_mode(asio::ssl::verify_peer);
        stream_.emplace(context_, security_);
        stream_->set_verify_callback(asio::ssl::host_name_verification("localhost"));
        stream_->next_layer().connect({asio::ip::address_v4::loopback(), static_cast<asio::ip::port_type>(std::stoi(address))});
        stream_->next_layer().set_option(tcp::no_delay(true));
    }

    void send_stream(std::uint64_t count) override {
        shake_hands();
        for (std::uint64_t next = 0; next < count;) asio::write(*stream_, buffer_of(batch_.fill(next, count)));
    }

    bool round_trip(std::uint64_t sequence) override {
        shake_hands();
        std::uint64_t next = sequence;
        asio::write(*stream_, buffer_of(batch_.fill(next, sequence + 1)));
        bool intact_reply = false;
        for (bool arrived = false; !arrived;) {
            asio::error_code error;
            const std::size_t bytes = stream_->read_some(buffer_of(buffer_.space()), error);
            if (error == asio::error::would_block) continue;
            if (error) asio::detail::throw_error(error, "read");
            buffer_.received(bytes, [&](std::span<const std::byte> payload) {
                arrived = true;
                intact_reply = intact(payload, chosen_.size, sequence);
            });
        }
        return intact_reply;
    }

    measurement echo(std::uint64_t) override { fail("asio", "no echo over TLS"); }

private:
    /// With the first message: the server accepts when it is told of work.
    void shake_hands() {
        if (std::exchange(is_open_, true)) return;
        stream_->handshake(asio::ssl::stream_base::client);
        stream_->next_layer().non_blocking(chosen_.spin);
    }

    const settings& chosen_;
    batch batch_;
    receive_buffer buffer_;
    bool is_open_ = false;
    asio::io_context context_{1};
    asio::ssl::context security_{asio::ssl::context::tlsv13_client};
    std::optional<tls_stream> stream_{};
};

}  // namespace

std::unique_ptr<server> make_asio_tls_server(const settings& chosen, const peer_certificates& shown) {
    return std::make_unique<asio_tls_server>(chosen, shown);
}

std::unique_ptr<client> make_asio_tls_client(const settings& chosen, const std::string& address, const peer_certificates& believed) {
    return std::make_unique<asio_tls_client>(chosen, address, believed);
}

}  // namespace mnet::bench::peers
