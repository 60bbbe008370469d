// What is tortured: whole lives of a server and its client, each short, each with an engine.
#pragma once
#include <mnet/mtcp/options.hpp>

#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace torture {

/// What was seen in a run, by whoever saw it.
class notes {
public:
    /// Something failed, and this is what was said about it.
    void failed(const char* step, std::error_code why, std::string_view words = {});
    /// Something was said though nothing failed.
    void said(std::string_view words);
    /// What went wrong without anybody who saw it: turned away, cut.
    void counted(std::uint64_t times);

    bool all_well() const { return steps_.empty(); }
    /// Whether an error, or words, of these notes name this errno; or an end that others see when one end was turned away, which is counted.
    bool name(int error, bool of_openssl) const;
    /// A wait ended by its deadline and not by what it waited for.
    bool timed_out() const;
    std::string text() const;

private:
    mutable std::mutex mutex_{};
    std::vector<std::pair<std::string, std::error_code>> steps_{};
    std::vector<std::string> words_{};
    std::uint64_t counted_ = 0;
};

struct scenario {
    const char* name;
    void (*run)(mnet::mtcp::engine engine, notes& seen);
};

/// All of them. The first call makes what they share: certificates.
const std::vector<scenario>& scenarios();

}  // namespace torture
