// One client that floods: messages to the benchmark's server as fast as it takes them, each echoed and read, for as long as the object lives. What the
// other clients notice of it is what `mnet bench latency --flood` measures.
#pragma once
#include "bench_site.hpp"

#include <cstddef>
#include <thread>

namespace mnet::tool {

class bench_flood {
public:
    /// Connects and begins. Throws failure_exit.
    bench_flood(const bench_site& site, std::size_t size);

private:
    std::jthread thread_;
};

}  // namespace mnet::tool
