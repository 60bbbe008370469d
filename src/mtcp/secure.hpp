// What a connection has beside its stream when TLS is below its windows: the machine, and the ciphertext on its way in and out. The stream
// carries that; the windows above hold plaintext, as ever.
//
// Plaintext that was encrypted stays in `outgoing` until its ciphertext is with the kernel: so what is unsent, and the bounds on it, mean the
// same as without TLS.
//
// Thread: the connection's.
#pragma once
#include "base/block_pool.hpp"
#include "base/timer_wheel.hpp"
#include "mtcp/handshakes.hpp"
#include "mtcp/memory.hpp"
#include "tls/machine.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace mnet::inline v1::mtcp::detail {

class connection;

/// How a dialed connection is to be carried, beside what its address says.
struct carrying {
    beside_tcp beside{};
    std::shared_ptr<tls::client_context> tls{};  // null: only where the address says tls://
    std::string* words = nullptr;
    address_order order = address_order::as_given;
    reconnect_options again{};
};

/// The far end of a dialed TLS connection.
struct far_end {
    std::shared_ptr<tls::client_context> tls{};  // null: without TLS
    std::string host{};                          // whom its certificate has to be for
    std::string place{};                         // whose session is resumed
};

/// A newcomer that is a connection already.
struct connecting final : newcomer {
    explicit connecting(connection& whose) noexcept : of(whose) {}

    void begin() noexcept override;
    void cut() noexcept override;

    connection& of;
};

struct secure {
    template <typename... Ends>
    explicit secure(base::block_pool& blocks, connection& owner, base::timer::function on_time, Ends&&... ends) noexcept
        : pool(blocks), machine(std::forward<Ends>(ends)...), timer(&owner, on_time), coming(owner) {}
    secure(const secure&) = delete;
    secure& operator=(const secure&) = delete;
    ~secure() {
        over();
        drop();
    }

    bool has_ciphertext() const noexcept { return arrived != nullptr && !arrived->empty(); }
    /// Something can be decrypted without the stream.
    bool has_input() const noexcept { return machine.has_plaintext() || (has_ciphertext() && machine.wants_input()); }
    bool has_output() const noexcept { return (leaving != nullptr && !leaving->empty()) || machine.has_output(); }

    /// The handshake is, however it ended.
    void over() noexcept { coming.leave(); }
    void drop() noexcept {
        pool.release(std::exchange(leaving, nullptr));
        pool.release(std::exchange(arrived, nullptr));
        sealed_bytes = 0;
    }

    /// Nothing leaves any more.
    void forget_output() noexcept {
        if (leaving != nullptr) leaving->begin = leaving->end = 0;
        sealed_bytes = 0;
    }

    base::block_pool& pool;
    tls::machine machine;
    base::timer timer;                // of the handshake; then, of rest
    base::block* leaving = nullptr;   // ciphertext that the kernel has not taken
    base::block* arrived = nullptr;   // ciphertext that was not decrypted
    std::size_t sealed_bytes = 0;     // the plaintext of `leaving`
    std::uint64_t records_seen = 0;   // times that something came or went
    std::uint64_t records_known = 0;  // to the timer
    connecting coming;                // of a server
    bool greeted = false;             // the handshake is done
};

}  // namespace mnet::inline v1::mtcp::detail
