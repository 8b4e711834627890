// A UDP socket on a libuv loop: polled by libuv, read and written by our own batch calls. Made by UvLoop::open_udp.
//
// Loop thread only. The socket may be destroyed in any of its own callbacks; its memory stays until libuv has let go.
#pragma once

#include <uv.h>

#include <memory>

#include "net/loop.h"
#include "net/udp_receive.h"
#include "net/udp_send.h"

namespace atlas::net {

// `receiver` is the loop's and outlives the socket. `call` is for tests.
base::Result<std::unique_ptr<UdpSocket>> open_uv_udp(uv_loop_t& loop, UdpReceiver& receiver, const SocketAddress& bind,
                                                     const UdpOptions& options, UdpEvents events,
                                                     SendMessages call = system_sendmmsg);

}  // namespace atlas::net
