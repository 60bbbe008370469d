// The public world: the simulated one below the library, an auditor between the two, and what the user started.
#include "io/simulated/world.hpp"

#include "mtcp/dial.hpp"
#include "mtcp/environment.hpp"
#include "mtcp/loop_access.hpp"
#include "mtcp/network_access.hpp"
#include "simulation/audit.hpp"

#include <mnet/address.hpp>
#include <mnet/simulation.hpp>

#include <algorithm>
#include <cstdlib>
#include <list>
#include <map>
#include <utility>

namespace mnet::inline v1::simulation {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t complaints_max = 20;

/// What a timer may be late by (mtcp/loop.hpp), and what others do at that moment.
constexpr std::chrono::nanoseconds ticks = 3ms;

/// How long the kernel's last bytes may take: longer than it tries to get them across.
constexpr std::chrono::nanoseconds end_of_the_world = 1h;

/// One machine of a world, as the library takes its loops from.
class place final : public mtcp::detail::environment {
public:
    place(io::simulated::world& world, int machine) noexcept : world_(world), machine_(machine) {}

    result<mtcp::detail::made_loop> make_loop(mtcp::detail::job, mtcp::engine) const override {
        return mtcp::detail::made_loop{world_.make_loop(machine_), "the world is simulated"};
    }
    bool threads() const noexcept override { return false; }

private:
    io::simulated::world& world_;
    const int machine_;
};

struct started {
    std::string name;
    task<void> work;
    std::size_t* running;
    bool done = false;
};

std::string seconds_text(std::chrono::nanoseconds span) { return std::to_string(std::chrono::duration<double>(span).count()) + " s"; }

}  // namespace

