// Certificates for one run: see bench_certificates.hpp.
#include "bench_certificates.hpp"

#include "failure.hpp"

#include <mnet/tls_certificates.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace mnet::tool {

namespace {

template <typename T>
T made(result<T> outcome, const std::string& words) {
    if (!outcome) throw failure_exit(exit_code::unreachable, "no certificates: " + words);
    return *std::move(outcome);
}

}  // namespace

bench_certificates::file bench_certificates::file_with(std::string_view text) {
    file fresh;
    fresh.descriptor.reset(::memfd_create("mnet-bench-certificate", MFD_CLOEXEC));
    const auto written = fresh.descriptor ? ::write(fresh.descriptor.get(), text.data(), text.size()) : -1;
    if (written != static_cast<ssize_t>(text.size()))
        throw failure_exit(exit_code::unreachable, "no memory for certificates: " + reason_text({errno, std::system_category()}));
    fresh.path = fmt::format("/proc/{}/fd/{}", ::getpid(), fresh.descriptor.get());
    return fresh;
}

bench_certificates::bench_certificates() {
    namespace certificates = tls::certificates;
    std::string words;
    const auto authority = made(certificates::make_authority({.common_name = "mnet bench"}, &words), words);
    const auto server = made(certificates::make_server(authority, {.names = {"localhost", "127.0.0.1", "::1"}}, &words), words);
    authority_ = file_with(authority.certificate);
    server_ = file_with(server.certificate);
    server_key_ = file_with(server.key);
}

}  // namespace mnet::tool
