// Messages from the command line and from stdin: see message_source.hpp.
#include "message_source.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace mnet::tool {

namespace {

constexpr std::size_t read_bytes = std::size_t{64} << 10;
constexpr std::size_t lines_max = 10'000;  // that wait to be sent: stdin is not read further ahead

}  // namespace

listed_messages::listed_messages(std::vector<std::string> texts, std::uint64_t count) : texts_(std::move(texts)), count_(count) {}

void listed_messages::take() {
    if (++repeated_ < count_) return;
    repeated_ = 0;
    ++place_;
}

struct stdin_lines::shared {
    std::mutex mutex{};
    std::condition_variable changed{};
    std::deque<std::string> lines{};
    bool ended = false;
    bool abandoned = false;
    std::stop_source wake{};

    /// Tells the main thread, that waits here or inside the client.
    void tell() {
        changed.notify_all();
        wake.request_stop();
    }
};

stdin_lines::stdin_lines(std::uint64_t count) : shared_(std::make_shared<shared>()), count_(count) {
    std::thread([target = shared_] { read_all(target); }).detach();
}

stdin_lines::~stdin_lines() {
    const std::scoped_lock lock(shared_->mutex);
    shared_->abandoned = true;
    shared_->changed.notify_all();
}

void stdin_lines::read_all(const std::shared_ptr<shared>& target) {
    std::array<char, read_bytes> buffer;
    std::string rest;
    std::deque<std::string> found;
    for (bool ended = false; !ended;) {
        const ssize_t bytes = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (bytes < 0 && errno == EINTR) continue;
        ended = bytes <= 0;
        std::string_view text(buffer.data(), static_cast<std::size_t>(ended ? 0 : bytes));
        for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
            rest.append(text.substr(0, end));
            found.push_back(std::exchange(rest, {}));
        }
        rest.append(text);
        if (ended && !rest.empty()) found.push_back(std::exchange(rest, {}));

        std::unique_lock lock(target->mutex);
        target->changed.wait(lock, [&] { return target->lines.size() < lines_max || target->abandoned; });
        if (target->abandoned) return;
        for (std::string& line : found) target->lines.push_back(std::move(line));
        target->ended = ended;
        if (ended || !found.empty()) target->tell();
        found.clear();
    }
}

message_source::state stdin_lines::look() {
    if (!lines_.empty()) return state::ready;
    const std::scoped_lock lock(shared_->mutex);
    if (shared_->lines.empty()) return shared_->ended ? state::ended : state::waiting;
    lines_.swap(shared_->lines);
    shared_->changed.notify_all();
    return state::ready;
}

void stdin_lines::take() {
    if (++repeated_ < count_) return;
    repeated_ = 0;
    lines_.pop_front();
}

void stdin_lines::wait() {
    std::unique_lock lock(shared_->mutex);
    shared_->changed.wait(lock, [this] { return !shared_->lines.empty() || shared_->ended; });
}

std::stop_token stdin_lines::changed() {
    const std::scoped_lock lock(shared_->mutex);
    shared_->wake = std::stop_source();
    if (!shared_->lines.empty() || shared_->ended) shared_->wake.request_stop();
    return shared_->wake.get_token();
}

}  // namespace mnet::tool