std::uint64_t seed_or(std::uint64_t otherwise) noexcept {
    const char* const given = std::getenv("MNET_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 0) : otherwise;
}

struct world::parts {
    explicit parts(const settings& how) : universe(how.seed, how.faults) {
        universe.remember_how(how.again);
        universe.follow(how.throws);
        universe.watch(&auditor);
    }

    const place& at(machine where) {
        const int number = static_cast<int>(where);
        return places.try_emplace(number, universe, number).first->second;
    }

    void complain(const std::string& rule) {
        if (broken.size() < complaints_max) broken.push_back("after " + seconds_text(universe.now() - start) + ": " + rule);
        if (report.empty()) report = "\n" + universe.report();  // of the first: later ones may follow from it
    }

    /// Coroutines that ran outside of the loops' own turns may have committed something.
    void settle() {
        for (auto& loop : loops) const mtcp::detail::turn outside(mtcp::loop_access::worker(loop));
    }

    /// Of the started, those that have ended.
    void reap() {
        for (started& each : work) {
            if (!each.done) continue;
            try {
                each.work.take();
            } catch (...) {
                complain("an exception left " + each.name);
            }
        }
        std::erase_if(work, [](const started& each) { return each.done; });
    }

    std::string names() const {
        std::string all;
        for (const started& each : work) all += (all.empty() ? "" : ", ") + each.name;
        return all;
    }

    bool run_until_quiet(std::chrono::nanoseconds limit) {
        settle();
        const auto due = universe.now() + limit;
        while (universe.step(due)) {
        }
        reap();
        return universe.quiet();
    }

    audit auditor{[this](const std::string& rule) { complain(rule); }};
    io::simulated::world universe;
    std::chrono::nanoseconds start = universe.now();
    std::map<int, place> places;
    std::list<mtcp::loop> loops;
    std::size_t running = 0;
    std::list<started> work;
    std::vector<std::string> broken;
    std::string report;
};

world::world(const settings& how) : parts_(std::make_unique<parts>(how)) {}

world::~world() {
    parts_->universe.forget_calls();
    parts_->work.clear();
    parts_->loops.clear();
    parts_->universe.watch(nullptr);
}

result<mtcp::network> world::listen(const mtcp::listen_options& options, mtcp::detail::any_handler handler, machine where) {
    const auto parsed = address::parse(options.address);
    const bool needs_more =
        std::holds_alternative<mtcp::detail::blocking_handler>(handler) || (parsed && parsed->what == address::kind::shared_memory);
    if (needs_more) return failure(std::errc::operation_not_supported);
    return mtcp::network_access::listen(parts_->at(where), options, std::move(handler));
}

mtcp::loop& world::make_loop(machine where) { return parts_->loops.emplace_back(*mtcp::loop_access::make(parts_->at(where))); }

result<client> world::connect(std::string_view address, const mtcp::connect_options& options, machine where) {
    return mtcp::detail::dial_blocking(parts_->at(where), address, options, {});
}

void world::start(std::string name, task<void> work) {
    started& fresh = parts_->work.emplace_back(std::move(name), std::move(work), &parts_->running);
    ++parts_->running;
    fresh.work.start({[](void* self) noexcept {
                          auto& ended = *static_cast<started*>(self);
                          ended.done = true;
                          --*ended.running;
                      },
                      &fresh});
}

std::chrono::nanoseconds world::elapsed() const noexcept { return parts_->universe.now() - parts_->start; }

bool world::run(std::chrono::nanoseconds limit) {
    parts_->settle();
    const auto due = parts_->universe.now() + limit;
    while (parts_->running > 0 && parts_->universe.step(due)) {
    }
    parts_->reap();
    if (parts_->running == 0) return true;
    if (parts_->universe.quiet()) {
        parts_->complain("nothing can ever happen any more, and somebody waits: " + parts_->names());
    } else {
        parts_->complain("what was started ends within " + seconds_text(limit) + ": " + parts_->names());
    }
    return false;
}

void world::run_for(std::chrono::nanoseconds span) {
    parts_->settle();
    parts_->universe.run_until(parts_->universe.now() + span);
    parts_->reap();
}

bool world::run_until_quiet(std::chrono::nanoseconds limit) { return parts_->run_until_quiet(limit); }

void world::after(std::chrono::nanoseconds span, std::move_only_function<void()> what) {
    parts_->universe.call_after(span, [all = parts_.get(), what = std::move(what)]() mutable {
        what();
        all->settle();
    });
}

faults& world::luck() noexcept { return parts_->universe.luck; }

void world::reset(client& either_end) { parts_->universe.reset(parts_->auditor.handle_of(either_end)); }
void world::vanish(client& either_end) { parts_->universe.vanish(parts_->auditor.handle_of(either_end)); }
void world::cut_after(client& sender, std::size_t bytes) { parts_->universe.cut_after(parts_->auditor.handle_of(sender), bytes); }
void world::slow_down(client& reader) { parts_->universe.slow_down(parts_->auditor.handle_of(reader)); }

void world::part(machine one, machine other, std::chrono::nanoseconds length) {
    parts_->universe.part(static_cast<int>(one), static_cast<int>(other), length);
}

void world::reunite(machine one, machine other) { parts_->universe.reunite(static_cast<int>(one), static_cast<int>(other)); }
void world::jump(std::chrono::nanoseconds span) { parts_->universe.jump(span); }

bool world::expect(bool holds, std::string_view rule) {
    if (!holds) parts_->complain(std::string(rule));
    return holds;
}

bool world::expect_within(std::chrono::nanoseconds since, std::chrono::nanoseconds span, std::string_view rule) {
    const parts& all = *parts_;
    const auto passed = elapsed() - since;
    const auto forgiven = all.universe.jumped(all.start + since) + ticks + span / 100;
    if (passed <= span + forgiven) return true;
    return expect(false, std::string(rule) + ": within " + seconds_text(span) + ", and it took " + seconds_text(passed));
}

bool world::sound() const noexcept { return parts_->broken.empty(); }

verdict world::finish() {
    parts& all = *parts_;
    all.universe.forget_calls();
    all.work.clear();
    (void)all.run_until_quiet(end_of_the_world);
    all.loops.clear();
    const bool quiet = all.run_until_quiet(end_of_the_world);
    expect(quiet, "a world that was left comes to rest");
    expect(all.universe.open_handles() == 0, "at the end no handle is open: networks and blocking clients are gone by then");
    expect(all.universe.kernel_sockets() == 0, "at the end no socket of the kernel is left");
    verdict judged{.broken = all.broken,
                   .injected = all.universe.injected(),
                   .elapsed = elapsed(),
                   .connections = all.auditor.connections(),
                   .frames = all.auditor.frames()};
    for (const std::string& each : all.broken) judged.report += "broken " + each + "\n";
    if (!all.broken.empty()) judged.report += all.report.substr(1);
    return judged;
}

}  // namespace mnet::inline v1::simulation
