// The servers of a benchmark: see bench_site.hpp.
#include "bench_site.hpp"

#include "process.hpp"

#include <mnet/mtcp/connect.hpp>

#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <vector>

namespace mnet::tool {

namespace {

std::string_view text_of(mtcp::engine wanted) noexcept {
    switch (wanted) {
        case mtcp::engine::epoll:
            return "epoll";
        case mtcp::engine::uring:
            return "uring";
        default:
            return "auto";
    }
}

std::vector<std::string> server_arguments(const bench_options& options, std::size_t message_bytes_max, const bench_certificates* shown) {
    std::string address = "127.0.0.1:0";
    if (options.transport == "shm") address = fmt::format("shm://mnet-bench-{}", ::getpid());
    if (options.transport == "unix") address = fmt::format("unix://@mnet-bench-{}", ::getpid());
    std::vector<std::string> arguments{"--bench", address, "--message-bytes-max", std::to_string(message_bytes_max)};
    if (options.spin) arguments.emplace_back("--spin");
    if (options.sleep) arguments.emplace_back("--sleep");
    arguments.emplace_back("--engine");
    arguments.emplace_back(text_of(options.engine));
    if (shown != nullptr) arguments.insert(arguments.end(), {"--tls-cert", shown->server(), "--tls-key", shown->server_key()});
    return arguments;
}

/// The processor for the servers, where one side polls without end; this process then keeps to another. A scheduler that puts two threads
/// which never sleep on the same processor lets each wait for the end of the other's time slice: milliseconds in place of microseconds.
std::optional<int> apart(const bench_options& options) {
    const auto processors = allowed_processors();
    const bool polls = options.spin || options.work == bench_work::latency;
    if (!polls || processors.size() < 2) return std::nullopt;
    pin_to(processors.back());
    return processors.front();
}

std::size_t largest(const bench_options& options) {
    std::size_t bytes = mtcp::default_message_bytes_max;
    for (const std::size_t size : options.sizes) bytes = std::max(bytes, size);
    return bytes;
}

}  // namespace

bench_site::bench_site(const bench_options& options)
    : wanted_(options.transport),
      spin_(options.spin),
      sleep_(options.sleep),
      wanted_engine_(options.engine),
      message_bytes_max_(largest(options)),
      address_(options.connect) {
    believe(options);
    if (options.connect.empty()) {
        servers_processor_ = apart(options);
        own_.emplace(server_arguments(options, message_bytes_max_, certificates_ ? &*certificates_ : nullptr), servers_processor_);
        address_ = own_->address();
    }
    control_.emplace(connect(connect_options()));
    transport_ = control_->transport();
    bench::answer first = counters();
    plain_address_ = std::move(first.plain_address);
    engine_ = std::move(first.engine);
    if (!has_plain()) return;
    auto socket = bench::plain::connect_socket(plain_address_);
    if (socket) {
        plain_control_.emplace(std::move(*socket), bench::plain::waiting::blocking, 0);
    } else {
        print_error(fmt::format("{}: {}; going on without the plain-socket program", plain_address_, reason_text(socket.error())));
        plain_address_.clear();
    }
}

/// Makes what TLS needs; without it nothing.
void bench_site::believe(const bench_options& options) {
    if (options.tls) certificates_.emplace();
    const std::string& authority = certificates_ ? certificates_->authority() : options.tls_authority;
    if (authority.empty()) return;
    std::string words;
    auto settings = tls::client({.authority = authority}, &words);
    if (!settings) fail(exit_code::unreachable, authority, settings.error(), words);
    tls_ = std::move(*settings);
}

mtcp::connect_options bench_site::connect_options() const noexcept {
    mtcp::connect_options settings{.message_bytes_max = message_bytes_max_};
    if (spin_) settings.spin = bench::spin_time;
    if (sleep_) settings.spin = std::chrono::microseconds(0);
    settings.engine = wanted_engine_;
    if (tls_) settings.tls = &*tls_;
    settings.shared_memory = wanted_ == "auto" || wanted_ == "shm" ? mtcp::sharing::automatic : mtcp::sharing::off;
    return settings;
}

mtcp::connect_options bench_site::tcp_options() const noexcept {
    auto settings = connect_options();
    settings.shared_memory = mtcp::sharing::off;
    return settings;
}

client bench_site::connect(const mtcp::connect_options& settings) const {
    std::string words;
    mtcp::connect_options asking = settings;
    asking.words = &words;
    auto connected = mtcp::connect(address_, asking);
    if (!connected) fail_to_reach(address_, connected.error(), words);
    // The server may accept it whenever it likes, which is not to be while another client is measured.
    (void)counters(*connected);
    return std::move(*connected);
}

bench::plain::connection bench_site::connect_plain(std::size_t message_bytes) const {
    auto socket = bench::plain::connect_socket(plain_address_);
    if (!socket) fail_to_reach(plain_address_, socket.error());
    bench::plain::connection connected(std::move(*socket), plain_waiting(), message_bytes);
    checked_plain(bench::plain::ask(connected, bench::request{}));  // it is accepted now, and not while another is measured
    return connected;
}

bench::answer bench_site::counters(client& asking) const {
    checked(asking.send(bench::to_text(bench::request{})));
    return understood(checked(asking.read(bench_patience)).text());
}

bench::answer bench_site::plain_counters() { return checked_plain(bench::plain::ask(*plain_control_, bench::request{})); }

void bench_site::begin(client& client, const bench::request& request) const {
    checked(client.send(bench::to_text(request)));
    if (checked(client.read(bench_patience)).text() != bench::ready_text)
        throw failure_exit(exit_code::unreachable, address_ + ": this is no `mnet serve --bench`");
}

bench::answer bench_site::understood(std::string_view text) const {
    auto answer = bench::parse_answer(text);
    if (!answer) throw failure_exit(exit_code::unreachable, address_ + ": this is no `mnet serve --bench`");
    return std::move(*answer);
}

std::string bench_site::stop() {
    control_.reset();
    plain_control_.reset();
    return own_ ? own_->stop() : std::string();
}

}  // namespace mnet::tool
