// The messaging role over the in-process host: messages of peers, commands of people, restarts in between.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "kit/fake_host.h"
#include "message.h"

namespace messaging::test {

using atlas::kit::Bytes;
using atlas::kit::FakeHost;
using atlas::kit::FakeReply;
using atlas::kit::FakeRequest;
using atlas::kit::node_id;

inline constexpr std::uint64_t kSecond = 1'000, kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;
inline const std::string kSelf = node_id(0xfeed);

inline std::string message_id(std::uint64_t number) {
  std::string digits = std::to_string(number);
  return "msg_0199c8d2-5c00-7abc-8def-" + std::string(12 - digits.size(), '0') + digits;
}
inline Bytes text_body(std::string_view text) {
  atlas::msgpack::Writer out;
  out.text(text);
  return out.take();
}
inline Message message_of(const std::string& from, std::uint64_t number, std::string_view text = "hi") {
  Message out;
  out.id = message_id(number);
  out.from = from;
  out.to = kSelf;
  out.timestamp = 1'700'000'000;
  out.body = text_body(text);
  return out;
}

class RoleTest : public testing::Test {
 protected:
  explicit RoleTest(std::uint32_t mode = ATLAS_MODE_DAEMON) : mode_(mode) { fresh(); }

  // Ends the role as a kill does, and starts it again: what was committed is there, peers are not.
  void restart(std::uint64_t downtime_ms = 0) {
    const auto rows = std::move(host->rows);
    const auto now = host->now_ms + downtime_ms;
    const auto wall = host->wall_jump_ms;
    const auto config = host->config;
    const auto random = host->random_state;
    // What a dying host still says to the role must change nothing: it gets a copy of the rows to spoil.
    host->rows = rows;
    fresh();
    host->rows = rows;
    host->now_ms = now;
    host->wall_jump_ms = wall;
    host->config = config;
    host->random_state = random;
    host->run();
  }
  void fresh() {
    host.reset();
    host = std::make_unique<FakeHost>(atlas_plugin_v1, mode_);
  }
  std::size_t rows_with(std::string_view prefix) const {
    return static_cast<std::size_t>(std::count_if(host->rows.begin(), host->rows.end(), [&](const auto& row) {
      return std::string(row.first.begin(), row.first.end()).starts_with(prefix);
    }));
  }

  // --- messages of peers ---
  atlas_peer connect(std::uint64_t number, const std::string& address = "198.51.100.7:4433") {
    return host->connect_peer({.node_id = node_id(number), .address = address});
  }
  FakeReply deliver(atlas_peer from, const Message& message) { return host->deliver(from, 0x10, encode(message)); }
  FakeReply deliver(atlas_peer from, std::uint64_t number, std::string_view text = "hi") {
    return deliver(from, message_of(host->peers.at(from).node_id, number, text));
  }
  static bool is_ack(const FakeReply& reply, std::uint64_t number) {
    return reply.answered && reply.type == 0x11 && reply.body == encode_ack(message_id(number));
  }

  // --- commands ---
  nlohmann::json result(atlas_call call) const { return nlohmann::json::parse(host->calls.at(call).result.value()); }
  nlohmann::json run(const std::string& path, const std::map<std::string, std::string>& args = {}) {
    const auto call = host->run_command(path, args);
    EXPECT_EQ(host->calls.at(call).status, ATLAS_OK) << host->calls.at(call).error;
    return result(call);
  }
  std::vector<std::string> inbox_ids(const std::map<std::string, std::string>& args = {}) {
    std::vector<std::string> out;
    for (const auto& message : run("inbox", args)) out.push_back(message.at("id"));
    return out;
  }
  atlas_call send(const std::string& target, const std::string& body = "hi") {
    return host->run_command("send", {{"target", target}, {"body", body}});
  }

  // --- the network of the outbox ---
  // The next dial succeeds as that node; a session that is there is used again.
  void answer_dial(std::uint64_t number) {
    for (const auto& [handle, peer] : host->peers) {
      if (peer.node_id == node_id(number)) return host->finish_dial_existing(host->dials.at(0), handle);
    }
    host->finish_dial(host->dials.at(0), {.node_id = node_id(number), .address = "198.51.100.7:4433", .dialled = true});
  }
  static Message sent_in(const FakeRequest& request) {
    std::string why;
    return decode(atlas::msgpack::MapView::of(request.body), why).value_or(Message());
  }
  void acknowledge() {
    const FakeRequest request = host->requests.at(0);
    host->answer(request, 0x11, encode_ack(sent_in(request).id));
  }
  // The time until a dial or a request is under way.
  std::uint64_t wait_for_attempt(std::uint64_t most, std::uint64_t step = 50) {
    const std::uint64_t begin = host->now_ms;
    while (host->dials.empty() && host->requests.empty() && host->now_ms - begin < most) host->advance(step);
    return host->now_ms - begin;
  }

  std::unique_ptr<FakeHost> host;

 private:
  const std::uint32_t mode_;
};

// Takes the place of the store's commit: rows are written, and the role told, when commit() says so.
class HeldCommits {
 public:
  explicit HeldCommits(FakeHost& host) : host_(host) {
    current() = this;
    host.tables.store.put = [](const atlas_host*, atlas_bytes key, atlas_bytes value, atlas_durable_fn durable,
                               void* arg) -> atlas_status {
      current()->held_.push_back({atlas::kit::bytes_of(key), atlas::kit::bytes_of(value), durable, arg});
      return ATLAS_OK;
    };
  }
  ~HeldCommits() { current() = nullptr; }
  std::size_t size() const { return held_.size(); }
  // What was not committed when the node was killed.
  void lose() {
    for (const auto& put : std::exchange(held_, {})) {
      if (put.durable != nullptr) put.durable(put.arg, ATLAS_E_STOPPING);
    }
  }
  void commit(atlas_status status = ATLAS_OK) {
    for (const auto& put : std::exchange(held_, {})) {
      if (status >= 0) host_.rows[put.key] = put.value;
      if (put.durable != nullptr) put.durable(put.arg, status);
    }
    host_.settle();
  }

 private:
  struct Put {
    Bytes key, value;
    atlas_durable_fn durable;
    void* arg;
  };
  static HeldCommits*& current() {
    static HeldCommits* it = nullptr;
    return it;
  }
  FakeHost& host_;
  std::vector<Put> held_;
};

}  // namespace messaging::test
