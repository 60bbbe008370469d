// The reading half of a side: one run after the other, each checked before it is given out, and given back when the next is asked for.
//
// The bytes of a run lie in memory that the peer can still write: whoever reads them twice may read two things. Their place and number don't
// change: those were copied and checked.
//
// Thread: the side's.
#pragma once
#include "shm/layout.hpp"
#include "shm/segment.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace mnet::inline v1::shm {

class receiver {
public:
    explicit receiver(const segment& where) noexcept;
    receiver(const receiver&) = delete;
    receiver& operator=(const receiver&) = delete;

    struct arrival {
        enum class kind : std::uint8_t { nothing, whole, piece, finish, lie };

        kind what = kind::nothing;
        std::span<const std::byte> bytes{};
    };

    /// The next run; the one before it ends, and its memory goes back to the other side. A lie (what no honest side would write) is told
    /// again and again.
    arrival next() noexcept;

    /// Whether `next` would give something.
    bool has_next() const noexcept;

    /// The other side sleeps, wanted room, and got it: it has to be woken. Says so once.
    bool has_to_wake() noexcept {
        const bool has_to = wake_;
        wake_ = false;
        return has_to;
    }

private:
    bool is_much_unreported() const noexcept;
    void look_ahead() noexcept;
    void give_back() noexcept;

    const segment& where_;
    std::span<const std::byte> data_;
    std::uint64_t begun_ = 0;           // runs given out, ever
    std::uint64_t told_ = 0;            // the other side knows that we are through with so many
    std::size_t small_unreported_ = 0;  // bytes, of each part
    std::size_t large_unreported_ = 0;
    bool in_use_ = false;
    bool wake_ = false;
    bool lied_ = false;
};

}  // namespace mnet::inline v1::shm
