// One run of a seed: which server, which clients, which bounds and which bad luck, all of it chosen by the seed.
#pragma once
#include "support/tls_pair.hpp"

#include <mnet/simulation.hpp>

#include <cstdint>
#include <string>

namespace seeds {

/// Runs the seed's world to its end, over TLS where `secured` says with what. `again`: the command that does the same.
mnet::simulation::verdict run(std::uint64_t seed, std::string again, const support::tls_pair* secured = nullptr);

}  // namespace seeds
