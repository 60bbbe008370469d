// Which TLS handshakes a loop lets begin: no more at the same time than `handshakes_max`, and no more a second than `handshakes_per_second_max`.
//
// A handshake begins with the client's first bytes, in the order that they come. Until then a connection takes neither place nor token, and has
// nothing of OpenSSL's, nor a thread: a crowd of silent ones costs what accepting them costs. Who has spoken and may not begin yet waits, and accepting
// waits with it, so that those behind wait in the kernel's queue. Too many silent ones, and the oldest makes room once it has been silent for a moment.
//
// Thread: the accepting loop's; but a handshake that has begun may end on any, for a blocking handler's goes on on a thread of its own.
#pragma once
#include "base/block_pool.hpp"
#include "base/intrusive_list.hpp"
#include "base/token_bucket.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace mnet::inline v1::mtcp::detail {

class handshakes;

/// What is read of a client before its handshake begins: more than a usual ClientHello, and no matter where many wait.
inline constexpr std::size_t first_bytes_max = (std::size_t{4} << 10) - sizeof(base::block);

/// Who was accepted, until its handshake is over.
class newcomer : public base::list_hook<> {
public:
    newcomer(const newcomer&) = delete;
    newcomer& operator=(const newcomer&) = delete;

    /// It has spoken and waited, and may shake hands now.
    virtual void begin() noexcept = 0;
    /// Ends it as too slow: for a crowd behind it.
    virtual void cut() noexcept = 0;

    void leave() noexcept;

    bool is_silent() const noexcept { return among_ != nullptr && at_ == stage::silent; }
    bool has_to_ask() const noexcept { return among_ != nullptr && at_ != stage::begun; }

    /// Once it has begun: its place becomes another's, on whatever thread that is.
    void hand_over_to(newcomer& heir) noexcept;

protected:
    newcomer() noexcept = default;
    ~newcomer() { leave(); }

private:
    friend class handshakes;
    enum class stage : std::uint8_t { silent, waiting, begun };

    handshakes* among_ = nullptr;  // null: of a client, or over
    stage at_ = stage::silent;
    std::chrono::nanoseconds came_{};
};

class handshakes {
public:
    struct bounds {
        std::size_t at_a_time_max;
        std::uint64_t per_second_max;
        std::size_t clients_max;
    };

    explicit handshakes(const bounds& within) noexcept;

    /// Lets those begin that waited and may; then, how long until another connection may be accepted: 0 when it may.
    std::chrono::nanoseconds wait(std::chrono::nanoseconds now);

    /// One came, and is silent.
    void enter(newcomer& fresh, std::chrono::nanoseconds now) noexcept;

    /// Whether it may begin, now that it has spoken. Else it waits: `newcomer::begin` is called by a later `wait`.
    bool may_begin(newcomer& who, std::chrono::nanoseconds now) noexcept;

    /// Of those that have not sent a byte for a moment, the oldest is cut.
    void cut_a_silent_one(std::chrono::nanoseconds now);

private:
    friend class newcomer;

    bool has_place() const noexcept;
    bool has_room(std::chrono::nanoseconds now) const noexcept;
    bool is_crowded() const noexcept;
    void let_begin(newcomer& who, std::chrono::nanoseconds now) noexcept;
    void let_begin_who_waits(std::chrono::nanoseconds now) noexcept;
    void forget(newcomer& over) noexcept;

    bounds within_;
    std::size_t silent_max_;
    base::token_bucket tokens_;
    base::intrusive_list<newcomer> silent_{};  // the oldest first, as the next
    base::intrusive_list<newcomer> waiting_{};
    std::size_t silent_count_ = 0;
    std::atomic<std::size_t> begun_count_ = 0;
};

}  // namespace mnet::inline v1::mtcp::detail
