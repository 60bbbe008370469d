// See thread.hpp; OPENSSL_thread_stop(3).
#include "tls/thread.hpp"

#include <openssl/crypto.h>

namespace mnet::inline v1::tls {

void leave_thread() noexcept { OPENSSL_thread_stop(); }

}  // namespace mnet::inline v1::tls
