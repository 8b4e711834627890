// Connections for reading, lent to one caller at a time; opened when first needed.
// Private to core/store; any thread. Nobody may hold one while taking another.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <vector>

#include "base/limits.h"
#include "store/sqlite.h"

namespace atlas::store {

class Readers {
 public:
  static constexpr std::size_t kMost = base::limits::store_readers;

  explicit Readers(std::filesystem::path file) : file_(std::move(file)) {}

  class Lease {
   public:
    Lease(Readers& readers, Connection connection) : readers_(readers), connection_(std::move(connection)) {}
    ~Lease() { readers_.give_back(std::move(connection_)); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    explicit operator bool() const { return static_cast<bool>(connection_); }
    Connection& operator*() { return connection_; }

   private:
    Readers& readers_;
    Connection connection_;
  };
  // Waits when all are lent. False in itself when the file cannot be opened.
  Lease take();
  void close();  // the idle ones

 private:
  void give_back(Connection connection);

  const std::filesystem::path file_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<Connection> idle_;
  std::size_t lent_ = 0;
};

}  // namespace atlas::store
