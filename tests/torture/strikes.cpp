// The places in a table of fixed size, found by their address; slots are taken for good, so that no lock is needed.
#include "torture/strikes.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace torture {

namespace {

struct slot {
    std::atomic<std::uintptr_t> key = 0;
    std::atomic<const char*> name = nullptr;
    std::uintptr_t address = 0;
    std::span<const int> errors{};
    std::atomic<std::uint32_t> calls = 0;
};

constexpr std::size_t slots_max = 1 << 14;
std::array<slot, slots_max> slots;

strike meant{};
std::atomic<bool> watching = false;
std::atomic<bool> struck = false;
thread_local int pauses = 0;

std::atomic<std::int64_t> allocations = 0;
std::atomic<std::int64_t> of_openssl = 0;
std::atomic<std::int64_t> mapped_bytes = 0;

slot& slot_of(const char* name, std::uintptr_t address, std::span<const int> errors) noexcept {
    const std::uintptr_t key = (address ^ (reinterpret_cast<std::uintptr_t>(name) << 20U)) | 1U;
    for (std::size_t index = key * 0x9E3779B97F4A7C15U >> 50U;; index = (index + 1) % slots_max) {
        slot& at = slots[index];
        std::uintptr_t found = 0;
        if (at.key.compare_exchange_strong(found, key)) {
            at.address = address;
            at.errors = errors;
            at.name.store(name, std::memory_order_release);
            return at;
        }
        if (found == key) return at;
    }
}

std::int64_t entries_of(const char* folder) {
    std::int64_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
    return count;
}

}  // namespace

int strikes(const char* name, std::uintptr_t address, std::span<const int> errors) noexcept {
    if (!watching.load(std::memory_order_acquire) || pauses != 0) return 0;
    const std::uint32_t call = slot_of(name, address, errors).calls.fetch_add(1) + 1;
    if (meant.call != call || meant.address != address || meant.name != name) return 0;
    return struck.exchange(true) ? 0 : meant.error;
}

void begin(const strike& wanted) noexcept {
    meant = wanted;
    struck = false;
    for (slot& each : slots) each.calls = 0;
    watching.store(true, std::memory_order_release);
}

bool end() noexcept {
    watching = false;
    return struck;
}

std::vector<place> places() {
    std::vector<place> all;
    for (const slot& each : slots) {
        const char* const name = each.name.load(std::memory_order_acquire);
        if (name == nullptr || each.calls == 0) continue;
        all.push_back({.name = name, .address = each.address, .errors = each.errors, .calls = each.calls});
    }
    return all;
}

unwatched::unwatched() noexcept { ++pauses; }
unwatched::~unwatched() { --pauses; }

std::string holdings::growth_since(const holdings& before) const {
    std::string words;
    const auto tell = [&](const char* what, std::int64_t now, std::int64_t then) {
        if (now > then) words += (words.empty() ? "" : ", ") + std::to_string(now - then) + ' ' + what;
    };
    tell("descriptors", descriptors, before.descriptors);
    tell("threads", threads, before.threads);
    tell("allocations", allocations, before.allocations);
    tell("allocations of OpenSSL", of_openssl, before.of_openssl);
    tell("mapped bytes", mapped_bytes, before.mapped_bytes);
    return words;
}

holdings held() {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (entries_of("/proc/self/task") > 1 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    return {.allocations = allocations,
            .of_openssl = of_openssl,
            .mapped_bytes = mapped_bytes,
            .descriptors = entries_of("/proc/self/fd"),
            .threads = entries_of("/proc/self/task")};
}

void count_allocation(std::int64_t change) noexcept { allocations += change; }
void count_openssl(std::int64_t change) noexcept { of_openssl += change; }
void count_mapped(std::int64_t bytes) noexcept { mapped_bytes += bytes; }

}  // namespace torture
