// One bound for what many clients together have committed and the kernel has not taken: of a network, or of all that a process has.
//
//     const mnet::budget all(64 << 20);
//     auto prices = mtcp::listen({.address = "localhost:5050", .budget = &all}, handler);
//     auto orders = mtcp::listen({.address = "localhost:5051", .budget = &all}, handler);
//     auto upstream = mtcp::connect("exchange:7000", {.budget = &all});
//
// The rule: no client may have more unsent than the budget has left; that is its bound, where it is below `unsent_bytes_max`, and what happens there
// is as ever the client's `overload`. So the slowest client, who has most unsent, meets it first; one that reads is not held up by those that don't;
// and clients that all stop share the budget evenly as far as their policies drop (A. Choudhury, E. Hahne, "Dynamic queue length thresholds for
// shared-memory packet switches", IEEE/ACM Transactions on Networking 6(2), 1998). One client alone gets half of the budget.
//
// Counted are committed bytes that are unsent, lengths included, and posts that wait for their clients' loops, once where they go to many. As any
// bound here it is soft by a message of each client (docs/adr/0004). Cost: an atomic addition where a client ends a turn with another backlog than
// before; nothing for a client that is read as fast as it is written to.
//
// Thread: any. A copy is the same budget.
#pragma once
#include <mnet/export.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace mnet::inline v1 {

namespace detail {
class unsent_account;
}  // namespace detail

class MNET_API budget {
public:
    explicit budget(std::size_t unsent_bytes_max);

    std::size_t unsent_bytes_max() const noexcept;

    /// Counted now: a level.
    std::uint64_t unsent_bytes() const noexcept;

private:
    friend class budget_access;

    std::shared_ptr<detail::unsent_account> account_;
};

}  // namespace mnet::inline v1
