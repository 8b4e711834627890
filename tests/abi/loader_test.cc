// What the loader refuses, with the sentence that it says, and what it takes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "host/file_pin.h"
#include "host/loader.h"
#include "unit/host/host_fixture.h"

namespace atlas::host::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A directory of its own, gone afterwards.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = fs::temp_directory_path() / "atlas-abi-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = fs::canonical(name);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  // A copy, so that tests may change it.
  fs::path copy(const std::string& from, const std::string& to) const {
    fs::copy_file(fs::path(ABI_PLUGIN_DIR) / from, path_ / to);
    chmod((path_ / to).c_str(), 0644);
    return path_ / to;
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

class LoaderTest : public HostTest {
 protected:
  std::vector<std::string> load_files(const std::vector<std::string>& ids, std::vector<fs::path> search = {}) {
    HostSetup with = setup();
    with.search = search.empty() ? std::vector<fs::path>{directory.path()} : std::move(search);
    host = std::make_unique<host::Host>(std::move(with));
    std::vector<std::string> out;
    for (const auto& problem : host->load(ids)) out.push_back(problem.to_string());
    return out;
  }
  // What is said about one plugin that is no good.
  std::string refusal(const std::string& id) {
    directory.copy(id + ".so", id + ".so");
    const auto problems = load_files({id});
    EXPECT_EQ(problems.size(), 1u);
    EXPECT_EQ(row(id).state, "refused");
    return problems.empty() ? "" : problems[0];
  }
  std::string in_directory(const std::string& name) { return (directory.path() / name).string(); }

  TemporaryDirectory directory;
};

TEST_F(LoaderTest, TakesAGoodPluginFromTheFirstDirectoryThatHasIt) {
  const TemporaryDirectory second;
  second.copy("plain.so", "plain.so");
  EXPECT_THAT(load_files({"plain"}, {directory.path(), second.path()}), IsEmpty());
  EXPECT_EQ(row("plain").file, second.path() / "plain.so");
  EXPECT_EQ(row("plain").state, "ready");
  directory.copy("plain.so", "plain.so");
  EXPECT_THAT(load_files({"plain"}, {directory.path(), second.path()}), IsEmpty());
  EXPECT_EQ(row("plain").file, directory.path() / "plain.so");
}

TEST_F(LoaderTest, OtherMajorsAreExplained) {
  EXPECT_EQ(refusal("major2"),
            in_directory("major2.so") + ": built for plugin ABI 2, this atlas has 1.0; update atlas");
  EXPECT_EQ(refusal("major0"),
            in_directory("major0.so") + ": built for plugin ABI 0, this atlas has 1.0; rebuild the plugin");
  EXPECT_EQ(refusal("liar"),
            in_directory("liar.so") + ": built for plugin ABI 3, this atlas has 1.0; rebuild the plugin");
}

TEST_F(LoaderTest, NewerMinorIsRefusedWithBothNumbers) {
  EXPECT_EQ(refusal("minor9"), in_directory("minor9.so") +
                                   ": needs plugin ABI 1.9, this atlas has 1.0; update atlas, or rebuild the plugin "
                                   "with abi_minor_min = 0");
}

TEST_F(LoaderTest, MissingExtensionsAreNamed) {
  EXPECT_EQ(refusal("needs_revision"), in_directory("needs_revision.so") +
                                           ": needs atlas.messages/2, this atlas has atlas.messages/1; install the "
                                           "atlas or the plugin that fits the other");
  EXPECT_EQ(refusal("needs_unknown"), in_directory("needs_unknown.so") +
                                          ": needs atlas.telepathy/1, which this atlas (plugin ABI 1.0) does not have; "
                                          "update atlas");
}

TEST_F(LoaderTest, NeedsAreBounded) {
  directory.copy("needs64.so", "needs64.so");
  EXPECT_THAT(load_files({"needs64"}), IsEmpty());
  EXPECT_EQ(refusal("needs65"), in_directory("needs65.so") + ": it needs more than 64 extensions");
}

TEST_F(LoaderTest, BrokenDescriptorsAreRefused) {
  EXPECT_EQ(refusal("nosymbol"), in_directory("nosymbol.so") + ": is no plugin: it does not export atlas_plugin_v1");
  EXPECT_THAT(refusal("badid"), HasSubstr("its id \"../badid\" is not 1 to 64 characters"));
  EXPECT_THAT(refusal("noid"), HasSubstr("its id \"\" is not 1 to 64 characters"));
  EXPECT_THAT(refusal("tiny"), HasSubstr("atlas_plugin_v1 says that it has 16 bytes, expected 80..80"));
  EXPECT_THAT(refusal("huge"), HasSubstr("atlas_plugin_v1 says that it has 65536 bytes, expected 80..80"));
  EXPECT_THAT(refusal("noinit"), HasSubstr("it has no init function"));
}

TEST_F(LoaderTest, FileNameAndIdMustAgree) {
  EXPECT_EQ(refusal("twin"), in_directory("twin.so") + ": its id is plain; call the file plain.so");
}

TEST_F(LoaderTest, NamesThatAreNoIdsAreNeverLookedFor) {
  for (const char* bad : {"", "../plain", "a/b", "Plain", "plain.so ", "pl\nain"}) {
    const auto problems = load_files({bad});
    ASSERT_EQ(problems.size(), 1u) << bad;
    EXPECT_THAT(problems[0], HasSubstr("is no plugin id"));
  }
  EXPECT_THAT(load_files({std::string(65, 'a')})[0], HasSubstr("is no plugin id"));
}

TEST_F(LoaderTest, MissingFileNamesTheDirectories) {
  EXPECT_THAT(load_files({"relay"}), ElementsAre("plugin relay: no relay.so in " + directory.path().string()));
  EXPECT_THAT(load_files({"relay"}, {"plugins"}), ElementsAre("plugins.search: \"plugins\" is not an absolute path"));
}

TEST_F(LoaderTest, FilesThatOthersCanWriteAreRefused) {
  const fs::path file = directory.copy("plain.so", "plain.so");
  for (const mode_t mode : {0664, 0646, 0666}) {
    ASSERT_EQ(chmod(file.c_str(), mode), 0);
    const auto problems = load_files({"plain"});
    ASSERT_EQ(problems.size(), 1u);
    EXPECT_THAT(problems[0], HasSubstr("can be written by others"));
  }
  ASSERT_EQ(chmod(file.c_str(), 0644), 0);
  ASSERT_EQ(chmod(directory.path().c_str(), 0777), 0);
  EXPECT_THAT(load_files({"plain"}), ElementsAre(HasSubstr("its directory can be written by others")));
  ASSERT_EQ(chmod(directory.path().c_str(), 0700), 0);
  EXPECT_THAT(load_files({"plain"}), IsEmpty());
}

TEST_F(LoaderTest, OnlyRegularFiles) {
  fs::create_directory(directory.path() / "folder.so");
  EXPECT_THAT(load_files({"folder"}), ElementsAre(HasSubstr("is not a regular file")));
  ASSERT_EQ(mkfifo((directory.path() / "pipe.so").c_str(), 0600), 0);
  EXPECT_THAT(load_files({"pipe"}), ElementsAre(HasSubstr("is not a regular file")));
}

TEST_F(LoaderTest, GarbageAndTruncatedFilesAreRefused) {
  std::ofstream(directory.path() / "text.so") << "this is no library";
  EXPECT_EQ(load_files({"text"}).size(), 1u);
  std::ofstream(directory.path() / "empty.so").flush();
  EXPECT_EQ(load_files({"empty"}).size(), 1u);
  const fs::path cut = directory.copy("plain.so", "cut.so");
  fs::resize_file(cut, 512);
  EXPECT_EQ(load_files({"cut"}).size(), 1u);
}

TEST_F(LoaderTest, APinnedFileIsLoadedOnlyAsItWas) {
  const fs::path file = directory.copy("plain.so", "plain.so");
  const auto pinned = pin_of(file);
  ASSERT_TRUE(pinned.has_value());
  EXPECT_TRUE(is_pin(*pinned));
  config.plugin_tables["plain"]["sha256"] = {*pinned, 5, 10};
  EXPECT_THAT(load_files({"plain"}), IsEmpty());
  {
    std::ofstream changed(file, std::ios::binary | std::ios::app);
    changed << 'x';  // the loader of the system does not look there
  }
  const auto refused = load_files({"plain"});
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_THAT(refused[0], HasSubstr("plain.so: its SHA-256 is " + *pin_of(file) + ", but plugins.plain.sha256 wants " +
                                    *pinned + "; put the file back, or change the key if you trust the new one"));
  EXPECT_EQ(row("plain").state, "refused");
  config.plugin_tables["plain"]["sha256"] = {std::string("none"), 5, 10};
  EXPECT_THAT(load_files({"plain"}), ElementsAre(HasSubstr("64 digits of 0-9 and a-f")));
}

TEST_F(LoaderTest, PinsAreWhatSha256sumPrints) {
  const fs::path file = directory.path() / "abc";
  std::ofstream(file) << "abc";
  // FIPS 180-4's own example.
  EXPECT_EQ(pin_of(file).value_or(""), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_FALSE(pin_of(directory.path() / "none").has_value());
  EXPECT_FALSE(pin_of(directory.path()).has_value()) << "a directory";
}

TEST_F(LoaderTest, SameFileUnderTwoNamesIsAnError) {
  directory.copy("plain.so", "plain.so");
  fs::create_symlink(directory.path() / "plain.so", directory.path() / "other.so");
  fs::create_hard_link(directory.path() / "plain.so", directory.path() / "third.so");
  const auto problems = load_files({"plain", "other", "third", "plain"});
  ASSERT_EQ(problems.size(), 3u);
  for (const auto& problem : problems) EXPECT_THAT(problem, HasSubstr("the same file as plugin plain"));
}

TEST_F(LoaderTest, SameIdLinkedAndAsAFileIsTheLinkedOne) {
  directory.copy("plain.so", "plain.so");
  HostSetup with = setup();
  with.search = {directory.path()};
  host = std::make_unique<host::Host>(std::move(with));
  script.id = "plain";
  descriptors[0] = Scripted<0>::descriptor(script);
  host->add_linked(&descriptors[0]);
  EXPECT_THAT(host->load({"plain"}), IsEmpty());
  EXPECT_EQ(host->plugins().size(), 1u);
  EXPECT_EQ(row("plain").file, "linked");
}

TEST_F(LoaderTest, AllThatIsWrongIsSaidAtOnce) {
  for (const char* name : {"echo", "rival", "usurper", "minor9", "keys"}) {
    directory.copy(std::string(name) + ".so", std::string(name) + ".so");
  }
  config.file = "config.toml";
  config.plugin_tables["keys"]["max_sessions"] = {std::int64_t{0}, 41, 9};
  config.plugin_tables["keys"]["nam"] = {std::string("x"), 42, 1};
  EXPECT_THAT(load_files({"echo", "rival", "usurper", "minor9", "keys", "absent"}),
              ElementsAre(HasSubstr("minor9.so: needs plugin ABI 1.9"), HasSubstr("plugin absent: no absent.so"),
                          "message type 0x90 is claimed by echo (" + in_directory("echo.so") + ") and by rival (" +
                              in_directory("rival.so") + "); enable one of them",
                          HasSubstr("usurper.so) claims message type 0x20, which is reserved for bootstrap"),
                          "config.toml:41:9: plugins.keys.max_sessions = 0, expected 1..100000",
                          "config.toml:42:1: plugins.keys.nam: unknown key; did you mean plugins.keys.name?"));
}

}  // namespace
}  // namespace atlas::host::test
