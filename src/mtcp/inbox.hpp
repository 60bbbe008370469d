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

    /// The same, from another thread than the loop's: without memory it waits until there is some, or until the loop has emptied the inbox.
    void post_patiently(call what) noexcept;

    /// Wakes the loop, with nothing to run.
    void nudge() noexcept;

    void ring(std::shared_ptr<mnet::detail::mailbox> box) noexcept override;

    bool has_calls() const noexcept { return has_calls_.load(std::memory_order_relaxed); }
    void run();
    void shut() noexcept;

private:
    bool take(call& what);
    bool is_empty() const noexcept { return calls_.empty() && rung_first_ == nullptr; }
    void wake_from(bool empty) noexcept;
    std::shared_ptr<mnet::detail::mailbox> next_of(std::shared_ptr<mnet::detail::mailbox>& list) noexcept;

    std::mutex mutex_{};
    io::loop* loop_;
    std::vector<call> calls_{};
    std::vector<call> spare_{};  // its room is the next one's
    std::shared_ptr<mnet::detail::mailbox> rung_first_{};
    mnet::detail::mailbox* rung_last_ = nullptr;
    std::atomic<bool> has_calls_ = false;
};

}  // namespace mnet::inline v1::mtcp::detail
