#include "control/listening_socket.h"

#include <cerrno>
#include <fstream>
#include <vector>

#include "base/limits.h"
#include "unit/control/control_fixture.h"

namespace atlas::control {
namespace {

using ListeningSocketTest = ControlFixture;

TEST_F(ListeningSocketTest, MakesAPrivateSocketInAPrivateDirectory) {
  const auto listening = ListeningSocket::open(socket_);
  ASSERT_TRUE(listening) << listening.error().text;
  EXPECT_EQ(mode_of(socket_.parent_path()), 0700u);
  EXPECT_EQ(mode_of(socket_), 0600u);
}

TEST_F(ListeningSocketTest, TightensADirectoryThatOthersMayLookInto) {
  std::filesystem::create_directory(socket_.parent_path());
  ::chmod(socket_.parent_path().c_str(), 0755);
  const auto listening = ListeningSocket::open(socket_);
  ASSERT_TRUE(listening) << listening.error().text;
  EXPECT_EQ(mode_of(socket_.parent_path()), 0700u);
}

TEST_F(ListeningSocketTest, RefusesADirectoryThatOthersCanWrite) {
  std::filesystem::create_directory(socket_.parent_path());
  for (const mode_t mode : {0770, 0702, 01777}) {
    ::chmod(socket_.parent_path().c_str(), mode);
    const auto listening = ListeningSocket::open(socket_);
    ASSERT_FALSE(listening);
    EXPECT_EQ(listening.error().fault, base::Fault::kDenied);
    EXPECT_NE(listening.error().text.find("chmod 700 " + socket_.parent_path().native()), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(socket_));
  }
}

TEST_F(ListeningSocketTest, RefusesADirectoryOfSomebodyElse) {
  std::filesystem::create_directory(socket_.parent_path());
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a directory away";
  ASSERT_EQ(::chown(socket_.parent_path().c_str(), 65534, 65534), 0);
  const auto listening = ListeningSocket::open(socket_);
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().fault, base::Fault::kDenied);
}

// Nobody accepts here. The system lets one more in than the queue is long.
TEST_F(ListeningSocketTest, WaitingClientsAreBounded) {
  const auto listening = ListeningSocket::open(socket_);
  ASSERT_TRUE(listening) << listening.error().text;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.c_str(), socket_.native().size());
  std::vector<int> waiting;
  int error = 0;
  while (error == 0 && waiting.size() < 1000) {
    waiting.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    error = ::connect(waiting.back(), name, sizeof address) == 0 ? 0 : errno;
  }
  EXPECT_EQ(error, EAGAIN);
  EXPECT_EQ(waiting.size() - 1, base::limits::control_listen_queue + 1);
  for (const int fd : waiting) ::close(fd);
}

TEST_F(ListeningSocketTest, ReplacesAStaleSocket) {
  { RawClient made_by_a_killed_node(socket_); }
  std::filesystem::create_directory(socket_.parent_path());
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.c_str(), socket_.native().size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  ASSERT_TRUE(std::filesystem::exists(socket_));

  start_echo();
  RawClient client(socket_);
  ASSERT_TRUE(client.say("{\"path\":\"a\"}\n"));
  EXPECT_EQ(client.hear_line(), "{\"id\":1,\"result\":\"a\"}");
}

TEST_F(ListeningSocketTest, LeavesALiveSocketAlone) {
  start_echo();
  const auto second = ListeningSocket::open(socket_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, base::Fault::kConflict);
  EXPECT_NE(second.error().text.find(socket_.native()), std::string::npos);
  RawClient client(socket_);
  ASSERT_TRUE(client.say("{\"path\":\"a\"}\n"));
  EXPECT_EQ(client.hear_line(), "{\"id\":1,\"result\":\"a\"}");
}

TEST_F(ListeningSocketTest, DoesNotRemoveWhatIsNoSocket) {
  std::filesystem::create_directory(socket_.parent_path());
  ::chmod(socket_.parent_path().c_str(), 0700);
  std::ofstream(socket_) << "precious";
  const auto listening = ListeningSocket::open(socket_);
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().fault, base::Fault::kConflict);
  EXPECT_EQ(std::filesystem::file_size(socket_), 8u);
}

TEST_F(ListeningSocketTest, SaysHowLongThePathIsAndMayBe) {
  const std::filesystem::path path = base_ / std::string(100, 'd') / "control.sock";
  const auto listening = ListeningSocket::open(path);
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().fault, base::Fault::kArgument);
  const std::string& text = listening.error().text;
  EXPECT_NE(text.find(path.native()), std::string::npos);
  EXPECT_NE(text.find(std::to_string(path.native().size()) + " bytes"), std::string::npos);
  EXPECT_NE(text.find("107"), std::string::npos);
}

TEST_F(ListeningSocketTest, RemovesTheFileOnlyWhileItIsItsOwn) {
  auto listening = std::make_unique<ListeningSocket>(std::move(*ListeningSocket::open(socket_)));
  std::filesystem::remove(socket_);
  std::ofstream(socket_) << "another";
  listening.reset();
  EXPECT_TRUE(std::filesystem::exists(socket_));
}

TEST_F(ListeningSocketTest, NobodyThereIsUnreachable) {
  const auto missing = connect_to(socket_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().fault, base::Fault::kUnreachable);
  EXPECT_NE(missing.error().text.find(socket_.native()), std::string::npos);
}

}  // namespace
}  // namespace atlas::control
