// What `--log` prints: a line to stderr for each event of a client, for people or, with --json, as an object.
#pragma once
#include <mnet/observer.hpp>

namespace mnet::tool {

/// Called by the loops themselves: who doesn't read its stderr holds them up.
class event_log final : public observer {
public:
    explicit event_log(bool json) noexcept : json_(json) {}

    void accepted(const observed& who) noexcept override;
    void connected(const observed& who) noexcept override;
    void refused(const observed& who, std::error_code why) noexcept override;
    void slow(const observed& who, std::uint64_t unsent_bytes) noexcept override;
    void dropped(const observed& who, std::uint64_t messages, std::uint64_t payload_bytes) noexcept override;
    void closed(const observed& who, std::error_code why, const delivery& told) noexcept override;

private:
    bool json_;
};

}  // namespace mnet::tool
