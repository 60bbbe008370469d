// An event loop that the calling thread runs: many clients of one program on one thread, as coroutines.
//
//     auto loop = mtcp::loop::make();
//     auto answer = loop->run(ask(*loop));       // task<T> ask(mtcp::loop&)
//
// Thread: one; the one that calls `run`.
#pragma once
#include <mnet/client.hpp>
#include <mnet/error.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>
#include <mnet/statistics.hpp>
#include <mnet/task.hpp>

#include <chrono>
#include <memory>
#include <string_view>

namespace mnet::inline v1::mtcp {

namespace detail {
class worker;
}  // namespace detail

class [[nodiscard]] MNET_API loop {
public:
    /// Errors: the kernel's (too_many_files_open, ...).
    static result<loop> make(engine wanted = engine::automatic);

    loop(loop&&) noexcept;
    loop& operator=(loop&&) noexcept;

    /// Its clients must be gone. On io_uring it takes some 15 ms, because the kernel does (docs/adr/0007).
    ~loop();

    /// Runs `work` to its end, with everything that the loop has to do meanwhile, and gives its value; throws what it threw.
    template <typename T>
    T run(task<T> work) {
        bool finished = false;
        work.start({[](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &finished});
        while (!finished) turn();
        return work.take();
    }

    /// Waits for one of the loop's events, until the deadline at most, and handles what is there: for programs with a loop of their own making.
    /// `turn(within(0s))` never waits. A wait may end up to 1 ms after its deadline.
    void turn(mnet::deadline until = {});

    /// What the loop and its clients have done so far. `clients` is not counted.
    network_statistics statistics() const noexcept;

private:
    friend class loop_access;
    explicit loop(std::unique_ptr<detail::worker> worker) noexcept;

    std::unique_ptr<detail::worker> worker_;
};

}  // namespace mnet::inline v1::mtcp
