// What a thread does between two polls of memory that another writes: it lets go of the line for a moment, and of its core's other thread.
//
// Source: PAUSE, Intel 64 and AMD64 manuals; YIELD, Arm Architecture Reference Manual.
#pragma once

namespace mnet::inline v1::base {

inline void pause_processor() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace mnet::inline v1::base
