// What the tests of the TLS room share: a folder with certificates of every kind, and two machines back to back in memory.
#pragma once
#include <unistd.h>

#include <mnet/tls.hpp>
#include <mnet/tls_certificates.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/certificate_folder.hpp"
#include "support/hex.hpp"
#include "tls/client_context.hpp"
#include "tls/machine.hpp"
#include "tls/server_context.hpp"

namespace mnet::tls::testing {

using bytes = std::vector<std::byte>;
using phase = machine::phase;

inline std::chrono::sys_seconds now() { return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now()); }

/// The value of what has to succeed.
template <typename T>
T must(result<T> given) {
    if (given) return std::move(*given);
    ADD_FAILURE() << given.error().message();
    std::abort();
}

template <typename T>
T must(outcome<T> given) {
    if constexpr (std::is_void_v<T>) {
        if (given) return;
    } else {
        if (given) return std::move(*given);
    }
    ADD_FAILURE() << given.error().code.message() << ": " << given.error().words;
    std::abort();
}

/// An authority, and a server's and a client's certificate of it. Made once: keys take time.
struct parties {
    support::certificate_folder files;
    certificates::pair authority = must(certificates::make_authority());
    certificates::pair stranger = must(certificates::make_authority({.common_name = "a stranger"}));
    certificate_files server =
        files.write("server", must(certificates::make_server(authority, {.names = {"localhost", "127.0.0.1", "::1"}})));
    certificate_files client = files.write("client", must(certificates::make_client(authority, {.names = {"alice.example"}})));
    std::string authority_file = files.write("authority.pem", authority.certificate);
    std::string stranger_file = files.write("stranger.pem", stranger.certificate);

    static const parties& all() {
        static const parties instance;
        return instance;
    }
};

inline server_options server_defaults() { return {.certificate = parties::all().server.certificate, .key = parties::all().server.key}; }

inline client_options client_defaults() { return {.authority = parties::all().authority_file}; }

inline std::shared_ptr<server_context> server_of(const server_options& options, std::chrono::sys_seconds time = now()) {
    return must(server_context::make(options, time));
}

inline std::shared_ptr<client_context> client_of(const client_options& options, std::chrono::sys_seconds time = now()) {
    return must(client_context::make(options, time));
}

/// How many bytes of so many that wait travel next.
using cutter = std::function<std::size_t(std::size_t)>;

inline std::size_t everything(std::size_t waiting) { return waiting; }

/// A machine, with what it gave out and what it was given.
struct end {
    template <typename... Arguments>
    explicit end(Arguments&&... arguments) : tls(std::forward<Arguments>(arguments)...) {}

    machine tls;
    bytes outbound{};    // ciphertext on its way to the other end
    bytes received{};    // plaintext
    bytes to_send{};     // plaintext that was not taken yet
    bool close = false;  // finish when all is sent

    /// Gives out what there is, in rooms of `room` bytes.
    bool give_out(std::size_t room) {
        const std::size_t before = outbound.size();
        for (;;) {
            bytes lent(room);
            const auto moved = tls.encrypt(to_send, lent);
            to_send.erase(to_send.begin(), to_send.begin() + static_cast<std::ptrdiff_t>(moved.consumed));
            outbound.insert(outbound.end(), lent.begin(), lent.begin() + static_cast<std::ptrdiff_t>(moved.produced));
            if (moved.produced == 0) break;
        }
        if (close && to_send.empty()) {
            close = false;
            tls.finish();
            give_out(room);
        }
        return outbound.size() != before;
    }

    /// Takes `arrived` in, with rooms of `room` bytes; what the machine does not take is left.
    std::size_t take_in(std::span<const std::byte> arrived, std::size_t room) {
        std::size_t taken = 0;
        for (;;) {
            bytes lent(room);
            const auto moved = tls.decrypt(arrived.subspan(taken), lent);
            taken += moved.consumed;
            received.insert(received.end(), lent.begin(), lent.begin() + static_cast<std::ptrdiff_t>(moved.produced));
            if (moved.consumed == 0 && moved.produced == 0 && !tls.has_plaintext()) return taken;
        }
    }
};

/// Two ends and the wire between them.
struct two_ends {
    end server;
    end client;
    std::size_t room = 64 * 1024;

    two_ends(const std::shared_ptr<server_context>& server_settings, const std::shared_ptr<client_context>& client_settings,
             std::string_view host = "localhost", std::string_view peer = "localhost:5050")
        : server(server_settings->snapshot()), client(client_settings, host, peer) {}

    bool carry(end& from, end& to, const cutter& next) {
        bool moved = from.give_out(room);
        while (!from.outbound.empty()) {
            const std::size_t travelling = std::clamp<std::size_t>(next(from.outbound.size()), 1, from.outbound.size());
            const std::size_t taken = to.take_in(std::span(from.outbound).first(travelling), room);
            if (taken == 0) break;
            from.outbound.erase(from.outbound.begin(), from.outbound.begin() + static_cast<std::ptrdiff_t>(taken));
            moved = true;
        }
        return moved;
    }

    /// Until nothing moves any more.
    void run(const cutter& next = everything) {
        bool moved = true;
        while (moved) {
            moved = carry(client, server, next);
            moved = carry(server, client, next) || moved;
        }
    }
};

inline bytes of(std::string_view text) { return support::to_bytes(text); }

inline std::string text(const bytes& given) { return {reinterpret_cast<const char*>(given.data()), given.size()}; }

}  // namespace mnet::tls::testing
