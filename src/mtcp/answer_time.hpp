// When to look for an answer, learnt from those before it, for who polls memory that another processor writes.
//
// Who looks too early takes the cache line away from who is about to write there, and that one has to fetch it back first: such an answer costs
// two ways more between the processors. So a reader waits for about as long as answers take, and finds most of them at his first look. How long that
// is shows in whether they were there: a little less each time that one was, more each time that one wasn't.
//
// Counted in pauses of the processor (base/pause_processor.hpp): of 10 to 50 ns each. An answer that takes much longer than the most that is waited is
// nothing to learn from; those that are quicker would only come later for it.
//
// Source: Intel 64 and IA-32 Architectures Optimization Reference Manual, on threads that share modified data.
//
// Thread: the reader's.
#pragma once
#include <algorithm>

namespace mnet::inline v1::mtcp::detail {

class answer_time {
public:
    /// So long to wait before the first look.
    unsigned pauses() const noexcept { return learnt_ / parts; }

    /// The answer has come, and so often it wasn't there when looked for.
    void came_after(unsigned looks_in_vain) noexcept {
        if (looks_in_vain == 0) {
            learnt_ -= std::min(learnt_, less);
        } else if (looks_in_vain <= pauses_max) {
            learnt_ = std::min(learnt_ + more, pauses_max * parts);
        }
    }

private:
    static constexpr unsigned parts = 16;  // of a pause
    static constexpr unsigned less = 1;
    static constexpr unsigned more = 4;  // so that one of five looks is in vain
    static constexpr unsigned pauses_max = 16;

    unsigned learnt_ = 0;  // in parts of a pause
};

}  // namespace mnet::inline v1::mtcp::detail
