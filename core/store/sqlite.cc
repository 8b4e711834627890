#include "store/sqlite.h"

#include <sqlite3.h>

#include "base/limits.h"

namespace atlas::store {
namespace {

constexpr int kBusyMs = 5'000;                                // how long a write waits for another program's
constexpr int kMaxCell = base::limits::store_cell_bytes;      // one text, blob or row
constexpr int kMaxSql = base::limits::store_statement_bytes;  // one statement
constexpr int kMaxColumns = base::limits::store_columns;
constexpr int kMaxExpressionDepth = base::limits::store_expression_depth;

int primary(int code) {
  return code & 0xff;
}

}  // namespace

bool Status::damaged() const {
  return primary(code) == SQLITE_CORRUPT || primary(code) == SQLITE_NOTADB;
}
bool Status::full() const {
  return primary(code) == SQLITE_FULL;
}

bool Status::only_this_statement() const {
  switch (primary(code)) {
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return true;
    default:
      return false;
  }
}

base::Fault Status::fault() const {
  if (full()) return base::Fault::kFull;
  return only_this_statement() ? base::Fault::kArgument : base::Fault::kInternal;
}

std::string Status::text() const {
  return sqlite3_errstr(code);
}

void Connection::CloseDb::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}
void Connection::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Status Connection::open(const std::filesystem::path& file, Use use, Connection& out) {
  out.close();
  sqlite3* db = nullptr;
  // A reader opens for writing as well: it may have to take part in WAL recovery; query_only keeps it from the tables.
  const int code =
      sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  out.db_.reset(db);
  if (code != SQLITE_OK) return {code};
  return out.defend(use);
}

Status Connection::open_scratch(Connection& out) {
  out.close();
  sqlite3* db = nullptr;
  const int code =
      sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  out.db_.reset(db);
  return {code};
}

Status Connection::defend(Use use) {
  sqlite3* db = db_.get();
  sqlite3_busy_timeout(db, kBusyMs);
  const struct {
    int option, value;
  } options[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
      {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
      {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
      {SQLITE_DBCONFIG_DQS_DML, 0},
      {SQLITE_DBCONFIG_DQS_DDL, 0},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
  };
  for (const auto& [option, value] : options) {
    if (const int code = sqlite3_db_config(db, option, value, nullptr); code != SQLITE_OK) return {code};
  }
  sqlite3_limit(db, SQLITE_LIMIT_LENGTH, kMaxCell);
  sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, kMaxSql);
  sqlite3_limit(db, SQLITE_LIMIT_COLUMN, kMaxColumns);
  sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, kMaxExpressionDepth);
  sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
  const char* pragmas =
      use == Use::kWriter
          ? "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
            "PRAGMA cache_size=-4096; PRAGMA journal_size_limit=4194304; PRAGMA wal_autocheckpoint=1000;"
          : "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY;"
            "PRAGMA cache_size=-1024; PRAGMA query_only=ON;";
  return exec(pragmas);
}

Status Connection::exec(const char* sql) {
  return {sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr)};
}

Status Connection::integer(const char* sql, std::int64_t& out) {
  Query query(*this, sql);
  out = query.next() ? query.integer(0) : 0;
  return query.status();
}

std::int64_t Connection::changes() const {
  return sqlite3_changes64(db_.get());
}
bool Connection::in_transaction() const {
  return db_ && sqlite3_get_autocommit(db_.get()) == 0;
}

Status Connection::checkpoint() {
  sqlite3_busy_timeout(db_.get(), 0);
  const int code = sqlite3_wal_checkpoint_v2(db_.get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(db_.get(), kBusyMs);
  return {code};
}

void Connection::close() {
  prepared_.clear();
  db_.reset();
}

Query::Query(Connection& connection, const char* sql) : db_(connection.db_.get()) {
  auto& kept = connection.prepared_[sql];
  if (!kept) {
    sqlite3_stmt* made = nullptr;
    note(sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, nullptr));
    kept.reset(made);
  }
  statement_ = kept.get();
  if (!statement_ && status_.ok()) status_ = {SQLITE_MISUSE};
}

Query::~Query() {
  if (!statement_) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Query::note(int code) {
  if (code != SQLITE_OK && status_.ok()) status_ = {code};
}

Query& Query::bind(int index, std::int64_t value) {
  if (statement_) note(sqlite3_bind_int64(statement_, index, value));
  return *this;
}

Query& Query::bind(int index, std::string_view text) {
  const char* data = text.data() ? text.data() : "";
  if (statement_) note(sqlite3_bind_text64(statement_, index, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Query& Query::bind(int index, base::ByteView blob) {
  if (!statement_) return *this;
  // A null pointer would bind NULL.
  note(blob.empty() ? sqlite3_bind_zeroblob(statement_, index, 0)
                    : sqlite3_bind_blob64(statement_, index, blob.data(), blob.size(), SQLITE_STATIC));
  return *this;
}

Query& Query::bind(int index, const std::optional<std::string>& text) {
  if (text) return bind(index, std::string_view(*text));
  if (statement_) note(sqlite3_bind_null(statement_, index));
  return *this;
}

bool Query::next() {
  if (!status_.ok()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) status_ = {sqlite3_extended_errcode(db_)};
  return false;
}

Status Query::run() {
  while (next()) {
  }
  return status_;
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}
std::int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Query::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return data ? std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
              : std::string_view();
}

base::ByteView Query::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  return data ? base::ByteView(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)))
              : base::ByteView();
}

}  // namespace atlas::store
