// The bus between the plugins of one node: who hears and who serves what, and the requests that wait for an answer
// (atlas/ext/bus.h).
//
// Any thread, but for the watch, which rings on the loop's. Subscriptions and services belong to their plugins, whose
// records live as long as the host; release() takes them out of service.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "atlas/ext/bus.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/slots.h"
#include "host/timer_driver.h"

namespace atlas::host {

struct Plugin;

struct Subscription {
  Plugin* plugin = nullptr;
  std::string topic;
  void (*hear)(void* self, const atlas_bus_event* event) = nullptr;
};

struct BusService {
  Plugin* plugin = nullptr;
  std::string name;
  atlas_status (*serve)(void* self, const atlas_bus_request* request) = nullptr;
};

// Who asked whom.
struct BusCall {
  Plugin* asker = nullptr;
  std::uint64_t promise = 0;  // in the asker's Pending
  Plugin* server = nullptr;
  base::MonoNs deadline = 0;
};

// "<plugin id>/<what>", as the header promises.
bool is_bus_name(std::string_view name);
// Whether the name is under that plugin's id.
bool is_bus_name_of(std::string_view plugin, std::string_view name);

class Bus {
 public:
  explicit Bus(std::size_t most_calls = base::limits::plugins_bus_calls) : calls_(most_calls) {}

  void add(const Subscription& subscription);
  void add(const BusService& service);
  // The plugin is out of service: it hears and serves nothing any more. What it was asked and has not answered.
  std::vector<BusCall> release(const Plugin& plugin);

  // `tell` runs for each subscriber, under our lock.
  void each_subscriber(std::string_view topic, const std::function<void(const Subscription&)>& tell) const;
  const BusService* find(std::string_view name) const;

  // 0 at the cap.
  std::uint64_t open(const BusCall& call);
  // Out of the table, exactly once; nothing when it is over, or another plugin's to answer.
  std::optional<BusCall> take(std::uint64_t call, const Plugin& server);
  // Takes out what is due and returns the next deadline, kNever when nothing is left.
  base::MonoNs expire(base::MonoNs now, std::vector<BusCall>& out);
  base::MonoNs next_deadline() const;
  std::size_t open_calls() const;
  // "bus topic relay/up: discovery", "bus service relay/load: relay", in one order.
  std::vector<std::string> snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::multimap<std::string, const Subscription*, std::less<>> subscriptions_;
  std::map<std::string, const BusService*, std::less<>> services_;
  base::Slots<BusCall> calls_;
  std::set<std::pair<base::MonoNs, std::uint64_t>> deadlines_;
};

// Ends calls that nobody answered in time.
class BusWatch final : public Alarm, public std::enable_shared_from_this<BusWatch> {
 public:
  BusWatch(std::shared_ptr<Bus> bus, std::shared_ptr<TimerDriver> driver)
      : bus_(std::move(bus)), driver_(std::move(driver)) {}
  // A call was opened.
  void watch(base::MonoNs deadline);

 private:
  base::MonoNs ring(base::MonoNs now) override;

  const std::shared_ptr<Bus> bus_;
  const std::shared_ptr<TimerDriver> driver_;
  std::mutex mutex_;
  base::MonoNs armed_for_ = base::kNever;  // guarded by mutex_
};

// The answer's way into the asker's queue; false when it waits no longer. Any thread.
bool queue_bus_answer(const BusCall& call, atlas_status status, base::ByteView body, std::string_view error);

}  // namespace atlas::host
