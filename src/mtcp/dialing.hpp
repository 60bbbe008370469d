// What a connection has that was dialed; a network's clients go without.
#pragma once
#include "mtcp/memory.hpp"
#include "mtcp/reconnecting.hpp"
#include "mtcp/secure.hpp"
#include "mtcp/wait.hpp"
#include "mtcp/worker.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace mnet::inline v1::mtcp::detail {

struct dialing {
    limits bounds;
    wait opening{};  // for the handshake's end, and for an earlier stream's
    std::string address{};
    std::chrono::nanoseconds span{0};
    carrying how{};
    far_end end{};
    std::string why_not_shared{};
    std::unique_ptr<worker> own_worker{};
    std::unique_ptr<reconnecting> again{};     // of one that returns by itself
    base::block* writers_block = nullptr;      // what a writer points into that was open at a reconnect by hand: until the next
    std::unique_ptr<memory> writers_memory{};  // the same
    std::uint64_t reconnects = 0;
    std::uint64_t messages_received = 0;  // these two: before the last reconnect
    std::uint64_t placed_bytes = 0;
    std::uint64_t messages_before = 0;  // committed, and none of the present stream's
    std::uint64_t wire_bytes_before = 0;
};

}  // namespace mnet::inline v1::mtcp::detail
