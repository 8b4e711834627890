// The process that store_kill_test kills: writes numbered rows as fast as the store takes them and prints the number of
// each one that the store says is durable. Its rows are of three kinds, so that every table is in the middle of
// something.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "base/clock.h"
#include "store/store.h"
#include "unit/store/thread_executor.h"

namespace {

using namespace atlas;

constexpr std::uint64_t kWindow = 200;  // rows on their way at once

std::string node_id(std::uint64_t number) {
  char text[71];
  std::snprintf(text, sizeof text, "atlas_%064llx", static_cast<unsigned long long>(number));
  return text;
}

// One write() a number: a kill may cut nothing in half.
void acknowledge(std::uint64_t number) {
  const std::string line = std::to_string(number) + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) _exit(3);
}

}  // namespace

int main(int count, char** arguments) {
  std::uint64_t number = 0;
  if (count != 3) return 2;
  std::from_chars(arguments[2], arguments[2] + std::strlen(arguments[2]), number);
  const base::SystemClock clock;
  store::ThreadExecutor executor;
  store::StoreLimits limits;
  limits.max_peers = 500;  // so that evictions are under way too
  auto opened = store::Store::open({arguments[1], limits, &executor, &clock});
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().text.c_str());
    return 1;
  }
  store::Store& store = **opened;
  std::mutex mutex;
  std::condition_variable moved;
  std::uint64_t on_the_way = 0;
  while (true) {
    ++number;
    wire::PeerRecord record;
    record.node_id = node_id(number);
    record.address = "192.0.2.1:4433";
    record.name = std::to_string(number);
    record.last_seen = clock.unix_s();
    store.put_told(record);
    store.put_session({node_id(number % 50), "192.0.2.1:4433", 1, clock.unix_s()});
    {
      std::unique_lock lock(mutex);
      moved.wait(lock, [&] { return on_the_way < kWindow; });
      ++on_the_way;
    }
    const std::string key = std::to_string(number), value(1 + number * 37 % 3000, static_cast<char>('a' + number % 26));
    const auto done = [&, number](const base::Result<void>& result) {
      if (!result) _exit(4);
      acknowledge(number);
      std::lock_guard lock(mutex);
      --on_the_way;
      moved.notify_one();
    };
    if (!store.put("kill", base::as_bytes(key), base::as_bytes(value), done)) return 5;
    // Old rows go, so that the file stays small and removals are in every batch.
    if (number > 3000 && !store.remove("kill", base::as_bytes(std::to_string(number - 3000)), {})) return 6;
  }
}
