// iceoryx (https://iceoryx.io), shared memory on one machine: untyped publisher and subscriber with loaned chunks, as its examples, and the
// queues set to block in place of dropping. A chunk is written in place: only the stamps of a message are, which is what its zero copy means,
// and less than the copy that every other peer makes. Waiting: a WaitSet when nothing is there; spinning: take() again. A ping-pong is two
// topics. RouDi, the broker, is started for each row and ended with it; `iox-roudi` must be in the PATH.
//
// It has no connections: echo with many clients and the memory of an idle one mean nothing for it, and are not faked.
#include "peer_processes.hpp"
#include "peer_program.hpp"

#include <iceoryx_hoofs/log/logmanager.hpp>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>

#include <sched.h>
#include <unistd.h>

#include <cstddef>
#include <memory>
#include <string>

namespace mnet::bench::peers {

namespace {

using iox::popo::UntypedPublisher;
using iox::popo::UntypedSubscriber;

/// Messages that may wait: RouDi's own pools have 30 chunks of 1 MiB, 50 of 512 KiB, 200 of 128 KiB, 1000 of 16 KiB and more of the smaller
/// ones; a subscriber holds at most 256.
std::uint64_t queue_capacity(std::size_t size) noexcept {
    constexpr std::size_t header = 1024;  // more than what iceoryx puts in front
    return size + header > (std::size_t{512} << 10)   ? 16
           : size + header > (std::size_t{128} << 10) ? 32
           : size + header > (std::size_t{16} << 10)  ? 128
                                                      : 256;
}

iox::capro::ServiceDescription topic(const char* name) {
    return {"mnet-bench", "peer", iox::capro::IdString_t(iox::cxx::TruncateToCapacity, name)};
}

class topic_writer {
public:
    explicit topic_writer(const char* name) : publisher_(topic(name), options()) {}

    void await_reader() const {
        while (!publisher_.hasSubscribers()) ::sched_yield();
    }

    template <typename Write>
    void write(std::size_t size, Write&& write) {
        auto loaned = publisher_.loan(static_cast<std::uint32_t>(size));
        if (loaned.has_error()) fail("loan", "no chunk");
        write(std::span(static_cast<std::byte*>(loaned.value()), size));
        publisher_.publish(loaned.value());
    }

private:
    static iox::popo::PublisherOptions options() {
        iox::popo::PublisherOptions chosen;
        chosen.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
        return chosen;
    }

    UntypedPublisher publisher_;
};

class topic_reader {
public:
    topic_reader(const char* name, const settings& chosen) : spin_(chosen.spin), subscriber_(topic(name), options(chosen.size)) {
        if (waits_.attachState(subscriber_, iox::popo::SubscriberState::HAS_DATA).has_error()) fail("wait set", "no room");
    }

    void await_writer() const {
        while (subscriber_.getSubscriptionState() != iox::SubscribeState::SUBSCRIBED) ::sched_yield();
    }

    /// Calls `read` with the next message, while it is held.
    template <typename Read>
    void read(Read&& read) {
        for (std::uint64_t sleep_at = 0;;) {
            auto taken = subscriber_.take();
            if (!taken.has_error()) {
                const void* const payload = taken.value();
                const std::size_t size = iox::mepoo::ChunkHeader::fromUserPayload(payload)->userPayloadSize();
                read(std::span(static_cast<const std::byte*>(payload), size));
                subscriber_.release(payload);
                return;
            }
            if (taken.get_error() != iox::popo::ChunkReceiveResult::NO_CHUNK_AVAILABLE) fail("take", "too many chunks are held");
            if (spin_ && sleep_at == 0) sleep_at = now_ns() + static_cast<std::uint64_t>(std::chrono::nanoseconds(spin_time).count());
            if (spin_ && now_ns() < sleep_at) continue;
            waits_.wait();
        }
    }

private:
    static iox::popo::SubscriberOptions options(std::size_t size) {
        iox::popo::SubscriberOptions chosen;
        chosen.queueCapacity = queue_capacity(size);
        chosen.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
        return chosen;
    }

