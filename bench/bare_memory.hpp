// What a message there and back costs the processors alone: two threads of one process, each on a processor of its own, that poll memory which
// the other writes. Where the two processors lie to each other decides it, and on a virtual machine that may change from one moment to the next.
//
// In it: a copy of the message behind a word that tells of it, there and back, and the same checks. Not in it: frames, bounds, a second process,
// the peer's death, sleep.
#pragma once
#include "measurement.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace mnet::bench {

class bare_memory {
public:
    /// Starts the thread that answers; `settle` is called there first, to move it to its processor.
    explicit bare_memory(std::function<void()> settle);
    bare_memory(const bare_memory&) = delete;
    bare_memory& operator=(const bare_memory&) = delete;
    ~bare_memory();

    /// One message at a time; `latencies_ns` gets one entry for each (it has room for `count` more). The sender's usage is that of both.
    measurement measure_pingpong(std::uint64_t count, std::size_t size, std::vector<std::uint64_t>& latencies_ns);

private:
    struct other_end;
    std::unique_ptr<other_end> other_;
};

}  // namespace mnet::bench
