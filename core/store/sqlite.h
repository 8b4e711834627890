// SQLite, wrapped thinly: a connection that closes itself, prepared statements kept by it, results as values.
// Private to core/store. A connection and its queries are one thread's at a time; the owner sees to it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace atlas::store {

// A result code of SQLite and what follows from it.
struct Status {
  int code = 0;  // extended result code; 0 is success
  bool ok() const { return code == 0; }
  bool damaged() const;              // the file is corrupt or no database
  bool full() const;                 // disk or page limit
  bool only_this_statement() const;  // the transaction may go on without it
  base::Fault fault() const;
  std::string text() const;
};

class Connection {
 public:
  enum class Use { kWriter, kReader };
  // Opens an existing file with every defence on: no trusted schema, no triggers, no views, no extensions, cell sizes
  // checked, no mmap. A reader cannot write.
  static Status open(const std::filesystem::path& file, Use use, Connection& out);
  // An empty database in memory: what the migrations make, for comparison.
  static Status open_scratch(Connection& out);

  Connection() = default;
  explicit operator bool() const { return db_ != nullptr; }
  // One or more statements without results.
  Status exec(const char* sql);
  // The first column of the first row, 0 without one.
  Status integer(const char* sql, std::int64_t& out);
  std::int64_t changes() const;  // rows of the last INSERT, UPDATE or DELETE
  bool in_transaction() const;
  // Moves the log into the file and empties it; does not wait for readers.
  Status checkpoint();
  void close();

 private:
  friend class Query;
  struct CloseDb {
    void operator()(sqlite3* db) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  Status defend(Use use);

  std::unique_ptr<sqlite3, CloseDb> db_;
  // By the address of the SQL text: every text is one constant.
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> prepared_;
};

// One run of a prepared statement. Bound texts and blobs are borrowed until it goes. Not two at once of the same text.
class Query {
 public:
  Query(Connection& connection, const char* sql);  // sql lives as long as the connection
  ~Query();
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  Query& bind(int index, std::int64_t value);
  Query& bind(int index, std::string_view text);
  Query& bind(int index, base::ByteView blob);
  Query& bind(int index, const std::optional<std::string>& text);  // null without one

  bool next();   // true: a row; false: the end or a fault, see status()
  Status run();  // to the end
  Status status() const { return status_; }

  // Columns of the row, counted from 0. Views are valid until the next call of next().
  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;
  base::ByteView blob(int column) const;

 private:
  void note(int code);
  sqlite3* db_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  Status status_;
};

}  // namespace atlas::store
