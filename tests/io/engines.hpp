// The engines that the typed suite runs on, each made ready for one test: epoll; io_uring; simulated with nothing going wrong; and simulated with
// all that a correct program does not notice, once for each of many seeds.
//
// MNET_SEED=n runs one seed only; MNET_SEEDS=n runs the seeds 1 to n instead of 1 to 20.
#pragma once
#include "io/epoll/epoll_loop.hpp"
#include "io/simulated/world.hpp"
#include "io/uring/uring_loop.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace io_test {

namespace io = mnet::io;

/// What engines on the real kernel have in common.
class kernel_engine {
public:
    static constexpr bool is_simulated = false;
    static constexpr std::chrono::nanoseconds patience = std::chrono::seconds(30);  // until a test that hangs fails
    static constexpr std::size_t more_than_sockets_hold = 16 << 20;                 // tcp_wmem and tcp_rmem together, as they come
    static std::vector<std::uint64_t> seeds() { return {1}; }

    kernel_engine() = default;
    kernel_engine(const kernel_engine&) = delete;
    kernel_engine& operator=(const kernel_engine&) = delete;
    ~kernel_engine() { allow_handles(); }

    std::size_t open_handles() const {
        const std::filesystem::directory_iterator descriptors("/proc/self/fd");
        return static_cast<std::size_t>(std::distance(begin(descriptors), end(descriptors)));
    }

    /// From now on there is no handle to be had.
    void forbid_handles() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest_free = ::dup(STDERR_FILENO);
        ::close(lowest_free);
        rlimit none = before_;
        none.rlim_cur = static_cast<rlim_t>(lowest_free);
        ::setrlimit(RLIMIT_NOFILE, &none);
        forbidden_ = true;
    }

    void allow_handles() {
        if (forbidden_) ::setrlimit(RLIMIT_NOFILE, &before_);
        forbidden_ = false;
    }

    /// How long a loop may wait in one round of driving several on one thread: mostly not at all, and now and then a little, so that
    /// waiting is tried as well.
    std::chrono::nanoseconds wait() { return std::chrono::milliseconds(++rounds_ % 8 == 0 ? 1 : 0); }

    std::string report() const { return {}; }

private:
    bool forbidden_ = false;
    rlimit before_{};
    unsigned rounds_ = 0;
};

struct epoll_engine : kernel_engine {
    explicit epoll_engine(std::uint64_t) {}

    static bool available() { return true; }

    static std::unique_ptr<io::loop> make_loop() {
        auto made = io::make_epoll_loop();
        if (!made) std::abort();
        return std::move(*made);
    }
};

/// io_uring as a loop of many clients has it, and as a loop of one.
template <const io::uring_settings& Settings>
struct uring_engine : kernel_engine {
    explicit uring_engine(std::uint64_t) {}

    static bool available() { return io::make_uring_loop(Settings).has_value(); }

    static std::unique_ptr<io::loop> make_loop() {
        auto made = io::make_uring_loop(Settings);
        if (!made) std::abort();
        return std::move(*made);
    }
};

using shared_uring_engine = uring_engine<io::uring_for_many>;
using private_uring_engine = uring_engine<io::uring_for_one>;

class simulated_engine {
public:
    static constexpr bool is_simulated = true;
    static constexpr std::chrono::nanoseconds patience = std::chrono::minutes(10);  // virtual
    static constexpr std::size_t more_than_sockets_hold = 512 << 10;

    simulated_engine(std::uint64_t seed, const io::simulated::faults& luck) : world_(seed, luck) {}

    static bool available() { return true; }

    std::unique_ptr<io::loop> make_loop() { return world_.make_loop(); }
    std::size_t open_handles() const { return world_.open_handles(); }
    void forbid_handles() { world_.luck.handles_max = world_.open_handles(); }
    void allow_handles() { world_.luck.handles_max = io::simulated::faults{}.handles_max; }
    std::chrono::nanoseconds wait() { return std::chrono::milliseconds(1); }
    std::string report() const { return world_.report(); }

private:
    io::simulated::world world_;
};

struct calm_engine : simulated_engine {
    explicit calm_engine(std::uint64_t seed) : simulated_engine(seed, {}) {}
    static std::vector<std::uint64_t> seeds() { return {1}; }
};

struct rough_engine : simulated_engine {
    explicit rough_engine(std::uint64_t seed) : simulated_engine(seed, all_but_duplicates()) {}

    /// The suite counts wakes.
    static io::simulated::faults all_but_duplicates() {
        auto luck = io::simulated::lossless_faults();
        luck.duplicate_wakes = 0;
        return luck;
    }

    static std::vector<std::uint64_t> seeds() {
        if (const char* const one = std::getenv("MNET_SEED")) return {std::strtoull(one, nullptr, 0)};
        const char* const count = std::getenv("MNET_SEEDS");
        std::vector<std::uint64_t> all(count == nullptr ? 20 : std::strtoull(count, nullptr, 0));
        for (std::size_t index = 0; index < all.size(); ++index) all[index] = index + 1;
        return all;
    }
};

using engines = testing::Types<epoll_engine, shared_uring_engine, private_uring_engine, calm_engine, rough_engine>;

struct engine_names {
    template <typename Engine>
    static std::string GetName(int) {
        if constexpr (std::is_same_v<Engine, epoll_engine>) return "Epoll";
        if constexpr (std::is_same_v<Engine, shared_uring_engine>) return "Uring";
        if constexpr (std::is_same_v<Engine, private_uring_engine>) return "UringForOne";
        if constexpr (std::is_same_v<Engine, calm_engine>) return "Simulated";
        return "SimulatedRough";
    }
};

}  // namespace io_test
