// Runs and their end, seen from the side that reads.
#include "shm/receiver.hpp"

#include <atomic>

namespace mnet::inline v1::shm {

namespace {

/// Runs are reported as done together: each report takes a cache line from the writer. And by a quarter of its memory, so that it never stands
/// still for want of a report.
constexpr std::uint64_t report_runs = 8;
constexpr std::size_t report_parts = 4;

bool is_honest(const run& told, std::size_t data_bytes) noexcept {
    switch (told.what) {
        case run::kind::whole:
        case run::kind::piece:
            return told.bytes > 0 && told.offset <= data_bytes && told.bytes <= data_bytes - told.offset;
        case run::kind::finish:
            return told.bytes == 0;
    }
    return false;
}

}  // namespace

receiver::receiver(const segment& where) noexcept : where_(where), data_(where.data_of(other(where.mine()))) {}

bool receiver::has_next() const noexcept {
    const std::uint64_t word = std::atomic_ref(where_.queue_of(other(where_.mine()))[begun_ % runs_max]).load(std::memory_order_acquire);
    return lap_in(word) == lap_of(begun_);
}

receiver::arrival receiver::next() noexcept {
    if (lied_) return {.what = arrival::kind::lie};
    if (in_use_) {
        in_use_ = false;
        if (begun_ - told_ >= report_runs || is_much_unreported()) give_back();
    }
    const std::uint64_t word = std::atomic_ref(where_.queue_of(other(where_.mine()))[begun_ % runs_max]).load(std::memory_order_acquire);
    if (lap_in(word) != lap_of(begun_)) {
        if (told_ != begun_) give_back();
        return {};
    }
    const run told = unpack(word);
    if (!is_honest(told, data_.size())) {
        lied_ = true;
        return {.what = arrival::kind::lie};
    }
    ++begun_;
    look_ahead();
    in_use_ = true;
    (told.offset < where_.sizes().small_bytes ? small_unreported_ : large_unreported_) += told.bytes;
    const auto bytes = data_.subspan(told.offset, told.bytes);
    switch (told.what) {
        case run::kind::whole:
            return {.what = arrival::kind::whole, .bytes = bytes};
        case run::kind::piece:
            return {.what = arrival::kind::piece, .bytes = bytes};
        case run::kind::finish:
            break;
    }
    return {.what = arrival::kind::finish};
}

/// The runs that come next, where they are told of together with this one: their ends come from the other processor's cache while this one is
/// worked on. The words are not checked yet, and a prefetch of any address does no harm.
void receiver::look_ahead() noexcept {
    constexpr std::uint64_t ahead = 3;
    const std::uint64_t word =
        std::atomic_ref(where_.queue_of(other(where_.mine()))[(begun_ + ahead) % runs_max]).load(std::memory_order_relaxed);
    if (lap_in(word) != lap_of(begun_ + ahead)) return;
    const run next = unpack(word);
    __builtin_prefetch(data_.data() + next.offset);
    const std::byte* const end = data_.data() + next.offset + next.bytes;
    __builtin_prefetch(end - sizeof(std::uint64_t));
    __builtin_prefetch(end - 1);
}

bool receiver::is_much_unreported() const noexcept {
    return small_unreported_ > where_.sizes().small_bytes / report_parts || large_unreported_ > where_.sizes().large_bytes / report_parts;
}

void receiver::give_back() noexcept {
    told_ = begun_;
    small_unreported_ = large_unreported_ = 0;
    std::atomic_ref(where_.state_of(where_.mine()).taken).store(told_, std::memory_order_release);
    wake_ = where_.take_wish(for_room) || wake_;
}

}  // namespace mnet::inline v1::shm
