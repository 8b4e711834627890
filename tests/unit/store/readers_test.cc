#include "store/readers.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <future>
#include <memory>

#include "unit/store/support.h"

namespace atlas::store {
namespace {

TEST(ReadersTest, NoMoreAreLentThanThereAre) {
  TempFolder directory;
  Readers readers(directory / "peers.db");
  std::deque<std::unique_ptr<Readers::Lease>> lent;  // a lease does not move
  for (std::size_t i = 0; i < Readers::kMost; ++i) lent.emplace_back(new Readers::Lease(readers.take()));
  auto next = std::async(std::launch::async, [&] { readers.take(); });
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  lent.pop_front();
  next.get();
}

}  // namespace
}  // namespace atlas::store
