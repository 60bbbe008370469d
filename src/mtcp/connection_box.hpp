// Where posts to a connection wait (mnet/mailbox.hpp).
#pragma once
#include "mnet/mailbox.hpp"

namespace mnet::inline v1::mtcp::detail {

class connection;

/// A mailbox that knows its connection; on the connection's own thread only.
class connection_box final : public mnet::detail::mailbox {
public:
    using mailbox::mailbox;
    connection* owner = nullptr;
};

}  // namespace mnet::inline v1::mtcp::detail
