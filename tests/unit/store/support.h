// What the store's tests share: a folder that goes away, clocks and executors under the test's control, and plain SQL
// from outside, as a person or another program would use it.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "store/store.h"
#include "unit/store/thread_executor.h"

namespace atlas::store {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "atlas-store-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class FakeClock final : public base::Clock {
 public:
  base::MonoNs mono_ns() const override { return mono; }
  std::int64_t unix_ms() const override { return unix_seconds * 1000; }
  base::MonoNs mono = base::kSecond;
  std::int64_t unix_seconds = 1'700'000'000;
};

// Keeps tasks until the test runs them, on the test's own thread: as a simulation does.
class HeldExecutor final : public base::Executor {
 public:
  void run(std::move_only_function<void()> task) override { tasks_.push_back(std::move(task)); }
  void run_all() {
    while (!tasks_.empty()) {
      auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  std::size_t waiting() const { return tasks_.size(); }

 private:
  std::deque<std::move_only_function<void()>> tasks_;
};

// Runs every task at once, inside run().
class InlineExecutor final : public base::Executor {
 public:
  void run(std::move_only_function<void()> task) override { task(); }
};

// A connection without any of the store's defences.
class Outsider {
 public:
  explicit Outsider(const std::filesystem::path& file) { EXPECT_EQ(sqlite3_open(file.c_str(), &db_), SQLITE_OK); }
  ~Outsider() { sqlite3_close(db_); }
  Outsider(const Outsider&) = delete;
  Outsider& operator=(const Outsider&) = delete;

  // The first column of every row, joined by '|'.
  std::string ask(const std::string& sql) {
    std::string out;
    char* error = nullptr;
    const auto row = [](void* to, int columns, char** values, char**) {
      auto& text = *static_cast<std::string*>(to);
      for (int i = 0; i < columns; ++i) text += (text.empty() ? "" : "|") + std::string(values[i] ? values[i] : "null");
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(db_, sql.c_str(), row, &out, &error), SQLITE_OK) << sql << ": " << (error ? error : "");
    sqlite3_free(error);
    return out;
  }

 private:
  sqlite3* db_ = nullptr;
};

inline std::string ask(const std::filesystem::path& file, const std::string& sql) {
  return Outsider(file).ask(sql);
}

// "atlas_" and 64 digits made from a number.
inline std::string node_id(std::uint64_t number) {
  char text[71];
  std::snprintf(text, sizeof text, "atlas_%064llx", static_cast<unsigned long long>(number));
  return text;
}

inline wire::PeerRecord peer_record(std::uint64_t number, std::int64_t last_seen = 1'600'000'000) {
  wire::PeerRecord record;
  record.node_id = node_id(number);
  record.address = "192.0.2.1:" + std::to_string(1 + number % 65535);
  record.name = "peer " + std::to_string(number);
  record.skills = {"summarise", "translate"};
  record.last_seen = last_seen;
  return record;
}

inline base::Bytes bytes(std::string_view text) {
  return {text.begin(), text.end()};
}
inline std::string text(const base::Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace atlas::store
