// What the house needs of the world outside: event loops, and threads to run them. The kernel's, or a simulated one where everything
// above runs unchanged, in one thread and virtual time.
#pragma once
#include "io/loop.hpp"

#include <mnet/error.hpp>
#include <mnet/mtcp/options.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace mnet::inline v1::mtcp::detail {

/// What a loop is for, by which `engine::automatic` chooses.
enum class job : std::uint8_t { many_clients, one_client };

struct made_loop {
    std::unique_ptr<io::loop> loop;
    std::string reason;  // why it is this engine, as a person wants to read it
};

class environment {
public:
    environment() = default;
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;
    virtual ~environment() = default;

    virtual result<made_loop> make_loop(job what, engine wanted) const = 0;

    /// Whether loops run on threads of their own. Otherwise whoever waits in one runs them all.
    virtual bool threads() const noexcept = 0;
};

/// Linux, with the engine that is wanted, or else the one that is better for the job and can be had (docs/adr/0007).
const environment& kernel() noexcept;

}  // namespace mnet::inline v1::mtcp::detail
