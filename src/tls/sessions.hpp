// The sessions that clients resume (RFC 8446, section 2.2): the last one of each peer, used until the peer gives a newer one or refuses it.
//
// Thread: any; the lock is taken when a session is looked up or arrives, never for data.
#pragma once
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "tls/openssl.hpp"

namespace mnet::inline v1::tls {

class session_cache {
public:
    /// Above it, the peer whose session is the oldest is forgotten.
    explicit session_cache(std::size_t peers_max) : peers_max_(peers_max) {}

    void keep(const std::string& peer, session_owner session);

    /// nullptr when there is none.
    session_owner find(const std::string& peer);

    void forget(const std::string& peer);

private:
    struct entry {
        session_owner session;
        std::uint64_t number;
    };

    std::mutex mutex_;
    std::size_t peers_max_;
    std::uint64_t next_number_ = 0;
    std::unordered_map<std::string, entry> sessions_;
};

}  // namespace mnet::inline v1::tls
