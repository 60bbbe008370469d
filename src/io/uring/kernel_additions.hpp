// What the kernel offers and liburing 2.3 has no name for yet (linux/io_uring.h of Linux 6.12). Whether the kernel at hand has it is found
// out by asking (provided_buffers.cpp).
#pragma once
#include <cstdint>

namespace mnet::inline v1::io::uring {

/// IOU_PBUF_RING_INC: a provided buffer is filled by several receives, one behind the other. Goes where liburing's `pad` is.
inline constexpr std::uint16_t buffer_ring_incremental = 2;

/// IORING_CQE_F_BUF_MORE: the buffer has room left, and is still the kernel's.
inline constexpr std::uint32_t completion_buffer_more = 1U << 4;

}  // namespace mnet::inline v1::io::uring
