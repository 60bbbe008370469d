// The text of an address, taken apart. Nothing is resolved or opened here.
//
//     host:port   tcp://host:port   [v6]:port      TCP; host is a name or a numeric address; an empty host means every address
//                                                  to listen on, and this host to connect to
//     tls://host:port                              TLS over TCP (mnet/tls.hpp)
//     unix:///path                                 a Unix socket in the file system
//     unix://@name                                 one in the abstract namespace (unix(7)): no file, gone with its owner
//     shm://name                                   memory shared with a process of this host, without any other way beside it
#pragma once
#include <mnet/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace mnet::inline v1 {

struct address {
    enum class kind : std::uint8_t { tcp, unix_path, unix_abstract, shared_memory };

    kind what = kind::tcp;
    std::string host{};  // tcp: without brackets
    std::uint16_t port = 0;
    bool tls = false;    // tcp: behind tls://
    std::string path{};  // unix: the path, or the name without its @; shared memory: the name

    /// Errors: errc::invalid_address: no port, a port that is not 0-65535, an IPv6 address without brackets, an unknown scheme, an
    /// empty or too long path or name.
    MNET_API static result<address> parse(std::string_view text);

    /// The shortest text that `parse` reads back as the same address.
    MNET_API std::string text() const;

    friend bool operator==(const address&, const address&) = default;
};

}  // namespace mnet::inline v1
