// The register of streams, the end of one, and the move to another thread.
//
// A stream's socket is closed when the kernel holds none of its requests any more: before, the request would hold the socket open, and
// its memory would not be ours.
#include "base/assert.hpp"
#include "io/sockets.hpp"
#include "io/uring/uring_loop.hpp"

#include <cerrno>
#include <new>
#include <unistd.h>
#include <utility>

namespace mnet::inline v1::io {

void uring_loop::reset(stream& stream) noexcept {
    stream.readable = stream.wants_receive = stream.connecting = stream.closing = stream.ended = stream.once = stream.direct = false;
    stream.writable = true;
    stream.sending = {};
    stream.in_kernel = stream.small_reads = 0;
    stream.error = stream.send_outcome = 0;
}

result<> uring_loop::enrol(stream& stream, int handle) noexcept {
    try {
        streams_.push_back(&stream);
    } catch (const std::bad_alloc&) {
        return failure(std::errc::not_enough_memory);
    }
    stream.place = static_cast<std::uint32_t>(streams_.size() - 1);
    stream.handle = handle;
    return {};
}

void uring_loop::strike(stream& stream) noexcept {
    MNET_ASSERT(streams_[stream.place] == &stream, "a stream stands in its place");
    streams_[stream.place] = streams_.back();
    streams_[stream.place]->place = stream.place;
    streams_.pop_back();
    stream.handle = -1;
}

result<> uring_loop::attach(stream& stream, int handle) noexcept {
    MNET_ASSERT(stream.handle < 0, "a stream has one connection at a time");
    reset(stream);
    auto enrolled = enrol(stream, handle);
    if (!enrolled) discard(handle);
    return enrolled;
}

int uring_loop::release(stream& stream) noexcept {
    MNET_ASSERT(stream.open() && !stream.connecting && (stream.in_kernel & held) == 0, "nothing is asked of a released stream");
    static_cast<registration&>(stream).unlink();
    drop_kept(stream);
    const int handle = stream.handle;
    strike(stream);
    return handle;
}

void uring_loop::close(stream& stream) noexcept {
    if (stream.closing) return;
    stream.closing = true;
    stream.wants_receive = stream.connecting = false;
    stream.sending = {};
    static_cast<registration&>(stream).unlink();
    drop_kept(stream);
    if (stream.handle < 0) {
        closing_.push_back(stream);
    } else if ((stream.in_kernel & held) != 0) {
        // One by one: what is named by its user data the kernel finds at once, what is named by its socket it seeks among all that it holds.
        constexpr std::pair<request, tag> requests[]{{receiving, tag::receive},
                                                     {polling_in, tag::poll_in},
                                                     {polling_out, tag::poll_out},
                                                     {sending, tag::send},
                                                     {polling_end, tag::poll_end}};
        for (const auto& [bit, what] : requests) {
            if ((stream.in_kernel & bit) != 0) cancel(data_of(stream, what));
        }
    } else {
        close_if_free(stream);
    }
}

void uring_loop::close_if_free(stream& stream) noexcept {
    if ((stream.in_kernel & held) != 0 || stream.handle < 0) return;
    const int handle = stream.handle;
    strike(stream);
    discard(handle);
    closing_.push_back(stream);
}

/// A client may change hands, and its private loop with it; a ring can't. What the old one has told is taken, and what it held asked for
/// anew.
void uring_loop::move_here() noexcept {
    take_all(false);
    ring_.close();
    const auto opened = open_ring();
    for (door& at : doors_) at.armed = false;
    for (std::uint32_t place = 0; place < doors_.size(); ++place) {
        if (opened && doors_[place].owner != nullptr && doors_[place].owner->wants_accept) arm(place);
    }
    for (std::size_t index = streams_.size(); index-- > 0;) {  // from the end: those that are closing leave
        stream& each = *streams_[index];
        const bool was_sending = (each.in_kernel & sending) != 0;
        each.in_kernel = static_cast<std::uint8_t>(each.in_kernel & sent);
        if (each.closing) {
            close_if_free(each);
        } else if (!opened) {
            each.error = ENOMEM;
            if (!each.sending.empty()) {
                each.in_kernel |= sent;
                each.send_outcome = -ENOMEM;
            }
            if (each.connecting || each.wants_receive || !each.sending.empty()) make_ready(each);
        } else {
            if (was_sending) queue_send(each);
            if (each.connecting || (!was_sending && !each.sending.empty() && (each.in_kernel & sent) == 0)) watch_out(each);
            if (each.wants_receive) receive(each);
        }
    }
}

}  // namespace mnet::inline v1::io
