// The smallest user of an installed mnet: compiles against its headers and calls into its library.
#include <mnet/error.hpp>

#include <cstdio>

int main() {
    const std::error_code error = mnet::errc::no_data_yet;
    std::printf("%s: %s\n", error.category().name(), error.message().c_str());
    return error == mnet::errc::no_data_yet && !error.message().empty() ? 0 : 1;
}
