// Accepting: asked for once, answered with every connection that comes. What comes unasked waits here, and withdraws the accept: the others
// stay in the backlog.
#include "base/assert.hpp"
#include "io/sockets.hpp"
#include "io/uring/uring_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <new>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace mnet::inline v1::io {

namespace {

constexpr int accepts_a_turn_max = 64;

}  // namespace

std::uint64_t uring_loop::data_of(std::uint32_t place) noexcept {
    return std::uint64_t{place} << tag_bits | static_cast<std::uint64_t>(tag::accept);
}

result<endpoint> uring_loop::listen(listener& listener, const endpoint& where, const listen_settings& settings) {
    MNET_ASSERT(listener.handle < 0, "a listener listens once at a time");
    result<base::unique_fd> socket;
    if (settings.along != nullptr) {
        socket = base::unique_fd(::fcntl(settings.along->handle, F_DUPFD_CLOEXEC, 0));
        if (!*socket) return failure(last_error());
    } else {
        socket = open_listener(where, settings);
        if (!socket) return failure(socket.error());
    }
    const auto bound = local_endpoint_of(socket->get());
    if (!bound) return bound;
    make_blocking(socket->get());
    const auto free = std::ranges::find_if(doors_, [](const door& each) { return each.owner == nullptr && !each.armed; });
    listener.place = static_cast<std::uint32_t>(free - doors_.begin());
    if (free == doors_.end()) doors_.emplace_back();
    doors_[listener.place].owner = &listener;
    listener.closing = listener.wants_accept = false;
    listener.handle = socket->release();
    return bound;
}

void uring_loop::arm(std::uint32_t place) noexcept {
    door& at = doors_[place];
    if (at.armed) return;
    at.armed = true;
    io_uring_sqe& entry = ring_.prepare();
    io_uring_prep_multishot_accept(&entry, at.owner->handle, nullptr, nullptr, SOCK_CLOEXEC);
    entry.user_data = data_of(place);
}

void uring_loop::accept(listener& listener) noexcept {
    MNET_ASSERT(listener.open(), "only an open listener accepts");
    listener.wants_accept = true;
    if (doors_[listener.place].arrived.empty()) {
        arm(listener.place);
    } else if (!listener.linked()) {
        accepting_.push_back(listener);
    }
}

void uring_loop::take_accept(std::uint32_t place, const uring::completion& done, bool answering) noexcept {
    door& at = doors_[place];
    if (!done.more()) at.armed = false;
    listener* const owner = at.owner;
    if (owner == nullptr) {
        if (done.result >= 0) turn_away(done.result);
        return;
    }
    if (done.result < 0) {
        const bool passing = done.result == -EINTR || done.result == -ECONNABORTED || done.result == -ECANCELED || done.result == -EAGAIN;
        if (!owner->wants_accept) return;
        if (passing || !answering) {
            arm(place);
        } else {
            owner->wants_accept = false;
            owner->accepted(failure(std::error_code(-done.result, std::system_category())));
        }
        return;
    }
    ++counters_.accepts;
    if (answering && owner->wants_accept && at.arrived.empty()) {
        owner->wants_accept = false;
        owner->accepted(done.result);
        if (listener* const still = doors_[place].owner; still != nullptr && still->wants_accept) accept(*still);
        return;
    }
    try {
        at.arrived.push_back(done.result);
    } catch (const std::bad_alloc&) {
        turn_away(done.result);
    }
    if (owner->wants_accept) {
        accept(*owner);
    } else if (at.armed) {
        cancel(data_of(place));
    }
}

void uring_loop::serve(listener& listener) noexcept {
    const std::uint32_t place = listener.place;
    for (int accepts = 0; accepts < accepts_a_turn_max; ++accepts) {
        door& at = doors_[place];
        if (at.owner == nullptr || !at.owner->wants_accept || at.arrived.empty()) break;
        const int handle = at.arrived.front();
        at.arrived.erase(at.arrived.begin());
        at.owner->wants_accept = false;
        at.owner->accepted(handle);
    }
    if (auto* const owner = doors_[place].owner; owner != nullptr && owner->wants_accept) accept(*owner);
}

/// As the kernel does with what is left in a backlog.
void uring_loop::turn_away(int handle) noexcept {
    const linger none{.l_onoff = 1, .l_linger = 0};
    ++counters_.system_calls;
    (void)::setsockopt(handle, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    discard(handle);
}

void uring_loop::discard(int handle) noexcept {
    ++counters_.system_calls;
    (void)::close(handle);
}

void uring_loop::close(listener& listener) noexcept {
    if (listener.handle < 0) return;
    door& at = doors_[listener.place];
    at.owner = nullptr;
    static_cast<registration&>(listener).unlink();
    listener.wants_accept = false;
    for (const int handle : std::exchange(at.arrived, {})) turn_away(handle);
    remove_socket_file(listener.handle);
    // The accept holds the socket: it listens until that is withdrawn, which is not left to a turn that may not come. Of a thread that has
    // ended the kernel withdraws everything itself.
    if (at.armed && ring_.is_mine()) {
        cancel(data_of(listener.place));
        ring_.enter(std::chrono::nanoseconds(0));
    }
    discard(std::exchange(listener.handle, -1));
}

}  // namespace mnet::inline v1::io
