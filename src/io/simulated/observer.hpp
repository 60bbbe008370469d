// Who watches a simulated world from outside of it: told of every byte where it passes between a process and its kernel.
#pragma once
#include <cstddef>
#include <span>

namespace mnet::inline v1::io {
class loop;
}  // namespace mnet::inline v1::io

namespace mnet::inline v1::io::simulated {

struct socket;

class observer {
public:
    observer(const observer&) = delete;
    observer& operator=(const observer&) = delete;
    virtual ~observer() = default;

    /// An end of a connection has its stream: attached, or about to be told that it is connected.
    virtual void opened(const socket& end) = 0;
    /// The kernel took these bytes; the process that sent them is not told yet.
    virtual void taken(const socket& from, std::span<const std::byte> bytes) = 0;
    /// The process got these bytes; it is not told yet.
    virtual void given(const socket& to, std::span<const std::byte> bytes) = 0;
    /// The process lets go of an end; its stream is still there.
    virtual void left(const socket& end) = 0;
    /// A loop ends; what lived on it is gone.
    virtual void ended(const io::loop& loop) = 0;
    /// An event and all that it set going at once are over.
    virtual void stepped() = 0;

protected:
    observer() = default;
};

}  // namespace mnet::inline v1::io::simulated
