// A plain UDP socket on the simulated network: for packets that no endpoint would send, and for standing in the middle.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/sim_world.h"

namespace atlas::quic {

class RawSocket {
 public:
  struct Received {
    net::SocketAddress from;
    base::Bytes data;
  };

  explicit RawSocket(sim::SimNode& node, std::uint16_t port = 0) {
    net::UdpEvents events;
    events.on_datagrams = [this](const net::ReceivedBatch& batch) {
      const std::size_t segment = batch.segment == 0 ? batch.data.size() : batch.segment;
      for (std::size_t at = 0; at < batch.data.size(); at += segment) {
        const base::ByteView one = batch.data.subspan(at, std::min(segment, batch.data.size() - at));
        received.push_back({batch.remote, {one.begin(), one.end()}});
        if (on_datagram) on_datagram(received.back());
      }
    };
    socket_ = std::move(node.loop().open_udp(node.at(port), {}, std::move(events)).value());
  }

  net::SocketAddress address() const { return socket_->local(); }
  net::UdpSocket* socket() { return socket_.get(); }
  void send(const net::SocketAddress& to, base::ByteView data, std::uint8_t ecn = 0) {
    const net::SendBatch batch{to, {}, ecn, data, data.size()};
    socket_->send({&batch, 1});
  }

  std::vector<Received> received;
  std::function<void(Received&)> on_datagram;

 private:
  std::unique_ptr<net::UdpSocket> socket_;
};

// Passes datagrams on between a dialler, which knows only this one, and a listener.
class Middleman {
 public:
  Middleman(sim::SimNode& node, net::SocketAddress listener) : listener_(listener), front_(node), back_(node) {
    front_.on_datagram = [this](RawSocket::Received& datagram) {
      dialler_ = datagram.from;
      if (!to_listener || to_listener(datagram.data)) back_.send(listener_, datagram.data);
    };
    back_.on_datagram = [this](RawSocket::Received& datagram) {
      if (!to_dialler || to_dialler(datagram.data)) front_.send(dialler_, datagram.data);
    };
  }

  net::SocketAddress address() const { return front_.address(); }
  void send_to_listener(base::ByteView data) { back_.send(listener_, data); }
  void send_to_dialler(base::ByteView data) { front_.send(dialler_, data); }

  // False holds a datagram back; it may be changed.
  std::function<bool(base::Bytes&)> to_listener, to_dialler;

 private:
  net::SocketAddress listener_, dialler_;
  RawSocket front_, back_;
};

}  // namespace atlas::quic
