// The node key on disk: PKCS#8 in PEM (RFC 5208, 5958, 7468, 8410), and the rules for the file around it.
// Any thread. Secrets travel in LockedBytes only.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "identity/node_key.h"

namespace atlas::identity {

// What is longer is no key file.
inline constexpr std::size_t kMaxKeyFile = base::limits::identity_key_file_bytes;

// Bytes in pages of their own: kept out of swap and core dumps as far as the system allows, with guard pages around,
// and wiped on destruction. Throws std::bad_alloc when the system has no memory left.
class LockedBytes {
 public:
  explicit LockedBytes(std::size_t size);
  LockedBytes(LockedBytes&& other) noexcept;
  LockedBytes& operator=(LockedBytes&& other) noexcept;
  ~LockedBytes();

  std::uint8_t* data() { return data_; }
  const std::uint8_t* data() const { return data_; }
  std::size_t size() const { return size_; }
  base::ByteView view() const { return {data_, size_}; }
  base::MutableBytes bytes() { return {data_, size_}; }
  // From here on a stray write ends the process in place of changing the key.
  void freeze();

 private:
  std::uint8_t* data_;
  std::size_t size_;
};

inline constexpr std::size_t kSeedSize = 32;

// PEM text of a seed, line feed at the end.
LockedBytes to_pem(base::ByteView seed);
// The seed in a PEM text. Refused, each with a text of its own: no PEM, another label, another kind of key, broken DER,
// a public half that does not belong to the seed. `where` names the file in the text.
base::Result<LockedBytes> from_pem(std::string_view pem, std::string_view where);

// Contents of a file that satisfies the rules of NodeKey::load. kState: others than its owner can write in its
// directory.
base::Result<LockedBytes> read_private_file(const std::filesystem::path& file);
// Mode 0600, complete or not there at all, and never over an existing file (kConflict). kState as above.
base::Result<void> write_private_file(const std::filesystem::path& file, base::ByteView contents);

}  // namespace atlas::identity
