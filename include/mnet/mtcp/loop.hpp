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
    static result<loop> make();

    loop(loop&&) noexcept;
    loop& operator=(loop&&) noexcept;

    /// Its clients must be gone.
    ~loop();

    /// Runs `work` to its end, with everything that the loop has to do meanwhile, and gives its value; throws what it threw.
    template <typename T>
    T run(task<T> work) {
        bool finished = false;
        work.start({[](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &finished});
        while (!finished) turn();
        return work.take();
    }

    /// Waits for one of the loop's events and handles what is there: for programs with a loop of their own making.
    void turn();

private:
    friend class loop_access;
    explicit loop(std::unique_ptr<detail::worker> worker) noexcept;

    std::unique_ptr<detail::worker> worker_;
};

}  // namespace mnet::inline v1::mtcp
