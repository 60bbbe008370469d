// Lets every system call and every allocation of a scenario fail, each once, by each error that fits: a run without a failure counts them, and
// then there is a run for each. After each nothing may be left behind, nothing hung, and an error names what failed, or nobody noticed.
//
//     torture SCENARIO epoll|uring                              all failures of a scenario
//     torture SCENARIO epoll|uring --only NAME[@ADDRESS] [CALL [ERRNO]]   some of them, one by one in words
//     torture SCENARIO epoll|uring --places                     the places alone: NAME ADDRESS CALLS, for tests/scripts/torture_places.sh
//     torture --scenarios                                       their names
//
// Ends with 0 where all is well, 1 where something is not; a crash or a hang ends it at once, with the run that did it in its last words.
#include "torture/scenarios.hpp"
#include "torture/strikes.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <link.h>
#include <map>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using torture::holdings;
using torture::notes;
using torture::place;
using torture::strike;

constexpr unsigned longest_run_seconds = 20;

/// How the process of a run ends.
enum : int { ended_well, ended_badly, not_struck };

/// How far from the addresses in its file the program was loaded: nothing where it was linked without PIE. It comes first in dl_iterate_phdr(3).
std::uintptr_t loaded_at() {
    static const std::uintptr_t bias = [] {
        std::uintptr_t program = 0;
        const auto take_first = [](dl_phdr_info* file, std::size_t, void* into) {
            *static_cast<std::uintptr_t*>(into) = file->dlpi_addr;
            return 1;
        };
        ::dl_iterate_phdr(take_first, &program);
        return program;
    }();
    return bias;
}

/// Addresses are told as they are in the file.
std::uintptr_t in_file(std::uintptr_t address) { return address > loaded_at() ? address - loaded_at() : address; }

bool is_of_openssl(const char* name) { return std::string_view(name).starts_with("OpenSSL"); }

/// What the handler of a deadly signal prints: it may not make strings itself.
std::array<char, 512> last_words{};

void speak_last_words(int signal) {
    const char* const what = signal == SIGALRM ? "WRONG, HANGS: " : "WRONG, CRASHES: ";
    (void)!::write(STDOUT_FILENO, what, std::strlen(what));
    (void)!::write(STDOUT_FILENO, last_words.data(), std::strlen(last_words.data()));
    ::_exit(ended_badly);
}

std::string name_of(const strike& which) {
    std::array<char, 160> text{};
    std::snprintf(text.data(), text.size(), "%s@%lx call %u: %s", which.name, static_cast<unsigned long>(in_file(which.address)),
                  which.call, std::strerror(which.error));
    return text.data();
}

struct outcome {
    bool struck = false;
    std::string complaint{};  // empty: all is well
};

struct totals {
    unsigned failures = 0;
    unsigned missed = 0;  // the call did not come again
    unsigned wrong = 0;
};

class torment {
public:
    torment(const torture::scenario& which, mnet::mtcp::engine engine, bool in_words)
        : which_(which), engine_(engine), in_words_(in_words) {}

    outcome run(const strike& wanted) const {
        const holdings before = torture::held();
        outcome result;
        {
            notes seen;
            ::alarm(longest_run_seconds);
            torture::begin(wanted);
            which_.run(engine_, seen);
            result.struck = torture::end();
            if (in_words_ && !seen.all_well()) std::printf("    %s%s\n", name_of(wanted).c_str(), seen.text().c_str());
            result.complaint = complaint_about(wanted, seen);
        }
        auto after = torture::held();
        ::alarm(0);
        if (result.complaint.capacity() > std::string().capacity()) --after.allocations;  // of its text
        if (const auto growth = after.growth_since(before); !growth.empty()) result.complaint += "\n        left behind: " + growth;
        return result;
    }

    static std::string complaint_about(const strike& wanted, const notes& seen) {
        if (seen.all_well()) return {};
        if (wanted.call == 0) return "fails by itself:" + seen.text();
        if (seen.timed_out()) return "a wait ended by its deadline alone:" + seen.text();
        if (!seen.name(wanted.error, is_of_openssl(wanted.name))) return "no error names it:" + seen.text();
        return {};
    }

    /// In a process of its own, so that a crash ends that alone. Once more, where something is wrong: what is there for good after the first time
    /// (a cache) is no leak.
    int judge(const strike& wanted) const {
        const pid_t child = ::fork();
        if (child != 0) {
            int status = 0;
            (void)::waitpid(child, &status, 0);
            return WIFEXITED(status) ? WEXITSTATUS(status) : ended_badly;
        }
        std::snprintf(last_words.data(), last_words.size(), "%s; again with: torture %s %s --only '%s@%lx' %u %d\n",
                      name_of(wanted).c_str(), which_.name, engine_ == mnet::mtcp::engine::epoll ? "epoll" : "uring", wanted.name,
                      static_cast<unsigned long>(in_file(wanted.address)), wanted.call, wanted.error);
        outcome result = run(wanted);
        if (!result.complaint.empty()) {
            if (const outcome second = run(wanted); second.struck && second.complaint.empty()) result = second;
        }
        if (!result.complaint.empty()) std::printf("WRONG: %s        %s\n", last_words.data(), result.complaint.c_str());
        std::fflush(stdout);
        ::_exit(!result.complaint.empty() ? ended_badly : result.struck ? ended_well : not_struck);
    }

private:
    const torture::scenario& which_;
    const mnet::mtcp::engine engine_;
    const bool in_words_;
};

