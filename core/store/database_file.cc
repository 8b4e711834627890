#include "store/database_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/file_trust.h"
#include "base/log.h"
#include "store/schema.h"

namespace atlas::store {
namespace {

namespace fs = std::filesystem;
using base::Fault;
using base::Level;

constexpr mode_t kOwnerOnly = 0600;
constexpr const char* kSidecars[] = {"", "-wal", "-shm"};  // of one database, by SQLite's names

std::string system_text(int error) {
  return std::strerror(error);
}

base::Result<void> check_folder(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
  return base::fail(Fault::kDenied,
                    fmt::format("peer database: cannot write in {}: {}; the node keeps its database there, so make the "
                                "folder writable for this user or choose another --root",
                                folder.string(), system_text(errno)));
}

// Makes the file when there is none; refuses whatever is not a plain file that this user, and nobody else, may write.
base::Result<void> check_or_create(const fs::path& file) {
  if (auto folder = check_folder(file); !folder) return folder;
  const int made = ::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kOwnerOnly);
  if (made >= 0) {
    ::close(made);
    return {};
  }
  if (errno != EEXIST) {
    return base::fail(Fault::kDenied,
                      fmt::format("peer database: cannot create {}: {}", file.string(), system_text(errno)));
  }
  struct stat found {};
  if (lstat(file.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) {
    return base::fail(Fault::kDenied,
                      fmt::format("peer database: {} is not a regular file; move it away", file.string()));
  }
  if (faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    return base::fail(Fault::kDenied, fmt::format("peer database: cannot write {}: {}; make it writable for this user",
                                                  file.string(), system_text(errno)));
  }
  // It may be another's, or have its mode for a reason: what was not made here is never changed.
  if (const std::string why = base::writable_by_others(found, file); !why.empty()) {
    return base::fail(
        Fault::kDenied,
        fmt::format("peer database: {} {}, or move it away if somebody may have changed it", file.string(), why));
  }
  if ((found.st_mode & 077) != 0) {
    base::log(Level::kWarn, "store", "{0} can be read by others (mode {1:04o}); run: chmod 600 {0}", file.string(),
              static_cast<unsigned>(found.st_mode & 07777));
  }
  return {};
}

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  ::close(fd);
}

// Damaged copies of this database, oldest first, without their sidecars.
std::vector<fs::path> damaged_copies(const fs::path& file) {
  std::vector<fs::path> copies;
  std::error_code error;
  const std::string prefix = file.filename().string() + ".damaged-";
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(prefix) && !name.ends_with("-wal") && !name.ends_with("-shm")) copies.push_back(at->path());
  }
  std::ranges::sort(copies, [](const fs::path& a, const fs::path& b) {
    const std::string x = a.string(), y = b.string();
    return x.size() != y.size() ? x.size() < y.size() : x < y;  // by number, not by letter
  });
  return copies;
}

fs::path with_suffix(const fs::path& file, std::string_view suffix) {
  return fs::path(file.string() + std::string(suffix));
}

base::Result<void> move_aside(const fs::path& file, std::string_view why, std::int64_t unix_now) {
  fs::path target;
  std::error_code error;
  for (std::int64_t stamp = unix_now;; ++stamp) {
    target = with_suffix(file, fmt::format(".damaged-{}", stamp));
    if (!fs::exists(fs::symlink_status(target, error))) break;
  }
  // The log goes first: were the file gone and its log left, the log would be taken for the new file's.
  for (const char* sidecar : {"-wal", "-shm", ""}) {
    const fs::path from = with_suffix(file, sidecar);
    if (!fs::exists(from, error)) continue;
    fs::rename(from, with_suffix(target, sidecar), error);
    if (error) {
      return base::fail(Fault::kInternal, fmt::format("peer database: {} is damaged ({}) and cannot be moved to {}: {}",
                                                      file.string(), why, target.string(), error.message()));
    }
  }
  base::log(Level::kError, "store",
            "{} IS DAMAGED ({}); it is now {} and a new one is made. Peers, bans and plugin rows start empty",
            file.string(), why, target.string());
  auto copies = damaged_copies(file);
  for (std::size_t i = 0; i + kKeptDamaged < copies.size(); ++i) {
    for (const char* sidecar : kSidecars) fs::remove(with_suffix(copies[i], sidecar), error);
    base::log(Level::kWarn, "store", "removed the old damaged copy {}", copies[i].string());
  }
  sync_folder(file.parent_path());
  return {};
}

