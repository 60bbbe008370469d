// What a scenario noted, and whether it names the failure that it met.
#include "torture/scenarios.hpp"
#include "torture/strikes.hpp"

#include <mnet/error.hpp>
#include <mnet/mnet.hpp>

#include <array>
#include <cerrno>

namespace torture {

using mnet::errc;

void notes::failed(const char* step, std::error_code why, std::string_view words) {
    const unwatched own;
    const std::scoped_lock lock(mutex_);
    steps_.emplace_back(step, why);
    if (!words.empty()) words_.emplace_back(words);
}

void notes::said(std::string_view words) {
    const unwatched own;
    const std::scoped_lock lock(mutex_);
    words_.emplace_back(words);
}

void notes::counted(std::uint64_t times) {
    const std::scoped_lock lock(mutex_);
    counted_ += times;
}

bool notes::name(int error, bool of_openssl) const {
    const std::error_condition meant(error, std::generic_category());
    const std::array<std::error_condition, 4> consequences{
        make_error_condition(std::errc::connection_reset), make_error_condition(std::errc::broken_pipe),
        make_error_condition(std::errc::connection_refused), make_error_condition(std::errc::operation_canceled)};
    for (const auto& [step, why] : steps_) {
        if (why == meant) return true;
        // OpenSSL says "malloc failure", "internal error", or takes for bad what it had no memory to look at.
        if (of_openssl && why.category() == mnet::tls_category()) return true;
        if (step == "close") return true;                                        // its account says what was not delivered
        if (why == errc::reconnected || why == errc::reconnecting) return true;  // overcome, and the account says what was not delivered
        if (why == std::errc::broken_pipe) return true;  // what the other end sees of one that had no memory to ring
        if (error == ECONNRESET && (why == errc::truncated || why == make_error_code(mnet::tls_errc::closed_during_handshake))) return true;
        if (step == "listen" && why == std::errc::address_in_use) return true;  // a look at who holds it failed
        if (counted_ == 0) continue;
        if (why == make_error_code(errc::end_of_stream) || why == make_error_code(errc::truncated)) return true;
        if (why == make_error_code(mnet::tls_errc::closed_during_handshake)) return true;
        for (const auto& consequence : consequences) {
            if (why == consequence) return true;
        }
    }
    for (const auto& text : words_) {
        if (text.find(meant.message()) != std::string::npos) return true;
    }
    return false;
}

bool notes::timed_out() const {
    for (const auto& [step, why] : steps_) {
        if (why == std::errc::timed_out) return true;
    }
    return false;
}

std::string notes::text() const {
    std::string all;
    for (const auto& [step, why] : steps_) all += "\n        " + step + ": " + why.message();
    for (const auto& each : words_) all += "\n        \"" + each + '"';
    return all + "\n        counted by the server: " + std::to_string(counted_);
}

}  // namespace torture
