// What other threads ask of a loop: calls, run by the loop's thread in the order of their coming.
//
// Thread: `post`, `nudge` and `ring` from any; the rest from the loop's own. Outlives its loop where others hold it; then it does nothing.
#pragma once
#include "mnet/mailbox.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace mnet::inline v1::io {
class loop;
}  // namespace mnet::inline v1::io

namespace mnet::inline v1::mtcp::detail {

class inbox final : public mnet::detail::bell {
public:
    using call = std::move_only_function<void()>;

    explicit inbox(io::loop& loop);

    /// False when the loop is gone; `what` is destroyed then.
    bool post(call what);

    /// Wakes the loop, with nothing to run.
    void nudge() noexcept;

    void ring(std::shared_ptr<mnet::detail::mailbox> box) override;

    bool has_calls() const noexcept { return has_calls_.load(std::memory_order_relaxed); }
    void run();
    void shut() noexcept;

private:
    std::mutex mutex_{};
    io::loop* loop_;
    std::vector<call> calls_{};
    std::vector<call> running_{};
    std::atomic<bool> has_calls_ = false;
};

}  // namespace mnet::inline v1::mtcp::detail