struct selection {
    std::string name{};
    std::uintptr_t address = 0;
    std::uint32_t call = 0;
    int error = 0;

    bool has(const strike& one) const {
        return (name.empty() || name == one.name) && (address == 0 || address == in_file(one.address)) && (call == 0 || call == one.call) &&
               (error == 0 || error == one.error);
    }
};

int usage() {
    std::fprintf(stderr, "usage: torture SCENARIO epoll|uring [--places | --only NAME[@ADDRESS] [CALL [ERRNO]]] | --scenarios\n");
    return 2;
}

/// The next call of a place to fail. Of OpenSSL's, which asks for memory some 18,000 times in a scenario, not every one: behind the fourth each
/// that is half as late again.
std::uint32_t next_call(const place& of, std::uint32_t call) noexcept {
    constexpr std::uint32_t all_up_to = 4;
    return is_of_openssl(of.name) && call >= all_up_to ? call + call / 2 : call + 1;
}

int torment_all(const torment& work, const std::vector<place>& places, const selection& chosen) {
    totals all;
    std::map<std::string, totals> by_name;
    for (const place& each : places) {
        for (std::uint32_t call = 1; call <= each.calls; call = next_call(each, call)) {
            for (const int error : each.errors) {
                const strike wanted{.name = each.name, .address = each.address, .call = call, .error = error};
                if (!chosen.has(wanted)) continue;
                const int ended = work.judge(wanted);
                for (totals* const add : {&by_name[each.name], &all}) {
                    ++(ended == not_struck ? add->missed : add->failures);
                    add->wrong += ended == ended_badly ? 1 : 0;
                }
            }
        }
    }
    for (const auto& [name, sum] : by_name) {
        const auto sites = std::ranges::count_if(places, [&](const place& each) { return name == each.name; });
        std::printf("    %-28s %4ld places, %5u failures\n", name.c_str(), static_cast<long>(sites), sum.failures);
    }
    std::printf("%zu places, %u failures, %u that did not come, %u wrong\n", places.size(), all.failures, all.missed, all.wrong);
    return all.wrong == 0 ? 0 : 1;
}

}  // namespace

int main(int argument_count, char** arguments) {
    torture::watch_openssl();
    const std::vector<std::string_view> words(arguments + 1, arguments + argument_count);
    if (words.size() == 1 && words[0] == "--scenarios") {
        for (const auto& each : torture::scenarios()) std::printf("%s\n", each.name);
        return 0;
    }
    if (words.size() < 2 || (words[1] != "epoll" && words[1] != "uring")) return usage();
    const auto& all = torture::scenarios();
    const auto found = std::ranges::find(all, words[0], &torture::scenario::name);
    if (found == all.end()) return usage();
    selection chosen;
    const bool only_places = words.size() == 3 && words[2] == "--places";
    if (words.size() > 2 && !only_places) {
        if (words[2] != "--only" || words.size() < 4) return usage();
        const auto at = words[3].find('@');
        chosen.name = words[3].substr(0, at);
        if (at != words[3].npos) chosen.address = std::strtoul(words[3].data() + at + 1, nullptr, 16);
        if (words.size() > 4) chosen.call = static_cast<std::uint32_t>(std::atoi(words[4].data()));
        if (words.size() > 5) chosen.error = std::atoi(words[5].data());
    }
    for (const int signal : {SIGALRM, SIGABRT, SIGSEGV, SIGBUS, SIGILL}) std::signal(signal, speak_last_words);

    const torment work(*found, words[1] == "epoll" ? mnet::mtcp::engine::epoll : mnet::mtcp::engine::uring, !chosen.name.empty());
    for (int warm = 0; warm < 3; ++warm) {  // what is made once and kept
        std::snprintf(last_words.data(), last_words.size(), "%s without a failure\n", found->name);
        if (const auto result = work.run({}); !result.complaint.empty() && warm == 2) {
            std::printf("WRONG %s%s\n", last_words.data(), result.complaint.c_str());
            return 1;
        }
    }
    auto places = torture::places();
    std::ranges::sort(places, [](const place& one, const place& other) { return std::string_view(one.name) < other.name; });
    std::fflush(stdout);
    if (only_places) {
        for (const place& each : places)
            std::printf("%s\t%lx\t%u\n", each.name, static_cast<unsigned long>(in_file(each.address)), each.calls);
        return 0;
    }
    return torment_all(work, places, chosen);
}
