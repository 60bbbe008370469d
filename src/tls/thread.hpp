// What OpenSSL keeps for each thread that used it: errors, and generators of random numbers.
#pragma once

namespace mnet::inline v1::tls {

/// Gives it back for this thread, which uses TLS no more. A thread that ends does so by itself, but somewhat later: for one that nobody joins,
/// that may be while the process ends.
void leave_thread() noexcept;

}  // namespace mnet::inline v1::tls
