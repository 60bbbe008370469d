// Asio's ssl::stream, for the transport "tls" of Asio's peer: one connection that streams or plays ping-pong, in TLS 1.3 with
// TLS_AES_128_GCM_SHA256 (what mnet's connections choose, so that both encrypt alike), a chain that is verified, and frames batched by hand as
// without TLS. Echoes over many connections are not written for it.
#pragma once
#include "peer_certificates.hpp"
#include "peer_program.hpp"

#include <memory>
#include <string>

namespace mnet::bench::peers {

std::unique_ptr<server> make_asio_tls_server(const settings& chosen, const peer_certificates& shown);
std::unique_ptr<client> make_asio_tls_client(const settings& chosen, const std::string& address, const peer_certificates& believed);

}  // namespace mnet::bench::peers
