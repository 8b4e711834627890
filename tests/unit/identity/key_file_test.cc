// The key file: what may stand in it, who may be able to read it, and how it is written.
#include "identity/key_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "identity/node_key.h"

namespace atlas::identity {
namespace {

namespace fs = std::filesystem;
using base::Fault;

// Seed of RFC 8032, 7.1, test 1, in the form that `openssl genpkey -algorithm ed25519` writes.
constexpr const char* kPem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kNodeId = "atlas_21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9";

// RFC 8410, 10.3: the same key in version 1, and in version 2 with an attribute and the public half.
constexpr const char* kRfc8410Version1 =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
constexpr const char* kRfc8410Version2 =
    "-----BEGIN PRIVATE KEY-----\n"
    "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
    "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PRIVATE KEY-----\n";

class KeyFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "atlas-key-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& contents, mode_t mode = 0600) {
    const fs::path file = folder_ / "node-key.pem";
    std::ofstream(file, std::ios::binary) << contents;
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    return file;
  }
  static std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void expect_refused(const fs::path& file, Fault fault, std::string_view part) {
    const auto key = NodeKey::load(file);
    ASSERT_FALSE(key) << file;
    EXPECT_EQ(key.error().fault, fault) << key.error().text;
    EXPECT_NE(key.error().text.find(part), std::string::npos) << key.error().text;
    EXPECT_NE(key.error().text.find(file.string()), std::string::npos) << key.error().text;
  }
  void expect_contents_refused(const std::string& contents, std::string_view part) {
    SCOPED_TRACE(contents);
    expect_refused(write(contents), Fault::kArgument, part);
  }

  fs::path folder_;
};

TEST_F(KeyFileTest, LoadsWhatOpensslWrites) {
  const auto key = NodeKey::load(write(kPem));
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->node_id(), kNodeId);
  EXPECT_EQ(key->pem(), kPem);
}

TEST_F(KeyFileTest, LoadsBothVersionsOfRfc8410) {
  const auto first = NodeKey::load(write(kRfc8410Version1));
  ASSERT_TRUE(first) << first.error().text;
  EXPECT_EQ(base::to_hex(first->public_key()), "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
  const auto second = NodeKey::load(write(kRfc8410Version2));
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_EQ(second->node_id(), first->node_id());
  EXPECT_EQ(second->pem(), kRfc8410Version1);
}

TEST_F(KeyFileTest, BlanksAndCarriageReturnsAroundThePemAreFine) {
  std::string text = std::string("\r\n") + kPem + "\n\n";
  for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) text.insert(at, "\r");
  const auto key = NodeKey::load(write(text));
  ASSERT_TRUE(key) << key.error().text;
  EXPECT_EQ(key->node_id(), kNodeId);
}

TEST_F(KeyFileTest, SaveAndLoadGiveTheSameKey) {
  base::SeededRandom random(2);
  const NodeKey key = NodeKey::generate(random);
  const fs::path file = folder_ / "fresh.pem";
  const auto saved = key.save(file);
  ASSERT_TRUE(saved) << saved.error().text;
  struct stat info {};
  ASSERT_EQ(::lstat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const auto back = NodeKey::load(file);
  ASSERT_TRUE(back) << back.error().text;
  EXPECT_EQ(back->node_id(), key.node_id());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "no temporary file is left";
}

TEST_F(KeyFileTest, SaveNeverOverwrites) {
  const fs::path file = write(kPem);
  base::SeededRandom random(2);
  const auto saved = NodeKey::generate(random).save(file);
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().fault, Fault::kConflict);
  EXPECT_EQ(read(file), kPem);

  const fs::path link = folder_ / "dangling.pem";
  fs::create_symlink(folder_ / "nowhere", link);
  const auto through_link = NodeKey::generate(random).save(link);
  ASSERT_FALSE(through_link);
  EXPECT_EQ(through_link.error().fault, Fault::kConflict);
  EXPECT_FALSE(fs::exists(folder_ / "nowhere"));
}

TEST_F(KeyFileTest, SaveIntoAMissingFolderSaysSo) {
  base::SeededRandom random(2);
  const fs::path file = folder_ / "missing" / "node-key.pem";
  const auto saved = NodeKey::generate(random).save(file);
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().text.find(file.string()), std::string::npos) << saved.error().text;
}

// Every mode: only the owner's bits may be set.
TEST_F(KeyFileTest, AnyBitForGroupOrOthersIsRefused) {
  for (mode_t others = 0; others <= 077; ++others) {
    const fs::path file = write(kPem, 0600 | others);
    if (others == 0) {
      EXPECT_TRUE(NodeKey::load(file));
    } else {
      expect_refused(file, Fault::kDenied, "chmod 600 " + file.string());
    }
  }
  EXPECT_TRUE(NodeKey::load(write(kPem, 0400)));
  EXPECT_TRUE(NodeKey::load(write(kPem, 0700)));
}

// Whoever may write in the folder may put a key of their own there.
TEST_F(KeyFileTest, FolderThatOthersCanWriteIsRefused) {
  const fs::path file = write(kPem);
  for (const mode_t mode : {0770, 0707, 0777}) {
    ASSERT_EQ(::chmod(folder_.c_str(), mode), 0);
    const auto key = NodeKey::load(file);
    ASSERT_FALSE(key) << mode;
    EXPECT_EQ(key.error().fault, Fault::kState);
    EXPECT_NE(key.error().text.find("run: chmod go-w " + folder_.string()), std::string::npos) << key.error().text;
    EXPECT_FALSE(write_private_file(folder_ / "new.pem", base::as_bytes("x")));
    EXPECT_FALSE(fs::exists(folder_ / "new.pem"));
  }
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  EXPECT_TRUE(NodeKey::load(file));
}

