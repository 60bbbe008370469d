// See trace.hpp.
#include "io/simulated/trace.hpp"

#include <algorithm>
#include <cstdio>

namespace mnet::inline v1::io::simulated {

std::string trace::text() const {
    std::string text;
    for (std::size_t index = added_ - std::min(added_, entries_max); index < added_; ++index) {
        const trace_entry& entry = entries_[index % entries_max];
        std::array<char, 160> line{};
        std::snprintf(line.data(), line.size(), "%18.6f ms  %-32s handle %d, %lld\n", static_cast<double>(entry.at.count()) / 1e6,
                      entry.what, entry.handle, static_cast<long long>(entry.value));
        text += line.data();
    }
    return text;
}

}  // namespace mnet::inline v1::io::simulated
