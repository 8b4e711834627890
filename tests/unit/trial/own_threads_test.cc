// A role with a thread of its own on trial: virtual time waits for what the thread does in real time.
#include "trial/own_threads.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "atlas/ext/messages.h"
#include "trial/famine.h"
#include "trial/world.h"

namespace atlas::trial {
namespace {

// Answers 0xc0 from its thread, which posts to the strand without pause besides.
struct Threaded {
  const atlas_host* host = nullptr;
  const atlas_ext_messages* messages = nullptr;
  std::mutex mutex;
  atlas_reply_to open = 0;
  bool over = false;
  std::thread thread;

  void work() {
    for (;;) {
      atlas_reply_to reply = 0;
      {
        const std::lock_guard lock(mutex);
        if (over) return;
        std::swap(reply, open);
      }
      const std::uint8_t map = 0x80;
      if (reply != 0) messages->reply(host, reply, 0xc1, {&map, 1});
      host->post(
          host, [](void*) {}, nullptr);
      std::this_thread::yield();
    }
  }
};

atlas_status on_request(void* self, const atlas_message* message) {
  auto& role = *static_cast<Threaded*>(self);
  const std::lock_guard lock(role.mutex);
  role.open = message->reply_to;
  return ATLAS_OK;
}

::atlas_plugin threaded_role() {
  static const char* const kNeeds[] = {ATLAS_EXT_MESSAGES, nullptr};
  ::atlas_plugin plugin{};
  plugin.struct_size = sizeof plugin;
  plugin.abi_major = ATLAS_ABI_MAJOR;
  plugin.id = "threaded";
  plugin.version = "1";
  plugin.summary = "Answers from a thread of its own.";
  plugin.needs = kNeeds;
  plugin.init = [](const atlas_host* host, void** self) -> atlas_status {
    auto role = std::make_unique<Threaded>();
    role->host = host;
    role->messages = static_cast<const atlas_ext_messages*>(host->extension(host, ATLAS_EXT_MESSAGES));
    *self = role.get();
    const atlas_status status = role->messages->handle(host, 0xc0, ATLAS_HANDLE_ANSWERS, on_request);
    if (status >= 0) static_cast<void>(role.release());
    return status;
  };
  plugin.start = [](void* self) -> atlas_status {
    auto& role = *static_cast<Threaded*>(self);
    role.thread = std::thread(&Threaded::work, &role);
    return ATLAS_OK;
  };
  plugin.stop = [](void* self) {
    const std::unique_ptr<Threaded> role(static_cast<Threaded*>(self));
    {
      const std::lock_guard lock(role->mutex);
      role->over = true;
    }
    if (role->thread.joinable()) role->thread.join();
  };
  return plugin;
}

// One plugin a process: with_famine() keeps its descriptor.
TEST(OwnThreads, AnswerInRealTimeAndLetTheRoleStop) {
  const ::atlas_plugin plugin = threaded_role();
  for (int round = 0; round < 20; ++round) {
    World world(plugin, host::Mode::kDaemon);
    world.run();
    const host::PeerHandle peer = world.connect(1);
    const host::ReplyHandle reply = world.deliver(peer, 0xc0, base::Bytes{0x80});
    OwnThreads threads(60 * base::kSecond);
    threads.wait(world, [&] { return world.peers().replied(reply) != 0; });
    EXPECT_EQ(world.peers().replied(reply), 1u);
    world.pass(11 * base::kSecond);
    EXPECT_EQ(world.figure("unanswered"), 0);
    EXPECT_NO_THROW(world.stop());
  }
}

TEST(OwnThreads, ARoleWithoutThemWaitsForNothing) {
  ::atlas_plugin plugin = threaded_role();
  plugin.start = nullptr;
  World world(plugin, host::Mode::kDaemon);
  world.run();
  const host::PeerHandle peer = world.connect(1);
  const host::ReplyHandle reply = world.deliver(peer, 0xc0, base::Bytes{0x80});
  int asked = 0;
  OwnThreads().wait(world, [&] { return ++asked > 100; });
  EXPECT_LE(asked, 100) << "nobody else could answer: there is nothing to wait for";
  EXPECT_EQ(world.peers().replied(reply), 0u);
  world.stop();
}

}  // namespace
}  // namespace atlas::trial
