// From a name in the configuration to a checked descriptor: finds the file, opens it and reads its one object. None of
// the plugin's functions is called here. On the thread that loads plugins. A library stays mapped for good.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "host/plugin.h"

namespace atlas::host {

bool is_plugin_id(std::string_view id);

// Whether nobody but root and this user could have put the file there, or can change it. The text says what to do.
base::Result<void> check_plugin_file(const std::filesystem::path& file);

// Checks what a plugin says of itself against this host. `symbol_size` is how large its file says that the object is, 0
// when nobody knows. Errors are one sentence with both sides' numbers and the way out.
base::Result<Descriptor> read_descriptor(const ::atlas_plugin* object, std::size_t symbol_size,
                                         const std::string& file);

class Loader {
 public:
  explicit Loader(std::vector<std::filesystem::path> search) : search_(std::move(search)) {}
  // The first <id>.so of the search path, else a role of this program. The same file under two names is an error.
  // `pin` is what pin_of(file) has to be, empty for whatever it is.
  base::Result<Descriptor> load(const std::string& id, const std::string& pin = {});

 private:
  base::Result<std::filesystem::path> find(const std::string& id) const;
  base::Result<void> check_file(const std::filesystem::path& file, const std::string& id, const std::string& pin);

  const std::vector<std::filesystem::path> search_;
  std::map<std::pair<dev_t, ino_t>, std::string> loaded_;  // inode -> id
};

}  // namespace atlas::host
