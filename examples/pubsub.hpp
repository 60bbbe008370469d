// The server of the examples pubsub and simulated_pubsub: publish and subscribe, in text:
//
//     sub TOPIC           from now on this client gets what is published there, as `TOPIC TEXT`; the answer is `subscribed to TOPIC`
//     pub TOPIC TEXT      the answer is `published to N`, the number of subscribers that it went to
//
// A subscriber is held as a `peer`: a handle that any other client's handler may send through. All handlers run on the network's one
// loop, so the board of topics needs no lock.
#pragma once
#include <mnet/mnet.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pubsub {

using topic_board = std::map<std::string, std::vector<mnet::peer>, std::less<>>;

/// What one client subscribed to. Ends with the client's handler, however that ends, so the board holds nobody who is gone.
class subscriber {
public:
    subscriber(topic_board& board, mnet::peer self) : board_(board), self_(std::move(self)) {}
    subscriber(const subscriber&) = delete;
    subscriber& operator=(const subscriber&) = delete;
    ~subscriber() {
        for (const std::string& topic : topics_) {
            const auto entry = board_.find(topic);
            if (entry == board_.end()) continue;
            std::erase(entry->second, self_);
            if (entry->second.empty()) board_.erase(entry);
        }
    }

    std::string subscribe(std::string_view topic) {
        constexpr std::size_t topics_max = 100;
        if (topic.empty()) return "error: sub needs a topic: sub TOPIC";
        for (const std::string& known : topics_) {
            if (known == topic) return "subscribed to " + known;
        }
        if (topics_.size() == topics_max) return "error: a client can subscribe to 100 topics";
        auto& subscribers = board_[topics_.emplace_back(topic)];
        subscribers.push_back(self_);
        return "subscribed to " + topics_.back();
    }

private:
    topic_board& board_;
    mnet::peer self_;
    std::vector<std::string> topics_{};
};

inline std::string publish(topic_board& board, std::string_view topic, std::string_view text) {
    if (topic.empty()) return "error: pub needs a topic and a text: pub TOPIC TEXT";
    std::size_t reached = 0;
    if (const auto entry = board.find(topic); entry != board.end()) {
        const std::string message = entry->first + " " + std::string(text);
        for (const mnet::peer& peer : entry->second) {
            if (peer.send(message)) {
                ++reached;
            } else {
                peer.close();  // too slow to keep up: better it sees an end than a gap
            }
        }
    }
    return "published to " + std::to_string(reached);
}

inline std::string obey(std::string_view command, topic_board& board, subscriber& self) {
    const std::string_view verb = command.substr(0, command.find(' '));
    const std::string_view rest = command.substr(std::min(verb.size() + 1, command.size()));
    const std::string_view topic = rest.substr(0, rest.find(' '));
    if (verb == "sub" && topic == rest) return self.subscribe(topic);
    if (verb == "pub") return publish(board, topic, rest.substr(std::min(topic.size() + 1, rest.size())));
    return "error: say `sub TOPIC` or `pub TOPIC TEXT`; a topic is one word";
}

inline mnet::task<mnet::result<>> serve(mnet::client& client, topic_board& board) {
    subscriber self(board, client.self());
    for (;;) {
        auto message = co_await client.async_read();
        if (!message) co_return mnet::failure(message.error());
        if (auto sent = client.send(obey(message->text(), board, self)); !sent) co_return sent;
    }
}

}  // namespace pubsub
