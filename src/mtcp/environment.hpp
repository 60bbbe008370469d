// What the house needs of the world outside: event loops, and threads to run them. The kernel's, or a simulated one where everything
// above runs unchanged, in one thread and virtual time.
#pragma once
#include "io/loop.hpp"

#include <mnet/error.hpp>

#include <memory>

namespace mnet::inline v1::mtcp::detail {

class environment {
public:
    environment() = default;
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;
    virtual ~environment() = default;

    virtual result<std::unique_ptr<io::loop>> make_loop() const = 0;

    /// Whether loops run on threads of their own. Otherwise whoever waits in one runs them all.
    virtual bool threads() const noexcept = 0;
};

/// Linux, with the engine that it offers.
const environment& kernel() noexcept;

}  // namespace mnet::inline v1::mtcp::detail