// How one attempt to open ended. `damage` is set when moving the file aside may help.
struct Attempt {
  Connection connection;
  std::string damage;
  base::Result<void> result;
};

base::Result<void> failed(const fs::path& file, const Status& status) {
  return base::fail(status.fault(), fmt::format("peer database: cannot use {}: {}", file.string(), status.text()));
}

base::Result<void> check_owner(const fs::path& file, Owner owner, std::int64_t version) {
  switch (owner) {
    case Owner::kEmpty:
    case Owner::kOurs:
      return {};
    case Owner::kOurNewer:
      return base::fail(Fault::kConflict,
                        fmt::format("peer database: {} was written by a newer Atlas (schema {}, this one knows {}); "
                                    "use that version or move the file away",
                                    file.string(), version, migrations().size()));
    case Owner::kForeign:
      return base::fail(Fault::kConflict,
                        fmt::format("peer database: {} is a database of another program; it is left as it is, move it "
                                    "away or choose another --root",
                                    file.string()));
  }
  return {};
}

// The steps that read what may be hostile or damaged; a status that is not ok ends them.
Status examine(Connection& connection, const fs::path& file, std::uint64_t max_file_bytes, Attempt& attempt) {
  Owner owner = Owner::kForeign;
  std::int64_t version = 0;
  Status status = owner_of(connection, owner, version);
  if (!status.ok()) return status;
  attempt.result = check_owner(file, owner, version);
  if (!attempt.result) return {};
  {
    Query check(connection, "PRAGMA quick_check(1)");
    if (check.next() && check.text(0) != "ok") {
      attempt.damage = base::escaped(check.text(0), 200);
      return {};
    }
    if (!check.status().ok()) return check.status();
  }
  {
    Query journal(connection, "PRAGMA journal_mode=WAL");
    if (!journal.next() || journal.text(0) != "wal") {
      attempt.result = base::fail(Fault::kInternal,
                                  fmt::format("peer database: {} cannot use a write-ahead log; is it on a network file "
                                              "system?",
                                              file.string()));
      return journal.status();
    }
  }
  std::int64_t page_size = 0;
  status = connection.integer("PRAGMA page_size", page_size);
  if (status.ok() && page_size > 0) {
    const std::uint64_t pages =
        std::clamp<std::uint64_t>(max_file_bytes / static_cast<std::uint64_t>(page_size), 16, 0xfffffffe);
    status = connection.exec(fmt::format("PRAGMA max_page_count={}", pages).c_str());
  }
  if (status.ok()) status = migrate(connection);
  std::string difference;
  if (status.ok()) status = compare_schema(connection, difference);
  if (status.ok() && !difference.empty()) {
    attempt.result =
        base::fail(Fault::kConflict, fmt::format("peer database: the tables of {} were changed: {}; move the file away",
                                                 file.string(), base::escaped(difference, 200)));
  }
  return status;
}

Attempt attempt_open(const fs::path& file, std::uint64_t max_file_bytes) {
  Attempt attempt;
  attempt.result = check_or_create(file);
  if (!attempt.result) return attempt;
  Status status = Connection::open(file, Connection::Use::kWriter, attempt.connection);
  if (status.ok()) status = examine(attempt.connection, file, max_file_bytes, attempt);
  if (status.damaged()) {
    attempt.damage = status.text();
  } else if (!status.ok() && attempt.result) {
    attempt.result = failed(file, status);
  }
  if (!attempt.damage.empty() || !attempt.result) attempt.connection.close();
  return attempt;
}

}  // namespace

base::Result<Connection> open_database(const fs::path& file, std::uint64_t max_file_bytes, std::int64_t unix_now) {
  Attempt attempt = attempt_open(file, max_file_bytes);
  if (!attempt.damage.empty()) {
    if (auto moved = move_aside(file, attempt.damage, unix_now); !moved) return std::unexpected(moved.error());
    attempt = attempt_open(file, max_file_bytes);
    if (!attempt.damage.empty()) {
      return base::fail(Fault::kInternal, fmt::format("peer database: a new {} is damaged at once ({}); is the disk "
                                                      "failing?",
                                                      file.string(), attempt.damage));
    }
  }
  if (!attempt.result) return std::unexpected(attempt.result.error());
  return std::move(attempt.connection);
}

}  // namespace atlas::store
