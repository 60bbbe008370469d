// See cert.hpp. The work is the library's (mnet/tls_certificates.hpp); here are file names, and text for people and programs.
#include "cert.hpp"

#include "process.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

namespace mnet::tool {

namespace {

namespace certificates = tls::certificates;

tls::certificate_files files_of(const std::string& name) { return {.certificate = name + ".pem", .key = name + ".key"}; }

/// What can't be used is a failure, what can't be meant is usage; the library's words say which file or name it is about.
template <typename T>
T made_of(result<T> given, const std::string& words) {
    if (given) {
        if constexpr (std::is_void_v<T>)
            return;
        else
            return std::move(*given);
    }
    const std::error_code reason = given.error();
    const bool is_usage = reason == std::errc::invalid_argument;
    throw failure_exit(is_usage ? exit_code::usage : exit_code::lost, words.empty() ? reason_text(reason) : words);
}

certificates::pair authority_of(const cert_options& options) {
    std::string words;
    const auto files = files_of(options.signed_by);
    auto found = certificates::load(files, &words);
    if (!found && found.error() == std::errc::no_such_file_or_directory) {
        throw failure_exit(exit_code::lost, fmt::format("{}; make an authority with `mnet cert ca`, or name yours with --ca", words));
    }
    return made_of(std::move(found), words);
}

certificates::pair make(const cert_options& options) {
    certificates::options wanted{.names = options.names, .common_name = options.common_name, .key = options.key};
    if (options.days != 0) wanted.valid_for = std::chrono::days(options.days);
    std::string words;
    if (options.work == cert_work::authority) return made_of(certificates::make_authority(wanted, &words), words);
    const auto authority = authority_of(options);
    if (options.work == cert_work::server) return made_of(certificates::make_server(authority, wanted, &words), words);
    // A client's name may be any text: who it is, to the server.
    wanted.common_name = wanted.names.front();
    auto made = certificates::make_client(authority, wanted, &words);
    if (!made && made.error() == std::errc::invalid_argument && wanted.names.size() == 1) {
        wanted.names.clear();
        made = certificates::make_client(authority, wanted, &words);
    }
    return made_of(std::move(made), words);
}

std::string default_name(cert_work work) {
    if (work == cert_work::authority) return "ca";
    return work == cert_work::server ? "server" : "client";
}

std::string date(std::chrono::sys_seconds time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

long days_left(const certificates::description& shown) {
    return std::chrono::floor<std::chrono::days>(shown.valid_until - std::chrono::system_clock::now()).count();
}

std::string validity(const certificates::description& shown) {
    const auto now = std::chrono::system_clock::now();
    if (shown.valid_until <= now) return fmt::format("EXPIRED {} days ago", -days_left(shown));
    if (shown.valid_from > now) return "NOT VALID YET";
    return fmt::format("{} days left", days_left(shown));
}

std::vector<std::string> uses(const certificates::description& shown) {
    std::vector<std::string> all;
    if (shown.is_authority) all.emplace_back("authority");
    if (shown.for_servers) all.emplace_back("server");
    if (shown.for_clients) all.emplace_back("client");
    return all;
}

void show_text(const std::string& file, const certificates::description& shown) {
    const std::string names = shown.names.empty() ? "(none)" : fmt::format("{}", fmt::join(shown.names, ", "));
    const auto all_uses = uses(shown);
    print_line(fmt::format("{}: {}", file, shown.subject));
    print_line(fmt::format("  names        {}", names));
    print_line(fmt::format("  good for     {}", all_uses.empty() ? "nothing here" : fmt::format("{}", fmt::join(all_uses, ", "))));
    print_line(fmt::format("  signed by    {}", shown.issuer == shown.subject && shown.is_authority ? "itself" : shown.issuer));
    print_line(fmt::format("  valid        {} to {}, {}", date(shown.valid_from), date(shown.valid_until), validity(shown)));
    print_line(fmt::format("  key          {}", shown.key));
    print_line(fmt::format("  serial       {}", shown.serial));
    print_line(fmt::format("  SHA-256      {}", shown.fingerprint));
}

void show_json(const std::string& file, const certificates::description& shown) {
    const nlohmann::ordered_json line = {{"file", file},
                                         {"subject", shown.subject},
                                         {"issuer", shown.issuer},
                                         {"names", shown.names},
                                         {"uses", uses(shown)},
                                         {"valid_from", date(shown.valid_from)},
                                         {"valid_until", date(shown.valid_until)},
                                         {"days_left", days_left(shown)},
                                         {"key", shown.key},
                                         {"serial", shown.serial},
                                         {"sha256", shown.fingerprint}};
    print_line(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string text_of_file(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (!stream.is_open() || stream.bad()) {
        const std::error_code reason(errno, std::system_category());
        throw failure_exit(exit_code::lost, fmt::format("{}: {}", file, reason_text(reason)));
    }
    return text;
}

void show(const cert_options& options) {
    for (const std::string& file : options.files) {
        const auto found = certificates::describe(text_of_file(file));
        if (!found)
            throw failure_exit(exit_code::lost,
                               fmt::format("{}: holds no certificate (-----BEGIN CERTIFICATE-----) that can be read", file));
        for (const auto& shown : *found) {
            if (options.json) {
                show_json(file, shown);
            } else {
                show_text(file, shown);
            }
        }
    }
}

}  // namespace

exit_code run_cert(const cert_options& options) {
    if (options.work == cert_work::show) {
        show(options);
        return exit_code::done;
    }
    const auto made = make(options);
    const auto files = files_of(options.out.empty() ? default_name(options.work) : options.out);
    std::string words;
    made_of(certificates::save(made, files, &words), words);
    if (options.json) {
        print_line(nlohmann::ordered_json({{"certificate", files.certificate}, {"key", files.key}}).dump());
    } else {
        print_line(fmt::format("{}\n{} (keep it to yourself)", files.certificate, files.key));
    }
    return exit_code::done;
}

}  // namespace mnet::tool
