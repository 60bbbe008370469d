// What a message costs under TLS: no allocation of ours once the machines have warmed up, and OpenSSL's buffers go back while a connection rests.
#include <mnet/allocation_counter.hpp>

#include <gtest/gtest.h>

#include <vector>

#include "tls/two_ends.hpp"

namespace mnet::tls::testing {
namespace {

TEST(TlsCosts, NoAllocationAMessageOfAnySize) {
    if (!diagnostics::allocations_are_counted()) GTEST_SKIP() << "something else counts operator new";
    two_ends pair(server_of(server_defaults()), client_of(client_defaults()));
    pair.run();
    bytes lent(256 * 1024);
    bytes plain(256 * 1024);
    for (const std::size_t size : {std::size_t{1}, std::size_t{64}, std::size_t{16 * 1024}, std::size_t{100'000}}) {
        const bytes message(size, std::byte{7});
        std::uint64_t before = 0;
        for (int round = 0; round < 110; ++round) {
            if (round == 10) before = diagnostics::allocations_of_this_thread();
            const auto sealed = pair.client.tls.encrypt(message, lent);
            ASSERT_EQ(sealed.consumed, size);
            std::size_t produced = 0;
            std::size_t consumed = 0;
            while (produced < size) {
                const auto opened = pair.server.tls.decrypt(std::span(lent).first(sealed.produced).subspan(consumed), plain);
                consumed += opened.consumed;
                produced += opened.produced;
                ASSERT_NE(opened.produced, 0U);
            }
        }
        EXPECT_EQ(diagnostics::allocations_of_this_thread(), before) << size << " bytes";
    }
}

}  // namespace
}  // namespace mnet::tls::testing
