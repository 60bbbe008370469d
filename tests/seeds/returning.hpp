// A client of a run that returns by itself (connect_options::reconnect), and what its servers hear of it: nothing twice over all of its connections,
// in order in each of them (one that was lost may be heard after the next: it was accepted late, or its loop had not read it yet), and no gap in
// one that is not in the account. Every byte that it committed is in that of a loss, or of the close, once.
#pragma once
#include "seeds/talk.hpp"

#include <mnet/mnet.hpp>
#include <mnet/simulation.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string_view>

namespace seeds {

/// What servers hear of it, one server after the other.
class hearing {
public:
    explicit hearing(mnet::simulation::world& world) noexcept : world_(world) {}

    /// A message on one of the present server's connections, whosever it is.
    void heard(std::uint64_t connection, std::string_view text);
    /// The next server counts its connections anew.
    void server_left() noexcept { next_.clear(); }

    std::uint64_t messages() const noexcept { return messages_; }
    std::uint64_t bytes() const noexcept { return bytes_; }  // lengths included
    /// Messages that are missing between two of one connection.
    std::uint64_t gaps() const noexcept { return gaps_; }

private:
    mnet::simulation::world& world_;
    std::map<std::uint64_t, std::uint64_t> next_{};  // number that each connection has to bring next
    std::set<std::uint64_t> numbers_{};              // all that were heard
    std::uint64_t messages_ = 0;
    std::uint64_t bytes_ = 0;
    std::uint64_t gaps_ = 0;
};

/// Asks numbered questions, a few ahead, whatever becomes of the connection and the server. `may_lose`: else it must never have to return.
mnet::task<void> ask_through_losses(setting& all, const hearing& heard, bool may_lose);

}  // namespace seeds
