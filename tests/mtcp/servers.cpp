// Networks for tests: see servers.hpp.
#include "servers.hpp"

#include "certificates.hpp"
#include "support/scratch_folder.hpp"

#include <atomic>
#include <cstdlib>
#include <unistd.h>

namespace mtcp_test {

namespace {

using mnet::errc;

void tell(endings* ends, std::error_code how) {
    if (ends != nullptr) ends->put(how);
}

mnet::result<> echo_blocking(mnet::client& client, endings* ends) {
    for (;;) {
        auto message = client.read();
        if (!message) {
            tell(ends, message.error());
            return mnet::failure(message.error());
        }
        if (auto sent = client.send(message->bytes()); !sent) return sent;
        if (auto flushed = client.flush(); !flushed) return flushed;
    }
}

mnet::task<mnet::result<>> echo_coroutine(mnet::client& client, endings* ends) {
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) {
            tell(ends, message.error());
            co_return mnet::failure(message.error());
        }
        if (auto sent = client.send(message->bytes()); !sent) co_return sent;
        if (auto flushed = co_await client.async_flush(); !flushed) co_return flushed;
    }
}

}  // namespace

std::string name_of(carrier what) {
    switch (what) {
        case carrier::tcp_v4:
            return "TcpV4";
        case carrier::tcp_v6:
            return "TcpV6";
        case carrier::unix_path:
            return "UnixPath";
        case carrier::unix_abstract:
            return "UnixAbstract";
        case carrier::shared_memory:
            return "SharedMemory";
        case carrier::tls:
            return "Tls";
    }
    return {};
}

std::string name_of(shape what) {
    switch (what) {
        case shape::message:
            return "Message";
        case shape::coroutine:
            return "Coroutine";
        case shape::blocking:
            return "Blocking";
    }
    return {};
}

std::string transport_of(carrier what) {
    const char* const sharing = std::getenv("MNET_SHARED_MEMORY");
    switch (what) {
        case carrier::tcp_v4:
        case carrier::tcp_v6:
            return sharing != nullptr && std::string_view(sharing) == "off" ? "tcp" : "shared_memory";
        case carrier::unix_path:
        case carrier::unix_abstract:
            return "unix";
        case carrier::shared_memory:
            return "shared_memory";
        case carrier::tls:
            return "tls";
    }
    return {};
}

std::string fresh_address(carrier what) {
    static std::atomic<int> count = 0;
    switch (what) {
        case carrier::tcp_v4:
            return "127.0.0.1:0";
        case carrier::tcp_v6:
            return "[::1]:0";
        case carrier::unix_path: {
            static const support::scratch_folder folder;
            return "unix://" + folder / std::to_string(++count);
        }
        case carrier::unix_abstract:
            return "unix://@mnet-test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
        case carrier::shared_memory:
            return "shm://test-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
        case carrier::tls:
            return "tls://127.0.0.1:0";
    }
    return {};
}

mnet::result<mnet::mtcp::network> listen_echo(shape how, const mnet::mtcp::listen_options& wanted, endings* ends) {
    mnet::mtcp::listen_options options = wanted;
    secure_if_asked(options);
    switch (how) {
        case shape::message:
            return mnet::mtcp::listen(options,
                                      [](mnet::client& client, mnet::message message) noexcept { (void)client.send(message.bytes()); });
        case shape::coroutine:
            return mnet::mtcp::listen(options, [ends](mnet::client& client) { return echo_coroutine(client, ends); });
        case shape::blocking:
            return mnet::mtcp::listen(options, [ends](mnet::client& client) { return echo_blocking(client, ends); });
    }
    std::abort();
}

mnet::mtcp::network echo_server(shape how, carrier what, endings* ends) {
    auto opened = listen_echo(how, {.address = fresh_address(what)}, ends);
    EXPECT_TRUE(opened.has_value()) << opened.error().message();
    return *std::move(opened);
}

void secure_if_asked(mnet::mtcp::listen_options& options) {
    if (options.address.starts_with("tls://") && options.tls && !*options.tls) options.tls = server_of_tests();
}

const mnet::tls::client_settings* tls_for(std::string_view address) { return address.starts_with("tls://") ? &client_of_tests() : nullptr; }

mnet::client connect_to(std::string_view address, const mnet::mtcp::connect_options& options) {
    mnet::mtcp::connect_options chosen = options;
    if (chosen.tls == nullptr) chosen.tls = tls_for(address);
    auto connected = mnet::mtcp::connect(address, chosen);
    EXPECT_TRUE(connected.has_value()) << address << ": " << connected.error().message();
    return *std::move(connected);
}

std::string next_text(mnet::client& client) {
    const auto message = client.read({.deadline = mnet::within(patience)});
    return message ? std::string(message->text()) : "<" + message.error().message() + ">";
}

void expect_echo(mnet::client& client, std::string_view text) {
    ASSERT_TRUE(client.send(text).has_value());
    EXPECT_EQ(next_text(client), text);
}

}  // namespace mtcp_test
