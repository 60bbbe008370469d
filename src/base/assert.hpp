// Assertions guard our own mistakes; what a peer or the kernel does wrong is an error value, never an assertion.
//
// On in debug builds and in checked ones (MNET_CHECKED); elsewhere the condition is compiled, so that it cannot rot, and not evaluated.
#pragma once
#include <mnet/export.hpp>

#include <cstdio>
#include <cstdlib>

namespace mnet::inline v1::base {

[[noreturn, gnu::cold, gnu::noinline]] inline void assertion_failed(const char* file, int line, const char* condition,
                                                                    const char* sentence) noexcept {
    std::fprintf(stderr, "%s:%d: mnet assertion failed: %s (%s)\n", file, line, sentence, condition);
    std::abort();
}

}  // namespace mnet::inline v1::base

/// `MNET_ASSERT(begin <= end, "a window never ends before it begins")`: the sentence states the rule, not its breach.
#if MNET_CHECKED || !defined(NDEBUG)
#define MNET_ASSERT(condition, sentence) \
    ((condition) ? static_cast<void>(0) : ::mnet::base::assertion_failed(__FILE__, __LINE__, #condition, sentence))
#else
#define MNET_ASSERT(condition, sentence) static_cast<void>(sizeof((condition) ? 1 : 0))
#endif
