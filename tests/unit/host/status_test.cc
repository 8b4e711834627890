#include "host/status.h"

#include <gtest/gtest.h>

namespace atlas::host {
namespace {

TEST(Status, FaultsSurviveTheWayThereAndBack) {
  using base::Fault;
  for (const Fault fault :
       {Fault::kArgument, Fault::kState, Fault::kConflict, Fault::kGone, Fault::kTimeout, Fault::kFull, Fault::kDenied,
        Fault::kConfig, Fault::kStopping, Fault::kInternal, Fault::kUnreachable}) {
    EXPECT_EQ(fault_of(status_of(fault)), fault) << static_cast<int>(fault);
  }
}

TEST(Status, UnknownFailureIsInternal) {
  EXPECT_EQ(fault_of(-4711), base::Fault::kInternal);
  EXPECT_EQ(fault_of(ATLAS_OK), base::Fault::kInternal);
  EXPECT_EQ(status_text(-4711), "failed");
}

TEST(Status, ClipEndsBetweenCharacters) {
  EXPECT_EQ(clip("abc", 2), "ab");
  EXPECT_EQ(clip("a\xc3\xa4", 2), "a");
  EXPECT_EQ(clip("a\xff", 9), "a");
}

}  // namespace
}  // namespace atlas::host
