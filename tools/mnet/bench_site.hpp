// The two servers that a benchmark measures, the library's and the plain one beside it: started as processes of their own, or found at
// `--connect`. And the clients of the former that speak bench/protocol.hpp.
#pragma once
#include "bench.hpp"
#include "bench_certificates.hpp"
#include "measurement.hpp"
#include "plain_sockets.hpp"
#include "protocol.hpp"
#include "server_process.hpp"

#include <mnet/client.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>

#include <optional>
#include <string>

namespace mnet::tool {

/// What may happen within a benchmark without anything arriving; then it is given up.
inline constexpr operation bench_patience{.deadline = within(bench::plain::patience)};

class bench_site {
public:
    /// Throws failure_exit.
    explicit bench_site(const bench_options& options);

    const std::string& address() const noexcept { return address_; }

    /// Empty when no plain server can be reached: a remote one behind a firewall, say.
    const std::string& plain_address() const noexcept { return plain_address_; }
    bool has_plain() const noexcept { return !plain_address_.empty(); }

    std::string_view transport() const noexcept { return transport_; }

    bool has_tls() const noexcept { return transport() == "tls"; }

    /// Of the plain program beside it.
    std::string plain_transport() const { return plain_address_.starts_with("unix:") ? "unix" : "tcp"; }

    /// Both sides poll the memory that they share, each on a processor of its own.
    bool polls_memory() const noexcept { return spin_ && servers_processor_ && transport() == "shared_memory"; }

    /// Its clients can share memory with it, and can do without.
    bool has_both() const noexcept { return wanted_ == "auto" && transport() == "shared_memory"; }
    /// The server's.
    std::string_view engine() const noexcept { return engine_; }

    bench::plain::waiting plain_waiting() const noexcept { return bench::plain::waiting_for(spin_); }

    /// What clients of the library's server are connected with.
    mtcp::connect_options connect_options() const noexcept;  // with the address of a part of this
    mtcp::connect_options tcp_options() const noexcept;

    /// A blocking client, whose handler runs at the server. Throws failure_exit.
    client connect(const mtcp::connect_options& settings) const;

    /// One that the server has none of ours beside: the one by which `counters` would ask, which is not called any more.
    client the_only_client() { return *std::exchange(control_, std::nullopt); }

    /// A connection to the plain server that holds messages of `message_bytes`. Throws failure_exit.
    bench::plain::connection connect_plain(std::size_t message_bytes) const;

    /// What the two servers have used and hold, now. Throws failure_exit.
    bench::answer counters() { return counters(*control_); }
    bench::answer plain_counters();

    /// Announces the work and waits until the server is ready. Throws failure_exit.
    void begin(client& client, const bench::request& request) const;

    /// What `text`, read from the server, says. Throws failure_exit when it is no benchmark's.
    bench::answer understood(std::string_view text) const;

    /// The value, or failure_exit: for `address` and for the plain one.
    template <typename T>
    T checked(result<T> outcome) const {
        if (!outcome) fail(exit_code::lost, address_, outcome.error());
        if constexpr (!std::is_void_v<T>) return std::move(*outcome);
    }
    template <typename T>
    T checked_plain(result<T> outcome) const {
        if (!outcome) fail(exit_code::lost, plain_address_, outcome.error());
        if constexpr (!std::is_void_v<T>) return std::move(*outcome);
    }

    /// Where the servers were put; this thread is elsewhere then.
    std::optional<int> servers_processor() const noexcept { return servers_processor_; }

    /// Ends the server process, where there is one. Gives what went wrong with it, empty when nothing did.
    std::string stop();

private:
    bench::answer counters(client& asking) const;
    void believe(const bench_options& options);

    std::string wanted_;  // transport
    bool spin_;
    bool sleep_;
    mtcp::engine wanted_engine_;
    std::string_view transport_{};
    std::string engine_{};
    std::size_t message_bytes_max_;
    std::optional<int> servers_processor_{};
    std::optional<bench_certificates> certificates_{};  // of a server process with TLS
    std::optional<tls::client_settings> tls_{};
    std::optional<server_process> own_{};
    std::string address_{};
    std::string plain_address_{};
    std::optional<client> control_{};
    std::optional<bench::plain::connection> plain_control_{};
};

}  // namespace mnet::tool
