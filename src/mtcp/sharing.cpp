// A meeting from the client's side: find the place, see who is there, take what is offered.
#include "mtcp/sharing.hpp"

#include "io/sockets.hpp"
#include "mtcp/wait.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

namespace {

/// Names in the abstract namespace, beside those of everybody else.
constexpr std::string_view place_of_tcp = "@mnet-tcp-";
constexpr std::string_view place_of_name = "@mnet-shm-";

/// How often the offer is looked for: there is no event that leaves a descriptor with the bytes it came with.
constexpr std::chrono::microseconds first_look{20};
constexpr std::chrono::milliseconds longest_look{2};

/// A listener that answers nothing for so long is busy, or stopped; TCP may still do.
constexpr std::chrono::seconds patience{1};

/// Where TCP won't do, so long before its time is up it is told why: then whoever runs this ends it without a word.
constexpr std::chrono::milliseconds last_word = 2 * longest_look;

struct visit {
    base::unique_fd bell;
    shm::peer with{};
};

result<visit> knock(const acquaintance& whom, std::string& why) {
    result<visit> outcome = failure(std::errc::connection_refused);
    why = "no server of mnet there shares memory";
    for (const io::endpoint& place : whom.places) {
        auto socket = io::open_stream(place);
        if (!socket) return failure(socket.error());
        if (::connect(socket->get(), place.data(), place.length()) != 0) {
            if (const auto refused = io::last_error(); refused != std::errc::connection_refused) {
                outcome = failure(refused);
                why = refused.message();
            }
            continue;
        }
        const auto who = shm::peer_of(socket->get());
        if (!who) return failure(who.error());
        const uid_t trusted = whom.trusted_user.value_or(::geteuid());
        if (!shm::is_trusted(who->user, {&trusted, 1})) {
            why = "user " + std::to_string(who->user) + " holds its name " + place.text();
            return failure(std::errc::permission_denied);
        }
        return visit{.bell = *std::move(socket), .with = *who};
    }
    return outcome;
}

/// What has come of a visit; nothing when no answer is there yet.
std::optional<result<met>> look(visit& visiting, const acquaintance& whom, std::string& why) {
    auto taken = shm::take_offer(visiting.bell.get(), why);
    if (!taken) {
        if (why.empty()) why = taken.error().message();
        return result<met>(failure(taken.error()));
    }
    if (!*taken) return std::nullopt;
    return result<met>(met{.bell = std::move(visiting.bell), .shared = *std::move(*taken), .with = visiting.with, .address = whom.address});
}

}  // namespace

result<sharing> sharing_in_force(sharing asked) noexcept {
    if (asked != sharing::automatic) return asked;
    const char* const text = ::secure_getenv("MNET_SHARED_MEMORY");
    const std::string_view name = text != nullptr ? text : "auto";
    if (name == "auto") return sharing::automatic;
    if (name == "off") return sharing::off;
    if (name == "required") return sharing::required;
    return failure(std::errc::invalid_argument);
}

std::optional<io::endpoint> meeting_place_of(const io::endpoint& where) {
    if (where.is_unix()) return std::nullopt;
    auto place = io::endpoint::unix_socket(std::string(place_of_tcp) + where.text());
    return place ? std::optional(*place) : std::nullopt;
}

result<io::endpoint> meeting_place_named(const std::string& name) { return io::endpoint::unix_socket(std::string(place_of_name) + name); }

// A listener on all addresses and one on a single address can't hold the same port unless both ask for it, as the same user (SO_REUSEPORT,
// socket(7)): so at most one of these places is taken, and by whom the port belongs to.
acquaintance acquaintance_at(const io::endpoint& where, std::optional<unsigned> trusted_user) {
    acquaintance found{.places = {}, .address = where.text(), .trusted_user = trusted_user};
    if (where.is_unix() || !io::is_of_this_host(where)) return found;
    const auto add = [&found](const result<io::endpoint>& listener) {
        if (!listener) return;
        if (auto place = meeting_place_of(*listener)) found.places.push_back(*place);
    };
    add(where);
    add(io::endpoint::numeric("::", where.port()));
    if (where.family() == AF_INET) add(io::endpoint::numeric("0.0.0.0", where.port()));
    return found;
}

task<result<met>> meet(worker& where, acquaintance whom, std::chrono::nanoseconds due, std::string& why) {
    auto visiting = knock(whom, why);
    if (!visiting) co_return failure(visiting.error());
    why.clear();
    due = whom.or_nobody ? due - last_word : std::min(due, where.loop().now() + patience);
    std::chrono::nanoseconds step = first_look;
    for (;;) {
        if (auto outcome = look(*visiting, whom, why)) co_return *std::move(outcome);
        if (where.loop().now() >= due) break;
        if (where.is_private()) {  // nobody else's loop: its thread can wait where the answer comes
            pollfd answer{.fd = visiting->bell.get(), .events = POLLIN, .revents = 0};
            (void)::poll(&answer, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(longest_look).count()));
            step = std::chrono::nanoseconds(0);
        }
        pause next_look(where, step);
        co_await next_look;
        step = std::min<std::chrono::nanoseconds>(step * 2, longest_look);
    }
    why = "its server does not answer";
    co_return failure(std::errc::timed_out);
}

}  // namespace mnet::inline v1::mtcp::detail
