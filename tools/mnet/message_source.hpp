// Where `mnet send` gets its messages from: the command line, where all are there from the start, or stdin, where a thread reads lines
// while the main thread talks to the server.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace mnet::tool {

class message_source {
public:
    message_source() = default;
    message_source(const message_source&) = delete;
    message_source& operator=(const message_source&) = delete;
    virtual ~message_source() = default;

    enum class state : std::uint8_t { ready, waiting, ended };

    /// Whether there is a message now, may be one later, or will be none any more.
    virtual state look() = 0;

    /// The message that is there, until `take` moves on to the next.
    virtual std::string_view front() const = 0;
    virtual void take() = 0;

    /// Waits until `look` says something else than waiting.
    virtual void wait() = 0;

    /// A token that is asked to stop when `look` says something else than waiting; until the next call.
    virtual std::stop_token changed() = 0;
};

/// Each of `texts` `count` times; `count` at least 1.
class listed_messages final : public message_source {
public:
    listed_messages(std::vector<std::string> texts, std::uint64_t count);

    state look() override { return place_ == texts_.size() ? state::ended : state::ready; }
    std::string_view front() const override { return texts_[place_]; }
    void take() override;
    void wait() override {}
    std::stop_token changed() override { return {}; }

private:
    std::vector<std::string> texts_;
    std::uint64_t count_;
    std::size_t place_ = 0;
    std::uint64_t repeated_ = 0;
};

/// Each line of stdin `count` times, at least 1. A last line without an end is one too.
class stdin_lines final : public message_source {
public:
    explicit stdin_lines(std::uint64_t count);
    /// The thread may still wait for stdin, which nothing can end: it is left behind, and touches nothing of this object any more.
    ~stdin_lines() override;

    state look() override;
    std::string_view front() const override { return lines_.front(); }
    void take() override;
    void wait() override;
    std::stop_token changed() override;

private:
    struct shared;
    static void read_all(const std::shared_ptr<shared>& target);

    std::shared_ptr<shared> shared_;
    std::deque<std::string> lines_{};  // taken over from the thread
    std::uint64_t count_;
    std::uint64_t repeated_ = 0;
};

}  // namespace mnet::tool