    bool spin_;
    UntypedSubscriber subscriber_;
    iox::popo::WaitSet<> waits_{};
};

void start_runtime(const char* role) {
    iox::log::LogManager::GetLogManager().SetDefaultLogLevel(iox::log::LogLevel::kWarn, iox::log::LogLevelOutput::kHideLogLevel);
    const std::string name = std::string("bench-peer-") + role + "-" + std::to_string(::getpid());
    iox::runtime::PoshRuntime::initRuntime(iox::RuntimeName_t(iox::cxx::TruncateToCapacity, name.c_str()));
}

class iceoryx_server final : public server {
public:
    explicit iceoryx_server(const settings& chosen) : chosen_(chosen) { start_runtime("server"); }

    std::string listen() override {
        requests_ = std::make_unique<topic_reader>("requests", chosen_);
        replies_ = std::make_unique<topic_writer>("replies");
        return "shared memory";
    }

    receipt receive_stream(std::uint64_t count) override {
        receipt got;
        for (std::uint64_t sequence = 0; sequence < count; ++sequence)
            requests_->read([&](std::span<const std::byte> payload) { got.count(payload, chosen_.size, sequence); });
        return got;
    }

    receipt answer_pingpong(std::uint64_t count) override {
        receipt got;
        replies_->await_reader();
        for (std::uint64_t sequence = 0; sequence < count; ++sequence) {
            requests_->read([&](std::span<const std::byte> payload) { got.count(payload, chosen_.size, sequence); });
            replies_->write(chosen_.size, [&](std::span<std::byte> payload) { stamp(payload, sequence); });
        }
        return got;
    }

    [[noreturn]] void echo() override { fail("echo", "iceoryx has no connections"); }

private:
    const settings& chosen_;
    std::unique_ptr<topic_reader> requests_{};
    std::unique_ptr<topic_writer> replies_{};
};

class iceoryx_client final : public client {
public:
    iceoryx_client(const settings& chosen, const std::string&) : chosen_(chosen) {
        start_runtime("client");
        requests_ = std::make_unique<topic_writer>("requests");
        replies_ = std::make_unique<topic_reader>("replies", chosen);
        requests_->await_reader();
        replies_->await_writer();
    }

    void send_stream(std::uint64_t count) override {
        for (std::uint64_t sequence = 0; sequence < count; ++sequence)
            requests_->write(chosen_.size, [&](std::span<std::byte> payload) { stamp(payload, sequence); });
    }

    bool round_trip(std::uint64_t sequence) override {
        requests_->write(chosen_.size, [&](std::span<std::byte> payload) { stamp(payload, sequence); });
        bool whole = false;
        replies_->read([&](std::span<const std::byte> payload) { whole = intact(payload, chosen_.size, sequence); });
        return whole;
    }

    measurement echo(std::uint64_t) override { fail("echo", "iceoryx has no connections"); }

private:
    const settings& chosen_;
    std::unique_ptr<topic_writer> requests_{};
    std::unique_ptr<topic_reader> replies_{};
};

std::optional<std::string> cannot(const settings& chosen) {
    if (chosen.work == peer_work::echo || chosen.work == peer_work::idle)
        return "it has topics in shared memory and no connections: many clients and the memory of one mean nothing for it";
    if (chosen.size > (std::size_t{1} << 20)) return "the largest chunk of RouDi's own configuration is 1 MiB";
    return std::nullopt;
}

std::shared_ptr<void> start_broker() {
    return std::make_shared<companion>(std::vector<std::string>{"iox-roudi", "--monitoring-mode", "off"}, "RouDi is ready for clients");
}

}  // namespace

}  // namespace mnet::bench::peers

int main(int argument_count, char** arguments) {
    using namespace mnet::bench::peers;
    const peer iceoryx{
        .name = "iceoryx",
        .transports = {"shm"},
        .make_server = [](const settings& chosen) { return std::make_unique<iceoryx_server>(chosen); },
        .make_client = [](const settings& chosen, const std::string& address) { return std::make_unique<iceoryx_client>(chosen, address); },
        .cannot = cannot,
        .beside = start_broker};
    return run_peer(iceoryx, argument_count, arguments);
}
