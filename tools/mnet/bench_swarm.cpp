// Many clients as coroutines: see bench_swarm.hpp.
#include "bench_swarm.hpp"

#include "process.hpp"
#include "stamp.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace mnet::tool {

namespace {

// Connections that are opened at the same time: fewer than the backlog of any listening socket.
constexpr std::size_t connecting_max = 256;

// Coroutines that begin a round before the loop gets to send what they wrote: each holds a window of memory until then.
constexpr std::size_t starting_at_once = 32;

constexpr std::size_t other_descriptors = 64;

mtcp::loop made_loop(mtcp::engine wanted) {
    auto loop = mtcp::loop::make(wanted);
    if (!loop) throw failure_exit(exit_code::unreachable, "no event loop: " + reason_text(loop.error()));
    return std::move(*loop);
}

}  // namespace

order order_of_swarms(std::size_t clients) noexcept {
    return 2 * clients + other_descriptors <= raise_descriptor_limit() ? order::taking_turns : order::one_after_the_other;
}

bench_swarm::bench_swarm(const bench_site& site, std::size_t clients, std::size_t depth, std::size_t size)
    : site_(site),
      depth_(depth),
      size_(size),
      source_(size, std::byte{0x5a}),
      options_(site.connect_options()),
      loop_(made_loop(options_.engine)) {
    clients_.reserve(clients);
    waiting_.reserve(clients);
    starting_.reserve(clients);
    tasks_.reserve(clients);
    while (tasks_.size() < clients) {
        const std::size_t until = std::min(clients, tasks_.size() + connecting_max);
        while (tasks_.size() < until) tasks_.push_back(live());
        for (std::size_t index = waiting_.size(); index < until; ++index) tasks_[index].start({});
        while (waiting_.size() + ended_ < until) loop_.turn();
        if (failure_) fail_to_reach(site_.address(), failure_);
    }
}

bench_swarm::~bench_swarm() = default;

void bench_swarm::failed(std::error_code reason) noexcept {
    if (!failure_) failure_ = reason;
    ++ended_;
}

task<> bench_swarm::live() {
    const std::string announcement = bench::to_text(bench::request{.work = bench::work::echo, .size = size_});
    const operation patience = bench_patience;
    auto connected = co_await mtcp::async_connect(loop_, site_.address(), options_);
    if (!connected) co_return failed(connected.error());
    const std::size_t index = clients_.size();
    client& client = clients_.emplace_back(std::move(*connected));
    if (const auto sent = client.send(announcement); !sent) co_return failed(sent.error());
    const auto ready = co_await client.async_read(patience);
    if (!ready) co_return failed(ready.error());
    if (ready->text() != bench::ready_text) co_return failed(std::make_error_code(std::errc::protocol_error));

    for (;;) {
        co_await start_line{*this};
        while (plan_ != nullptr && !plan_->done(index)) {
            const auto reply = co_await client.async_read(patience);
            if (!reply && reply.error() == std::errc::timed_out && plan_->in_flight(index) == 0) continue;  // none was due
            if (!reply) co_return failed(reply.error());
            take(reply->bytes(), plan_->answered(index, bench::now_ns()));
        }
        if (plan_ != nullptr) continue;
        std::uint64_t sent = 0;
        std::uint64_t answered = 0;
        for (;;) {
            while (sent - answered < depth_ && sent < messages_each_ && !stopping_) {
                const auto written = write(client, sent);
                if (!written && written.error() == errc::would_block && sent > answered) break;  // replies first
                if (!written) co_return failed(written.error());
                ++sent;
            }
            if (sent == answered) break;
            const auto reply = co_await client.async_read(patience);
            if (!reply) co_return failed(reply.error());
            take(reply->bytes(), answered++);
        }
        measured_.messages += sent;
    }
}

result<> bench_swarm::write(client& client, std::uint64_t sequence) noexcept {
    auto writer = client.write(size_);
    if (!writer) return failure(writer.error());
    const auto target = writer->space();
    writer->append(source_);
    bench::stamp(target, sequence);
    return writer->commit();
}

void bench_swarm::take(std::span<const std::byte> reply, std::uint64_t sequence) noexcept {
    if (!bench::intact(reply, size_, sequence)) return;
    ++measured_.delivered;
    measured_.bytes += size_;
}

bench::measurement bench_swarm::measure(std::chrono::nanoseconds duration) {
    return run(duration, std::numeric_limits<std::uint64_t>::max());
}

bench::measurement bench_swarm::measure_one_each() { return run(bench::plain::patience, 1); }

void bench_swarm::write_due(std::size_t index) {
    client& client = clients_[index];
    bool wrote = false;
    while (const auto sequence = plan_->next(index)) {
        const auto written = write(client, *sequence);
        if (!written && written.error() == errc::would_block) break;  // asked again at the next visit
        if (!written) return;                                         // its reading fails too, and says so
        plan_->wrote(index, bench::now_ns());
        wrote = true;
    }
    if (wrote) (void)client.flush();
}

bench::measurement bench_swarm::measure(bench::open_loop& plan) {
    measured_ = {};
    plan_ = &plan;
    std::swap(waiting_, starting_);
    const bench::usage before = bench::usage_now(clients_.front().system_calls());
    plan.begin();
    for (const std::coroutine_handle<> waiting : starting_) waiting.resume();
    starting_.clear();
    const std::uint64_t start = bench::now_ns();
    plan.start(start);
    while (waiting_.size() + ended_ < clients_.size()) {
        plan.visit(bench::now_ns(), [this](std::size_t index) { write_due(index); });
        loop_.turn(deadline::at(std::chrono::steady_clock::time_point(std::chrono::nanoseconds(plan.quiet_until_ns()))));
    }
    const std::uint64_t end = bench::now_ns();
    plan_ = nullptr;
    plan.end(end);
    measured_.messages = plan.written();
    measured_.elapsed_ns = end - start;
    measured_.sender = bench::usage_now(clients_.front().system_calls()) - before;
    if (failure_) fail(exit_code::lost, site_.address(), failure_);
    return measured_;
}

bench::measurement bench_swarm::run(std::chrono::nanoseconds duration, std::uint64_t messages_each) {
    measured_ = {};
    stopping_ = false;
    messages_each_ = messages_each;
    std::swap(waiting_, starting_);

    const bench::usage before = bench::usage_now(clients_.front().system_calls());
    const std::uint64_t start = bench::now_ns();
    const std::uint64_t until = start + static_cast<std::uint64_t>(duration.count());
    std::size_t begun = 0;
    for (const std::coroutine_handle<> waiting : starting_) {
        waiting.resume();
        if (++begun % starting_at_once == 0) loop_.turn();
    }
    starting_.clear();
    while (waiting_.size() + ended_ < clients_.size()) {
        loop_.turn();
        if (bench::now_ns() >= until) stopping_ = true;
    }
    measured_.elapsed_ns = bench::now_ns() - start;
    measured_.sender = bench::usage_now(clients_.front().system_calls()) - before;
    if (failure_) fail(exit_code::lost, site_.address(), failure_);
    return measured_;
}

}  // namespace mnet::tool
