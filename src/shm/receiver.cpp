// Runs and their end, seen from the side that reads.
#include "shm/receiver.hpp"

#include <atomic>

namespace mnet::inline v1::shm {

receiver::receiver(const segment& where) noexcept
    : where_(where), queue_(where.queue_of(other(where.mine())).data()), data_(where.data_of(other(where.mine()))) {}

receiver::arrival receiver::next() noexcept {
    if (lied_) return {.what = arrival::kind::lie};
    done_with_last();
    const std::uint64_t word = word_of(begun_);
    if (lap_in(word) != lap_of(begun_)) {
        if (told_ != begun_) give_back();
        return {};
    }
    const run told = unpack(word);
    switch (told.what) {
        case run::kind::whole:
            if (is_honest(told)) return {.what = arrival::kind::whole, .bytes = begin(told)};
            break;
        case run::kind::piece:
            if (is_honest(told)) return {.what = arrival::kind::piece, .bytes = begin(told)};
            break;
        case run::kind::beside:
            if (is_beside(told)) return {.what = arrival::kind::whole, .bytes = begin_beside(told)};
            break;
        case run::kind::finish:
            if (told.bytes != 0) break;
            ++begun_;
            in_use_ = true;
            return {.what = arrival::kind::finish};
    }
    lied_ = true;
    return {.what = arrival::kind::lie};
}

void receiver::give_back() noexcept {
    told_ = begun_;
    small_unreported_ = large_unreported_ = 0;
    std::atomic_ref(where_.state_of(where_.mine()).taken).store(told_, std::memory_order_release);
    wake_ = where_.take_wish(for_room) || wake_;
}

}  // namespace mnet::inline v1::shm
