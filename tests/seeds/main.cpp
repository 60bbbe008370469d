// Runs seeds of the simulated world until one breaks a rule, and says what that was, which command repeats it, and what happened last.
//
//     simulated_seeds [--seeds COUNT] [--from SEED]       10,000 from 1 on by default
//     simulated_seeds --seed SEED                         one alone
//     simulated_seeds --tls ...                           the same over TLS: a seed makes the same choices there each time, but not the same run
//                                                         to the byte, since keys and signatures are new ones, some of them a byte shorter
//
// Ends with 0 where all hold, 1 where one does not, 2 for arguments that make no sense. An assertion of the library ends it as the broken
// rule it is, with the seed and the command.
#include "seeds/scenario.hpp"
#include "support/tls_pair.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {

/// What the handler of SIGABRT prints: it may not make strings itself.
std::array<char, 4096> last_words{};

void speak_last_words(int) {
    (void)!::write(STDERR_FILENO, last_words.data(), std::strlen(last_words.data()));
    ::_exit(1);
}

bool read_number(const char* text, std::uint64_t& number) {
    if (text == nullptr) return false;
    const char* const end = text + std::strlen(text);
    const auto read = std::from_chars(text, end, number);
    return read.ec == std::errc() && read.ptr == end;
}

struct sums {
    std::chrono::nanoseconds elapsed{0};
    mnet::simulation::injections injected{};
    std::uint64_t connections = 0;
    std::uint64_t frames = 0;

    sums& operator+=(const mnet::simulation::verdict& one) noexcept {
        elapsed += one.elapsed;
        injected += one.injected;
        connections += one.connections;
        frames += one.frames;
        return *this;
    }
};

void print(const sums& all, std::uint64_t seeds, std::chrono::duration<double> took) {
    const auto count = [](std::uint64_t number) { return static_cast<unsigned long long>(number); };
    const auto& struck = all.injected;
    std::printf("%llu seeds hold: %.1f virtual hours, %llu connections, %llu messages, %llu faults, in %.1f s\n", count(seeds),
                std::chrono::duration<double, std::ratio<3600>>(all.elapsed).count(), count(all.connections / 2), count(all.frames),
                count(struck.total()), took.count());
    std::printf(
        "faults: short receives %llu, short sends %llu, pending sends %llu, late receives %llu, late answers %llu, spurious wakes %llu,\n"
        "duplicate wakes %llu, slow readers %llu, full buffers %llu, full tables %llu, resets %llu, vanishings %llu, partitions %llu,\n"
        "refusals %llu, clock jumps %llu\n",
        count(struck.short_receives), count(struck.short_sends), count(struck.pending_sends), count(struck.late_receives),
        count(struck.late_answers), count(struck.spurious_wakes), count(struck.duplicate_wakes), count(struck.slow_readers),
        count(struck.full_buffers), count(struck.full_tables), count(struck.resets), count(struck.vanishings), count(struck.partitions),
        count(struck.refusals), count(struck.clock_jumps));
}

}  // namespace

int main(int argument_count, char** arguments) {
    std::uint64_t seeds = 10'000;
    std::uint64_t from = 1;
    std::optional<support::tls_pair> secured;
    for (int index = 1; index < argument_count; index += 2) {
        const std::string_view name = arguments[index];
        if (name == "--tls") {
            secured = support::make_tls_pair();
            if (!secured) {
                std::fprintf(stderr, "no certificates could be made\n");
                return 2;
            }
            --index;
            continue;
        }
        std::uint64_t number = 0;
        const bool known = name == "--seeds" || name == "--from" || name == "--seed";
        if (!known || index + 1 == argument_count || !read_number(arguments[index + 1], number)) {
            std::fprintf(stderr, "usage: %s [--tls] [--seeds COUNT] [--from SEED] | --seed SEED\n", arguments[0]);
            return 2;
        }
        if (name != "--seeds") from = number;
        if (name != "--from") seeds = name == "--seed" ? 1 : number;
    }

    std::signal(SIGABRT, speak_last_words);
    sums all;
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t seed = from; seed < from + seeds; ++seed) {
        const std::string again = std::string(arguments[0]) + (secured ? " --tls" : "") + " --seed " + std::to_string(seed);
        std::snprintf(last_words.data(), last_words.size(), "FAILED seed %llu: it ended the process; again with:  %s\n",
                      static_cast<unsigned long long>(seed), again.c_str());
        const auto verdict = seeds::run(seed, again, secured ? &*secured : nullptr);
        if (!verdict) {
            std::fprintf(stderr, "FAILED after %llu seeds\n%s", static_cast<unsigned long long>(seed - from + 1), verdict.report.c_str());
            return 1;
        }
        all += verdict;
    }
    print(all, seeds, std::chrono::steady_clock::now() - start);
}
