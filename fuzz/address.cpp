// The parser of addresses, and the kernel's addresses behind it, against any text: what it takes has a text that it takes again as the same
// address, and nothing is read outside of the text given (which ends without a zero).
#include <mnet/address.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "io/endpoint.hpp"

namespace {

void require(bool holds) {
    if (!holds) std::abort();
}

void check_endpoint(const mnet::result<mnet::io::endpoint>& made) {
    if (!made) return;
    const auto again = mnet::address::parse(made->text());
    require(again.has_value());
    require(*made == *made);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<char> exact(data, data + size);
    const std::string_view text(exact.data(), exact.size());
    check_endpoint(mnet::io::endpoint::numeric(text, static_cast<std::uint16_t>(size)));
    const auto parsed = mnet::address::parse(text);
    if (!parsed) return 0;
    const auto again = mnet::address::parse(parsed->text());
    require(again.has_value() && *again == *parsed);
    require(again->text() == parsed->text());
    if (parsed->what == mnet::address::kind::tcp) check_endpoint(mnet::io::endpoint::numeric(parsed->host, parsed->port));
    if (parsed->what == mnet::address::kind::unix_path) (void)mnet::io::endpoint::unix_socket(parsed->path);
    return 0;
}
