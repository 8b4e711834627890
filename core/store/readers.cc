#include "store/readers.h"

namespace atlas::store {

Readers::Lease Readers::take() {
  std::unique_lock lock(mutex_);
  returned_.wait(lock, [this] { return lent_ < kMost; });
  ++lent_;
  Connection connection;
  if (!idle_.empty()) {
    connection = std::move(idle_.back());
    idle_.pop_back();
  }
  lock.unlock();
  if (!connection && !Connection::open(file_, Connection::Use::kReader, connection).ok()) connection.close();
  return {*this, std::move(connection)};
}

void Readers::give_back(Connection connection) {
  {
    std::lock_guard lock(mutex_);
    --lent_;
    if (connection) idle_.push_back(std::move(connection));
  }
  returned_.notify_one();
}

void Readers::close() {
  std::lock_guard lock(mutex_);
  idle_.clear();
}

}  // namespace atlas::store