TEST_F(KeyFileTest, MissingFileNamesTheCommandThatMakesOne) {
  expect_refused(folder_ / "none.pem", Fault::kGone, "atlas id init");
}

TEST_F(KeyFileTest, SymbolicLinkIsRefusedEvenToAGoodKey) {
  const fs::path link = folder_ / "link.pem";
  fs::create_symlink(write(kPem), link);
  expect_refused(link, Fault::kDenied, "symbolic link");
}

TEST_F(KeyFileTest, FoldersAndPipesAreRefusedWithoutHanging) {
  const fs::path folder = folder_ / "folder";
  fs::create_directory(folder);
  expect_refused(folder, Fault::kDenied, "not a regular file");
  const fs::path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_refused(pipe, Fault::kDenied, "not a regular file");
}

TEST_F(KeyFileTest, AnotherOwnerIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  const fs::path file = write(kPem);
  ASSERT_EQ(::chown(file.c_str(), 12345, static_cast<gid_t>(-1)), 0);
  expect_refused(file, Fault::kDenied, "belongs to user 12345");
}

TEST_F(KeyFileTest, SizeEndsAtItsLimit) {
  std::string text = kPem;
  text.resize(kMaxKeyFile, '\n');
  EXPECT_TRUE(NodeKey::load(write(text)));
  expect_refused(write(text + "\n"), Fault::kArgument, "too many");
}

TEST_F(KeyFileTest, OtherKindsOfFileAreNamed) {
  expect_contents_refused("", "no PEM private key");
  expect_contents_refused("hello", "no PEM private key");
  expect_contents_refused("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "OpenSSH");
  expect_contents_refused("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n", "encrypted");
  expect_contents_refused("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n", "RSA");
  expect_contents_refused("-----BEGIN EC PRIVATE KEY-----\nAAAA\n", "elliptic-curve");
  expect_contents_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n", "public key");
  expect_contents_refused("-----BEGIN CERTIFICATE-----\nAAAA\n", "certificate");
}

// Wraps DER in PEM.
std::string pem_of(std::string_view hex) {
  const auto der = *base::from_hex(hex);
  std::string text(sodium_base64_encoded_len(der.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(text.data(), text.size(), der.data(), der.size(), sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();
  return "-----BEGIN PRIVATE KEY-----\n" + text + "\n-----END PRIVATE KEY-----\n";
}

constexpr const char* kSeed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

TEST_F(KeyFileTest, KeysOfAnotherKindAreNamed) {
  // The same shape with X25519 (1.3.101.110) and Ed448 (1.3.101.113).
  for (const char* algorithm : {"6e", "71"}) {
    expect_contents_refused(pem_of(std::string("302e020100300506032b65") + algorithm + "04220420" + kSeed),
                            "another kind");
  }
}

TEST_F(KeyFileTest, DamagedDerIsRefused) {
  const std::string seed = kSeed;
  for (const std::string& der : {
           std::string(),                                     // nothing
           "302e020100300506032b657004220420" + seed + "00",  // a byte after the sequence
           "302e020102300506032b657004220420" + seed,         // version 3
           "3081"
           "2e020100300506032b657004220420" +
               seed,                                             // length not in its shortest form
           "3080020100300506032b657004220420" + seed + "0000",   // indefinite length
           "302e020100300506032b657004220421" + seed,            // inner length too long
           "302d020100300506032b65700421041f" + seed.substr(2),  // 31 bytes
           "302f020100300506032b657004230421" + seed + "00",     // 33 bytes
           "3030020100300706032b6570050004220420" + seed,        // parameters, which RFC 8410 forbids
           "302c300506032b657004220420" + seed.substr(4),        // no version
       }) {
    expect_contents_refused(pem_of(der), "not PKCS#8");
  }
}

TEST_F(KeyFileTest, APublicHalfOfAnotherKeyIsRefused) {
  const std::string good_half = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
  const std::string head = "3051020101300506032b657004220420" + std::string(kSeed) + "812100";
  EXPECT_TRUE(NodeKey::load(write(pem_of(head + good_half))));
  expect_contents_refused(pem_of(head + std::string(kSeed)), "public half");
  // Version 1 knows no public half.
  expect_contents_refused(pem_of("3051020100" + head.substr(10) + good_half), "follows");
}

TEST_F(KeyFileTest, DamagedPemIsRefused) {
  const std::string good = kPem;
  expect_contents_refused(good + "x", "follows");
  expect_contents_refused(good + good, "follows");
  expect_contents_refused(good.substr(0, good.size() - 10), "END PRIVATE KEY");
  std::string damaged = good;
  damaged[40] = '*';
  expect_contents_refused(damaged, "base64");
  expect_contents_refused(std::string(good).insert(40, 1, '\0'), "base64");
}

TEST_F(KeyFileTest, NoErrorTextShowsTheKey) {
  std::string damaged = kPem;
  damaged.insert(40, "*");
  const auto key = NodeKey::load(write(damaged));
  ASSERT_FALSE(key);
  EXPECT_EQ(key.error().text.find("MC4CAQ"), std::string::npos);
}

TEST(LockedBytes, MovesWithoutLosingItsContents) {
  LockedBytes first(4);
  first.bytes()[0] = 9;
  LockedBytes second(std::move(first));
  EXPECT_EQ(second.view()[0], 9);
  EXPECT_EQ(second.size(), 4u);
  LockedBytes third(1);
  third = std::move(second);
  EXPECT_EQ(third.view()[0], 9);
}

}  // namespace
}  // namespace atlas::identity
