// Where messages end in the streams of a loop: so many bytes of one are so many messages. Noted each time that something is offered to the
// kernel, asked when a connection ends with bytes that the peer has not acknowledged.
//
// Of each stream the last few places are kept, and of those before ever fewer, twice as far apart each time: so an answer is exact near the end,
// and older ones are off by no more than a part of how old they are. Streams share the table; where two meet in a place, the later one has
// it, and the other's answer is that nothing is known. Nothing is allocated but the table.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace mnet::inline v1::mtcp::detail {

class milestones {
public:
    /// For so many streams at a time, a power of two.
    explicit milestones(std::size_t streams) : all_(streams), mask_(streams - 1) {}

    /// The first `bytes` of the stream, never fewer than before, are `units` whole messages.
    void note(std::uint64_t stream, std::uint64_t bytes, std::uint64_t units) noexcept {
        entry& its = all_[place_of(stream)];
        if (its.stream != stream) its = {.stream = stream};
        const std::uint64_t number = ++its.count;
        its.recent[number % recent_count] = {bytes, units};
        its.sparse[static_cast<std::size_t>(std::countr_zero(number | last_sparse))] = {bytes, units};
    }

    /// So many messages, at least, are whole in the first `bytes` of the stream.
    std::uint64_t units_in(std::uint64_t stream, std::uint64_t bytes) const noexcept;

    /// What was noted of places behind `bytes` does not hold any more.
    void forget_behind(std::uint64_t stream, std::uint64_t bytes) noexcept;

private:
    static constexpr std::size_t recent_count = 4;
    static constexpr std::size_t sparse_count = 10;
    static constexpr std::uint64_t last_sparse = std::uint64_t{1} << (sparse_count - 1);

    struct place {
        std::uint64_t bytes = 0;
        std::uint64_t units = 0;
    };
    struct entry {
        std::uint64_t stream = 0;  // 0: nobody's
        std::uint64_t count = 0;
        std::array<place, recent_count> recent{};
        std::array<place, sparse_count> sparse{};
    };

    /// Numbers that follow each other, and those that do in steps of four, are spread.
    std::size_t place_of(std::uint64_t stream) const noexcept { return (stream >> 2U ^ (stream & 1U) * 0x101U) & mask_; }

    std::vector<entry> all_;
    std::size_t mask_;
};

}  // namespace mnet::inline v1::mtcp::detail
