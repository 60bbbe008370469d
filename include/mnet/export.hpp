// Which names the shared library shows. The library is built with hidden visibility; what a user may link against is marked.
#pragma once

#define MNET_API [[gnu::visibility("default")]]

// 1 in builds of the library that check its rules of use (stale messages, foreign threads) at run time, at a price. Set by the
// build (`-DMNET_CHECKED=ON`), and carried to users by the CMake package and pkg-config, because it changes layouts.
#ifndef MNET_CHECKED
#define MNET_CHECKED 0
#endif
