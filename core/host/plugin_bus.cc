// What reaches a plugin of the bus: events, requests of other plugins, and answers to its own.
#include "host/bus.h"
#include "host/plugin.h"
#include "host/status.h"

namespace atlas::host {

void Plugin::run_bus_event(const Item& item, base::ByteView body) {
  const Subscription& subscription = *item.subscription;
  const std::string_view topic = subscription.topic;
  atlas_bus_event event{};
  event.struct_size = sizeof event;
  event.topic = text_of(topic);
  event.from = text_of(topic.substr(0, topic.find('/')));
  event.body = {body.data(), body.size()};
  guarded("bus event", [&] {
    subscription.hear(self, &event);
    return ATLAS_OK;
  });
}

void Plugin::run_bus_request(const Item& item, base::ByteView body, base::ByteView from) {
  const BusService& service = *item.bus_service;
  atlas_bus_request request{};
  request.struct_size = sizeof request;
  request.call = item.a;
  request.service = text_of(service.name);
  request.from = text_of(base::as_text(from));
  request.body = {body.data(), body.size()};
  const atlas_status status = guarded("bus request", [&] { return service.serve(self, &request); });
  if (status >= 0) return;
  if (const auto open = services->bus->take(item.a, *this)) queue_bus_answer(*open, status, {}, status_text(status));
}

void Plugin::run_bus_answer(const Item& item, base::ByteView body, base::ByteView error) {
  const auto promise = pending.take(item.a);
  if (!promise) return;
  atlas_bus_answer answer{};
  answer.struct_size = sizeof answer;
  answer.status = item.status;
  answer.body = {body.data(), body.size()};
  answer.error = text_of(base::as_text(error));
  guarded("bus answer", [&] {
    promise->bus_answer(promise->argument, &answer);
    return ATLAS_OK;
  });
}

// In service, or not any more.
void Plugin::join_bus() {
  for (const auto& subscription : subscriptions) services->bus->add(*subscription);
  for (const auto& service : bus_services) services->bus->add(*service);
}

void Plugin::leave_bus() {
  for (const BusCall& call : services->bus->release(*this)) {
    queue_bus_answer(call, ATLAS_E_GONE, {}, "the plugin went out of service");
  }
}

}  // namespace atlas::host
