// The TLS boundary against hostile bytes: whatever arrives, before, during and after the handshake, a machine gives an error or bytes that
// its peer sent, and never more than was lent.
//
// The first byte of the input picks who is attacked and how: raw bytes to a server or to a client; or a conversation of the two in which
// some bytes are changed on their way. The rest is the bytes, or the changes: three bytes each, how far on and by what.
#include <mnet/tls.hpp>
#include <mnet/tls_certificates.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tls/client_context.hpp"
#include "tls/machine.hpp"
#include "tls/server_context.hpp"

namespace {

namespace tls = mnet::tls;
using bytes = std::vector<std::byte>;
using phase = tls::machine::phase;

void require(bool holds) {
    if (!holds) std::abort();
}

struct settings {
    std::shared_ptr<tls::server_context> server;
    std::shared_ptr<tls::client_context> client;
};

settings make_settings() {
    namespace certificates = tls::certificates;
    std::string folder = (std::filesystem::temp_directory_path() / "mnet-fuzz-XXXXXX").string();
    require(::mkdtemp(folder.data()) != nullptr);
    const auto authority = certificates::make_authority();
    const auto server = certificates::make_server(*authority, {.names = {"localhost"}});
    const auto client = certificates::make_client(*authority, {.names = {"client"}});
    const auto save = [&folder](const certificates::pair& made, const std::string& name) {
        const tls::certificate_files files{.certificate = folder + "/" + name + ".pem", .key = folder + "/" + name + ".key"};
        require(certificates::save(made, files).has_value());
        return files;
    };
    const auto authority_files = save(*authority, "authority");
    const auto server_files = save(*server, "server");
    const auto client_files = save(*client, "client");
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    auto server_made = tls::server_context::make({.certificate = server_files.certificate,
                                                  .key = server_files.key,
                                                  .client_authority = authority_files.certificate,
                                                  .application_protocols = {"mnet", "other"}},
                                                 now);
    auto client_made = tls::client_context::make({.authority = authority_files.certificate,
                                                  .certificate = client_files.certificate,
                                                  .key = client_files.key,
                                                  .application_protocols = {"other", "mnet"}},
                                                 now);
    require(server_made && client_made);
    std::filesystem::remove_all(folder);
    return {.server = *server_made, .client = *client_made};
}

const settings& all_settings() {
    static const settings instance = make_settings();
    return instance;
}

bytes give_out(tls::machine& machine, std::span<const std::byte> plaintext) {
    bytes all;
    std::array<std::byte, 3000> lent;
    for (;;) {
        const auto moved = machine.encrypt(plaintext, lent);
        require(moved.consumed <= plaintext.size() && moved.produced <= lent.size());
        plaintext = plaintext.subspan(moved.consumed);
        all.insert(all.end(), lent.begin(), lent.begin() + static_cast<std::ptrdiff_t>(moved.produced));
        if (moved.produced == 0) return all;
    }
}

bytes take_in(tls::machine& machine, std::span<const std::byte> ciphertext) {
    bytes all;
    bytes lent(700);  // of its own size, so that a byte too many is seen
    for (;;) {
        const auto moved = machine.decrypt(ciphertext, lent);
        require(moved.consumed <= ciphertext.size() && moved.produced <= lent.size());
        ciphertext = ciphertext.subspan(moved.consumed);
        all.insert(all.end(), lent.begin(), lent.begin() + static_cast<std::ptrdiff_t>(moved.produced));
        if (moved.consumed == 0 && moved.produced == 0) return all;
        if (ciphertext.empty() && !machine.has_plaintext()) return all;
    }
}

void attack(tls::machine& machine, std::span<const std::byte> data) {
    give_out(machine, {});
    const std::size_t half = data.size() / 2;
    require(take_in(machine, data.first(half)).empty() && take_in(machine, data.subspan(half)).empty());
    require(machine.state() == phase::handshaking || machine.state() == phase::failed);
    give_out(machine, {});
    machine.rest();
    machine.end_of_stream();
    require(machine.state() == phase::failed && machine.error());
}

/// Changes bytes of what travels, where the input says so.
class tamperer {
public:
    explicit tamperer(std::span<const std::byte> changes) noexcept : changes_(changes) { next(); }

    bytes pass(bytes travelling) {
        const std::uint64_t end = passed_ + travelling.size();
        while (pending_ && at_ < end) {
            travelling[at_ - passed_] ^= by_;
            next();
        }
        passed_ = end;
        return travelling;
    }

private:
    void next() noexcept {
        pending_ = changes_.size() >= 3;
        if (!pending_) return;
        at_ += std::to_integer<std::uint64_t>(changes_[0]) * 256 + std::to_integer<std::uint64_t>(changes_[1]);
        by_ = changes_[2];
        changes_ = changes_.subspan(3);
    }

    std::span<const std::byte> changes_;
    std::uint64_t passed_ = 0;
    std::uint64_t at_ = 0;
    std::byte by_{};
    bool pending_ = false;
};

void converse(std::span<const std::byte> changes) {
    const settings& given = all_settings();
    tls::machine server(given.server->snapshot());
    tls::machine client(given.client, "localhost", "fuzzed");
    tamperer wire(changes);
    const bytes message(2000, std::byte{'m'});
    bytes at_server;
    bytes at_client;
    for (int round = 0; round < 6; ++round) {
        const bytes up =
            take_in(server, wire.pass(give_out(client, round == 3 ? std::span<const std::byte>(message) : std::span<const std::byte>())));
        const bytes down =
            take_in(client, wire.pass(give_out(server, round == 3 ? std::span<const std::byte>(message) : std::span<const std::byte>())));
        at_server.insert(at_server.end(), up.begin(), up.end());
        at_client.insert(at_client.end(), down.begin(), down.end());
        if (round == 4) client.finish();
    }
    // What was changed is found: plaintext is what was sent, or its beginning.
    for (const bytes* const got : {&at_server, &at_client}) {
        require(got->size() <= message.size() && std::equal(got->begin(), got->end(), message.begin()));
    }
    server.end_of_stream();
    client.end_of_stream();
    require(client.state() == phase::failed);  // the server did not finish
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto rest = std::as_bytes(std::span(data, size)).subspan(1);
    if (data[0] % 3 == 0) {
        tls::machine server(all_settings().server->snapshot());
        attack(server, rest);
    } else if (data[0] % 3 == 1) {
        tls::machine client(all_settings().client, "localhost", "attacked");
        attack(client, rest);
    } else {
        converse(rest);
    }
    return 0;
}
