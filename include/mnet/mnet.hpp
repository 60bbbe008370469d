// The whole of mnet.
#pragma once
#include <mnet/address.hpp>
#include <mnet/buffer.hpp>
#include <mnet/client.hpp>
#include <mnet/diagnostics.hpp>
#include <mnet/error.hpp>
#include <mnet/message.hpp>
#include <mnet/mtcp/connect.hpp>
#include <mnet/mtcp/loop.hpp>
#include <mnet/mtcp/network.hpp>
#include <mnet/mtcp/options.hpp>
#include <mnet/operation.hpp>
#include <mnet/peer.hpp>
#include <mnet/statistics.hpp>
#include <mnet/task.hpp>
#include <mnet/tls.hpp>
#include <mnet/writer.hpp>
